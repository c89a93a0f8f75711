"""Invoice numbers: each given once, never again, and each on record with what became of it."""
