"""Short work that the server leaves to its hands; each task is a row of ``hands.TASKS``."""
