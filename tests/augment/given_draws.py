"""Random numbers for tests: as training draws them, or written down."""

from __future__ import annotations

import math

import torch

from facegan import rng
from facegan.augment.draws import Draw


def drawn(start: int, count: int, seed: int = 0) -> Draw:
    """Numbers of the images ``start .. start + count - 1`` of a run."""
    return lambda purpose, k: torch.from_numpy(
        rng.uniform(seed, purpose, start, count=count, per_item=k)
    ).float()


def given(**values: list[float]) -> Draw:
    """For one image the numbers after the one that decides on a hit, by name: ``x_flip=[0.9]``."""

    def draw(purpose: str, k: int) -> torch.Tensor:
        numbers = [0.0, *values[purpose.split("/")[1].replace("-", "_")]]
        assert len(numbers) == k, f"{purpose} draws {k} numbers"
        return torch.tensor([numbers], dtype=torch.float64)

    return draw


def normal(z: float) -> list[float]:
    """Two uniform numbers of which Box and Muller make ``z`` and 0."""
    return [-math.expm1(-z * z / 2), 0.0 if z >= 0 else 0.5]


def signed(x: float) -> float:
    """The uniform number that becomes ``x`` of [-1, 1)."""
    return (x + 1) / 2
