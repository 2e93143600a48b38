"""Augmentation of what the discriminator sees: names here, the functions in ``table.py``.

The names stand apart so that settings can be checked without torch.
"""

AUGMENT_NAMES = ["ada", "ada-face", "ada-full", "ada-r3gan", "diffaugment", "flip"]
"""What ``--augment`` accepts: the rows of ``table.AUGMENTS``."""
