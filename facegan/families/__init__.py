"""Families of networks, one file each: the table FAMILIES names their modules.

A family's module has
- ``Config``: a frozen dataclass (no torch at import) with ``generator`` and ``discriminator`` settings;
- ``build_generator(config, image_shape, z_dim, label_dim=0) -> nn.Module`` with ``z_dim``, ``w_dim``,
  ``num_ws``, ``map(z, labels)``, ``synthesize(w, noise)``, whose images are in [-1, 1];
- ``build_discriminator(config, image_shape, label_dim=0) -> nn.Module``: images in [-1, 1], and labels
  ``N,label_dim`` where there are some, to logits ``N``.
A family that takes no labels raises ConfigError for them.

What it may have besides:
- ``generator.ignores_length``: true where ``synthesize`` brings each w to one length;
- ``begin_update(config, generator, discriminator, images_seen) -> bool``: sets the stage of networks that
  grow before each update; true lets the optimisers begin again;
- a discriminator's ``projected``: a module of further logits ``N,K``, trained by a hinge loss of the weight
  ``projected_weight`` in its config (families/fast/projected.py);
- a discriminator's ``prepare_real(images)``: real images as it takes them at that stage;
- ``generator.style_mixing`` and ``path_length_weight`` (with ``_every``, ``_decay``) in its settings: the
  training step then gives ``mix=(z, u)`` to the generator, and adds the penalty (see stylegan2/config.py).

One with recipes for any size has ``check_shape(height, width)``, ConfigError for those that it has no
networks for.
One with ``NON_SQUARE = True`` makes pictures of other shapes, whose longer side is a recipe's size.
One with ``CONDITIONAL = True`` takes labels: both builders have ``label_dim=0``, the networks the attribute
``label_dim``, and ``map``, the generator's call and the discriminator's the argument ``labels=None``, float
``N,label_dim``. A generator that mixes styles has ``styles(z, labels, mix)`` (w of a training batch) and the
argument ``mix=(z2, u)``; its average w is the buffer ``w_avg``.

To add one: a new file here and a row in the table; recipes that use it go to ``recipes/table.py``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from facegan.errors import ModelError

FAMILIES: dict[str, str] = {
    "vanilla": "facegan.families.vanilla.config",
    "dcgan": "facegan.families.dcgan.config",
    "fast": "facegan.families.fast.config",
    "progan": "facegan.families.progan.config",
    "stylegan2": "facegan.families.stylegan2.config",
    "r3gan": "facegan.families.r3gan.config",
}


def get_family(name: str) -> ModuleType:
    """The module of a family; ModelError names the known ones."""
    if name not in FAMILIES:
        raise ModelError(f"family '{name}' is unknown (known: {', '.join(FAMILIES)}); is facegan up to date?")
    return importlib.import_module(FAMILIES[name])
