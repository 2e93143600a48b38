"""From photos to vectors: search, encoders, tuning.

>>> from facegan import invert
>>> found = invert(["me.jpg", "seed:5"], "celeba64", steps=100)
>>> found.vectors, found.errors["mse"]
"""
