"""What an objective shows and measures while it trains: the contracts that the evaluator knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

Model = Any
"""What an objective makes of its networks: a Generator or a Translator."""


class SavedModel(Protocol):
    """What every model can do."""

    def save(self, path: str | Path) -> str:
        """Write one file; return the hash in it."""


class Drawn(NamedTuple):
    """A picture of a model's results, uint8 ``H,W,C``, and what was measured with it."""

    sheet: np.ndarray
    values: dict[str, float]


class Gallery(ABC):
    """Draws the results of a model, always of the same seeds or pictures."""

    @abstractmethod
    def draw(self, model: Model, images_seen: int) -> Drawn:
        """Return the sheet of a model that has seen so many images."""


class HeldOutMetric(Protocol):
    """Measures a model on pictures that it was not trained on."""

    key: str
    """The number that decides."""
    features: str
    count: int
    floor: float | None
    """What other real pictures get, where that can be said."""
    seconds: float
    """What measuring has cost so far."""

    @property
    def caution(self) -> str:
        """Return a caution about the numbers, if any."""

    def __call__(self, model: Model, /) -> dict[str, float]:
        """Return the numbers of a model."""

    def better(self, new: float, old: float | None, /) -> bool:
        """Return whether ``new`` beats ``old``."""
