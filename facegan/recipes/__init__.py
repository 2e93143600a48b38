"""Settings of a training run (``config``) and the named ones, each with its source (``table``); no torch.

>>> from facegan.recipes import recipe
>>> recipe("faces-fast-64").batch
32
"""

from facegan.recipes.row import Recipe
from facegan.recipes.table import RECIPES, recipe

__all__ = ["RECIPES", "Recipe", "recipe"]
