"""The family ``fast``: our own networks for CPUs."""
