"""Accounting platforms behind one port, and the vault that keeps their tokens."""
