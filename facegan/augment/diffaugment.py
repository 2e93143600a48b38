"""DiffAugment (Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training", section 4):
colour, translation and cutout, on every image where p is 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from facegan.augment.table import Draw

SHIFT, HOLE = 1 / 8, 1 / 2  # largest translation and side of the hole, as shares of the picture's


def diffaugment(images: torch.Tensor, p: float, draw: Draw) -> torch.Tensor:
    """Brightness +-0.5 (of a range of 2), saturation 0 to 2, contrast 0.5 to 1.5; a shift; a square hole."""
    if p <= 0.0:
        return images
    images = _colour(images, p, draw)
    images = _shifted(images, p, draw)
    return _with_hole(images, p, draw)


def _colour(images: torch.Tensor, p: float, draw: Draw) -> torch.Tensor:
    u = draw("diff-colour", 4)
    hit = u[:, 0] < p
    brightness, saturation, contrast = (
        torch.where(hit, value, torch.full_like(value, neutral)).to(images.dtype).view(-1, 1, 1, 1)
        for value, neutral in ((u[:, 1] - 0.5, 0.0), (u[:, 2] * 2, 1.0), (u[:, 3] + 0.5, 1.0))
    )
    images = images + brightness
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * saturation
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * contrast


def _shifted(images: torch.Tensor, p: float, draw: Draw) -> torch.Tensor:
    """Moved by whole pixels; what comes in is 0."""
    n, _, h, w = images.shape
    u = draw("diff-shift", 3)
    hit = u[:, 0] < p
    for axis, size, k in ((2, h, 1), (3, w, 2)):
        most = int(size * SHIFT + 0.5)
        shift = (u[:, k] * (2 * most + 1)).floor().long() - most
        shift = torch.where(hit, shift, torch.zeros_like(shift))
        source = torch.arange(size, device=images.device)[None] - shift[:, None]
        inside = (source >= 0) & (source < size)
        shape = (n, 1, size, 1) if axis == 2 else (n, 1, 1, size)
        index = source.clamp(0, size - 1).view(shape).expand_as(images)
        images = images.gather(axis, index) * inside.view(shape).to(images.dtype)
    return images


def _with_hole(images: torch.Tensor, p: float, draw: Draw) -> torch.Tensor:
    _, _, h, w = images.shape
    u = draw("diff-hole", 3)
    sides = []
    for size, k in ((h, 1), (w, 2)):
        side = int(size * HOLE + 0.5)
        first = (u[:, k] * (size + (1 - side % 2))).floor().long() - side // 2
        place = torch.arange(size, device=images.device)[None]
        sides.append((place >= first[:, None]) & (place < first[:, None] + side))
    hole = sides[0][:, :, None] & sides[1][:, None, :] & (u[:, 0] < p).view(-1, 1, 1)
    return images.masked_fill(hole[:, None], 0.0)
