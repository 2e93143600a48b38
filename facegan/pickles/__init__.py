"""Files of pickle and torch, read without executing anything."""
