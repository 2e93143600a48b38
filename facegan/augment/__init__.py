"""Augmentation of what the discriminator sees: ``table.py`` names the ways; its import loads no torch."""
