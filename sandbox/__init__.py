"""A pretend Sage for people and tests: a small web program with books of its own, sharing nothing with Reflow."""
