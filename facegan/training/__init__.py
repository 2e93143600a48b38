"""Training: config, one step, the loop, checkpoints, and the listeners that report on it."""
