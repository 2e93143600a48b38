"""Families of networks, one file each: the table FAMILIES names their modules.

A family's module has
- ``Config``: a frozen dataclass (no torch at import) with ``generator`` and ``discriminator`` settings;
- ``build_generator(config, image_shape, z_dim) -> nn.Module`` with ``z_dim``, ``w_dim``, ``num_ws``,
  ``map(z)``, ``synthesize(w, noise)``, whose images are in [-1, 1];
- ``build_discriminator(config, image_shape) -> nn.Module``: images in [-1, 1] to logits ``N``.

One with ``CONDITIONAL = True`` takes labels: both builders have ``label_dim=0``, the networks the attribute
``label_dim``, and ``map``, the generator's call and the discriminator's the argument ``labels=None``, float
``N,label_dim``. A generator that mixes styles has ``styles(z, labels, mix)`` (w of a training batch) and the
argument ``mix=(z2, u)``; its average w is the buffer ``w_avg``.

To add one: a new file here and a row in the table; recipes that use it go to ``recipes.py``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from facegan.errors import ModelError

FAMILIES: dict[str, str] = {
    "vanilla": "facegan.families.vanilla",
    "dcgan": "facegan.families.dcgan",
    "stylegan2": "facegan.families.stylegan2",
}


def get_family(name: str) -> ModuleType:
    """The module of a family; ModelError names the known ones."""
    if name not in FAMILIES:
        raise ModelError(f"family '{name}' is unknown (known: {', '.join(FAMILIES)}); is facegan up to date?")
    return importlib.import_module(FAMILIES[name])
