"""Building blocks of the networks: layer notation, exponential moving average, batch-norm statistics."""
