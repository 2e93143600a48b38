"""What is decided before a run: automatic settings, dry runs and sweeps."""
