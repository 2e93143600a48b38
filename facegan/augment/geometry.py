"""The geometric transforms of ADA as 3 x 3 matrices of the way back, from a new pixel to the old.

Positions are in pixels, seen from the middle; x to the right, y down; a positive angle turns from x
towards y. A miss has the parameters of the identity.
"""

from __future__ import annotations

import math

import torch

Tensor = torch.Tensor


def _rows(rows: list[list[Tensor | float]], like: Tensor) -> Tensor:
    """Return ``N,3,3`` of entries that are ``N`` or numbers, with the last row 0, 0, 1."""
    full: list[list[Tensor | float]] = [*rows, [0.0, 0.0, 1.0]]
    entries = [
        e if isinstance(e, Tensor) else like.new_full((), e).expand(like.shape) for row in full for e in row
    ]
    return torch.stack(entries, dim=1).view(-1, 3, 3)


def scale_back(sx: Tensor, sy: Tensor) -> Tensor:
    """Undo the scaling by ``sx``, ``sy`` (``N``)."""
    return _rows([[1 / sx, 0.0, 0.0], [0.0, 1 / sy, 0.0]], sx)


def rotate_back(angle: Tensor) -> Tensor:
    """Undo the rotation by ``angle`` (``N``, radians)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return _rows([[cos, sin, 0.0], [-sin, cos, 0.0]], angle)


def quarter_turns_back(count: Tensor) -> Tensor:
    """Undo ``count`` (``N``, whole numbers 0 to 3) quarter turns, exactly."""
    cos = (count == 0).to(count) - (count == 2).to(count)
    sin = (count == 1).to(count) - (count == 3).to(count)
    return _rows([[cos, sin, 0.0], [-sin, cos, 0.0]], count)


def translate_back(dx: Tensor, dy: Tensor) -> Tensor:
    """Undo the translation by ``dx``, ``dy`` (``N``, pixels)."""
    return _rows([[1.0, 0.0, -dx], [0.0, 1.0, -dy]], dx)


def compose(first: Tensor, then: Tensor) -> Tensor:
    """Return ``first @ then`` in full precision, which a GPU's matrix product may lack."""
    return (first[:, :, :, None] * then[:, None, :, :]).sum(2)


def rotation_share(p: Tensor | float) -> Tensor | float:
    """Return the probability of each of two rotations of which one or the other happens with ``p``."""
    return 1.0 - ((1.0 - p).sqrt() if isinstance(p, Tensor) else math.sqrt(1.0 - p))
