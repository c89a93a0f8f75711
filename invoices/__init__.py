"""Where an invoice lives, and how it leaves for the books, once."""
