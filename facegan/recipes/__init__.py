"""Settings of a training run (``config``) and the named ones, each with its source (``table``); no torch.

>>> from facegan.recipes import recipe
>>> recipe("faces-fast-64").batch
32
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facegan.recipes.table import RECIPES, Recipe, recipe

__all__ = ["RECIPES", "Recipe", "recipe"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("facegan.recipes.table"), name)
    raise AttributeError(f"module 'facegan.recipes' has no attribute {name!r}")
