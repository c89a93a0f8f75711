"""Ten bugs put into a copy of the code on purpose, each of which a test has to catch."""
