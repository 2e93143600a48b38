"""The family ``progan``: progressive growing."""
