"""Families of networks, one folder each; the table FAMILIES names them.

A folder has ``config.py``, the settings without torch, and ``networks.py``; its package exports FAMILY, an
instance of :class:`facegan.families.base.Family`, which says what there is to define. A family outside the
package is made known with :func:`register_family`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from facegan import arguments
from facegan.errors import ModelError
from facegan.families.base import Family, OptimizerConfig, PathLength, check_family
from facegan.lazy import importer

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork

__all__ = ["DiscriminatorNetwork", "Family", "GeneratorNetwork", "OptimizerConfig", "PathLength"]

FAMILIES: dict[str, str | Family] = {
    "vanilla": "facegan.families.vanilla",
    "dcgan": "facegan.families.dcgan",
    "fast": "facegan.families.fast",
    "progan": "facegan.families.progan",
    "stylegan2": "facegan.families.stylegan2",
    "r3gan": "facegan.families.r3gan",
    "biggan": "facegan.families.biggan",
    "graph": "facegan.families.graph",
}
"""Name -> the package whose FAMILY it is, imported on first use, or the family itself."""
SAMPLED: dict[str, str | Family] = {
    "stylegan3": "facegan.families.stylegan3",
    "stylegan2-pytorch": "facegan.families.stylegan2_pytorch",
    "lightweight-gan": "facegan.families.lightweight_gan",
}
"""Likewise, families of particular programs' networks, which facegan samples and does not train."""

TRANSLATORS: dict[str, str | Family] = {
    "pix2pix": "facegan.families.pix2pix",
    "cyclegan": "facegan.families.cyclegan",
}
"""Likewise, families whose networks turn pictures into pictures."""


def get_family(name: str) -> Family:
    """Return the family of that name.

    Raises:
        ModelError: No family has that name; it lists those that there are.
    """
    table = next((t for t in (SAMPLED, TRANSLATORS) if name in t), FAMILIES)
    if name not in table:
        raise ModelError(
            f"family '{name}' is unknown (known: {', '.join([*FAMILIES, *TRANSLATORS])}); is facegan up to "
            "date, or was the family made known with facegan.register_family?"
        )
    found = table[name]
    if isinstance(found, str):
        found = table[name] = importlib.import_module(found).FAMILY
    assert isinstance(found, Family)
    return found


def register_family(name: str, family: Family) -> None:
    """Make a family known, so that it trains, saves, loads and exports like those of the package.

    Do this before training and before loading a model of the family, in each process:

    >>> facegan.register_family("toy", Toy())
    >>> facegan.train("faces", facegan.TrainConfig(family="toy", model=Toy.config()), "run")

    Args:
        name: What ``TrainConfig.family`` and model files call it: lower-case letters, digits and hyphens.
        family: An instance of a subclass of :class:`facegan.families.base.Family`.

    Raises:
        InputError: The name is taken or impossible, or the family lacks something.
    """
    name = arguments.new_name(name, "family", {**FAMILIES, **SAMPLED, **TRANSLATORS})
    FAMILIES[name] = check_family(family, f"register_family('{name}')")


# They import torch.
__getattr__ = importer(
    __name__, dict.fromkeys(("GeneratorNetwork", "DiscriminatorNetwork"), "facegan.layers.network")
)
