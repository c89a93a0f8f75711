"""The front where an admin sets things up."""
