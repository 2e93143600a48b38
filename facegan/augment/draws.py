"""Random numbers of an augmentation: all of them come from ``draw(purpose, k)``.

``draw`` gives ``N,k`` uniform numbers that depend on seed, purpose and each image's global index, so
that any split of a batch draws the same. Every transform has a purpose of its own. Best they lie on the CPU:
what is made of them is small, and a device takes longer to begin each step of it than to do it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch

Tensor = torch.Tensor
Draw: TypeAlias = Callable[[str, int], Tensor]
Strength: TypeAlias = "Tensor | float"

_STEP = 2.0**-24  # of float32 in [0, 1): what a float64 below 1 rounds to 1 by


def uniform(draw: Draw, purpose: str, k: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return ``N,k`` in [0, 1), also where ``draw`` has rounded up to 1."""
    return draw(purpose, k).to(dtype).clamp(0.0, 1.0 - _STEP)


def gaussian(u: Tensor) -> Tensor:
    """Return N(0, 1) from an even number of uniform columns (Box and Muller 1958)."""
    half = u.shape[1] // 2
    radius = (-2.0 * torch.log1p(-u[:, :half])).sqrt()
    angle = 2.0 * math.pi * u[:, half:]
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)


def choose(hit: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    """Return ``changed`` where ``hit`` (``N``), and the image as it was, bit for bit, elsewhere."""
    return torch.where(hit[:, None, None, None], changed, images)


class Sampler:
    """Parameters of a batch's transforms, which happen with probability ``p``; a miss has parameter 0."""

    def __init__(self, draw: Draw, p: Strength, prefix: str, *, dtype: torch.dtype) -> None:
        self.draw, self.p, self.prefix, self.dtype = draw, p, prefix, dtype

    def field(self, name: str, k: int) -> Tensor:
        """Return ``N,k`` uniform numbers in [0, 1)."""
        return uniform(self.draw, self.prefix + name, k, dtype=self.dtype)

    def uniform(self, name: str, k: int = 1, p: Strength | None = None) -> tuple[Tensor, Tensor]:
        """Return which images are hit (bool ``N``), and ``N,k`` uniform numbers in [0, 1)."""
        u = self.field(name, 1 + k)
        return u[:, 0] < (self.p if p is None else p), u[:, 1:]

    def signed(self, name: str, k: int = 1, p: Strength | None = None) -> tuple[Tensor, Tensor]:
        """Return which images are hit, and ``N,k`` uniform numbers in [-1, 1); 0 for a miss."""
        hit, u = self.uniform(name, k, p)
        return hit, torch.where(hit[:, None], 2.0 * u - 1.0, 0.0)

    def normal(self, name: str, k: int = 1) -> tuple[Tensor, Tensor]:
        """Return which images are hit, and ``N,k`` normal numbers; 0 for a miss."""
        hit, u = self.uniform(name, k + k % 2)
        return hit, torch.where(hit[:, None], gaussian(u)[:, :k], 0.0)

    def whole(self, name: str, below: int) -> tuple[Tensor, Tensor]:
        """Return which images are hit, and ``N`` whole numbers 0 .. below - 1 (as floats); 0 for a miss."""
        hit, u = self.uniform(name)
        return hit, torch.where(hit, (u[:, 0] * below).floor(), 0.0)
