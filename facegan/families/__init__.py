"""Families of networks, one file each: the table FAMILIES names their modules.

A family's module has
- ``Config``: a frozen dataclass (no torch at import) with ``generator`` and ``discriminator`` settings;
- ``build_generator(config, image_shape, z_dim) -> nn.Module`` with ``z_dim``, ``w_dim``, ``num_ws``,
  ``map(z)``, ``synthesize(w, noise)``, whose images are in [-1, 1];
- ``build_discriminator(config, image_shape) -> nn.Module``: images in [-1, 1] to logits ``N``.

To add one: a new file here and a row in the table; recipes that use it go to ``recipes.py``.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from facegan.errors import ModelError

FAMILIES: dict[str, str] = {
    "vanilla": "facegan.families.vanilla",
    "dcgan": "facegan.families.dcgan",
    "r3gan": "facegan.families.r3gan",
}


def get_family(name: str) -> ModuleType:
    """The module of a family; ModelError names the known ones."""
    if name not in FAMILIES:
        raise ModelError(f"family '{name}' is unknown (known: {', '.join(FAMILIES)}); is facegan up to date?")
    return importlib.import_module(FAMILIES[name])
