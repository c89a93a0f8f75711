"""How fast Reflow is, each figure a ratio of two sides measured in turn in one run; `make bench` runs it."""
