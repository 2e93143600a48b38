"""The row of the table of recipes."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.recipes.config import TrainConfig


@dataclass(frozen=True)
class Recipe:
    """A configuration, what it is for in one line, and where its settings come from."""

    config: TrainConfig
    summary: str
    source: str
