"""Building blocks of the networks: layers and their notation, moving averages, optimisers, summaries."""
