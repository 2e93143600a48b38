"""Augmentations of what a discriminator sees: names here (no torch), the table AUGMENTS in ``table.py``.

Each takes ``(images, p, draw)``: images float ``N,C,H,W`` in [-1, 1] with C 1 or 3, the probability of
each transform, and ``draw(purpose, k)``, which gives uniform numbers ``N,k`` in [0, 1) that belong to the
images. All are differentiable to the second order, for gradient penalties; p = 0 gives the images back.

To add one: a function (or a :class:`facegan.augment.ada.Pipeline`), its row in the table, its name here,
and a closed form in tests/augment.
"""

AUGMENT_NAMES = ("ada", "ada-face", "ada-full", "diffaugment", "flip")
