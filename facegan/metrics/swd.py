"""Compute the sliced Wasserstein distance on the Laplacian pyramid (Karras et al. 2018, section 5).

It compares local structure at each size, by the pixels alone.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from facegan import rng
from facegan.metrics.base import MetricInputs, Values

MAX_PICTURES = 2048  # pictures of each side
PATCH, PATCHES, COARSEST = 7, 128, 16
DIRECTIONS = 512
PIECE = 64  # pictures whose pyramids are made at once
_KERNEL = (1.0, 4.0, 6.0, 4.0, 1.0)  # binomial, over 16 (Burt and Adelson 1983)


def swd(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return distances x 1000 of uint8 ``N,H,W,C`` and ``M,H,W,C`` by level, and ``swd``, their mean.

    A level's name is its height; 0 is the best. As many of both are compared as there are of the fewer.

    Levels halve down to 16 px; of each, 128 random patches of 7x7 a picture, each channel normalised over
    the set, projected on 512 random directions. The same seed draws the same patches and directions.
    """
    count = min(len(real), len(fake), MAX_PICTURES)
    sides = [_patches(images[(np.arange(count) * len(images)) // count], seed) for images in (real, fake)]
    found: dict[str, float] = {}
    for number, height in enumerate(list(sides[0])):
        patches = [_normalised(side.pop(height)) for side in sides]
        dim = patches[0].shape[1]
        directions = torch.from_numpy(rng.normal(seed, f"swd/{number}", 0, count=dim, per_item=DIRECTIONS))
        directions /= directions.norm(dim=0, keepdim=True)
        total = 0.0
        for i in range(0, DIRECTIONS, 16):  # one sort is large
            a, b = ((p @ directions[:, i : i + 16]).T.contiguous().numpy() for p in patches)
            a.sort(axis=1)
            b.sort(axis=1)
            total += float(np.abs(a - b).mean(1, dtype=np.float64).sum())
        found[f"swd_{height}"] = 1000 * total / DIRECTIONS
    return {"swd": float(np.mean(list(found.values()))), **found}


def _patches(images: np.ndarray, seed: int) -> dict[int, torch.Tensor]:
    """Return the patches of each level by its height, ``N * 128, 49, C``, of a few pictures at a time."""
    found: dict[int, torch.Tensor] = {}
    for start in range(0, len(images), PIECE):
        for number, level in enumerate(_levels(images[start : start + PIECE])):
            piece = _picked(level, seed, number, start=start)
            height = level.shape[2]
            if start == 0:
                found[height] = piece.new_empty(len(images) * PATCHES, *piece.shape[1:])
            found[height][start * PATCHES :][: len(piece)] = piece
    return found


def _levels(images: np.ndarray) -> list[torch.Tensor]:
    """Return the levels: each is the difference to the next coarser one; the last is the rest."""
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
    levels = []
    while min(x.shape[2:]) // 2 >= COARSEST:
        small = _blur(x)[:, :, ::2, ::2]
        large = x.new_zeros(x.shape)
        large[:, :, ::2, ::2] = small
        levels.append(x - 4 * _blur(large))
        x = small
    return [*levels, x]


def _blur(x: torch.Tensor) -> torch.Tensor:
    line = torch.tensor(_KERNEL) / 16
    channels = x.shape[1]
    padded = F.pad(x, (2, 2, 2, 2), mode="reflect")
    across = F.conv2d(padded, line.view(1, 1, 1, 5).expand(channels, 1, 1, 5), groups=channels)
    return F.conv2d(across, line.view(1, 1, 5, 1).expand(channels, 1, 5, 1), groups=channels)


def _picked(level: torch.Tensor, seed: int, number: int, *, start: int) -> torch.Tensor:
    """Return patches, ``N * 128, 49, C``, of the pictures ``start ..`` in the level ``number``."""
    n, channels, h, w = level.shape
    u = rng.uniform(seed, f"swd/where/{number}", start * PATCHES, count=n * PATCHES, per_item=2)
    top = torch.from_numpy((u[:, 0] * (h - PATCH + 1)).astype(np.int64)).view(n, PATCHES, 1, 1)
    left = torch.from_numpy((u[:, 1] * (w - PATCH + 1)).astype(np.int64)).view(n, PATCHES, 1, 1)
    rows = top + torch.arange(PATCH).view(1, 1, PATCH, 1)
    columns = left + torch.arange(PATCH).view(1, 1, 1, PATCH)
    picked = level[torch.arange(n).view(n, 1, 1, 1), :, rows, columns]  # N, P, 7, 7, C
    return picked.reshape(n * PATCHES, PATCH * PATCH, channels)


def _normalised(patches: torch.Tensor) -> torch.Tensor:
    """Return ``N * 128, 49 * C``, each channel normalised in place to mean 0 and standard deviation 1."""
    mean = patches.mean((0, 1), keepdim=True)
    std = patches.std((0, 1), keepdim=True)
    return patches.sub_(mean).div_(std.clamp_min(1e-8)).flatten(1)


def compute(inputs: MetricInputs) -> Values:
    """Return the mean distance and the distance of each level."""
    return swd(inputs.real_pictures(MAX_PICTURES), inputs.fake_pictures(MAX_PICTURES))


def fits(inputs: MetricInputs) -> str:
    """Return why these pictures cannot be compared, or ""."""
    height, width = inputs.fake_pictures(1).shape[1:3]
    return f"pictures are below {PATCH} px" if min(height, width) < PATCH else ""
