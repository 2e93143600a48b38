"""Wavelet filters of ADA as matrices that act on rows or columns, with the reflection at borders in them.

At the sizes of training a product with small matrices is faster than a convolution of one channel, needs
no padding (so that no image depends on how far another one moves), and is differentiable to any order.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

Tensor = torch.Tensor

# Orthonormal scaling filters of Daubechies' least asymmetric wavelets (Daubechies 1992, table 6.3 and
# section 8.1), normalised to the sum sqrt(2).
SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)

CENTRE = float(np.dot(SYM6, range(12)) / np.sum(SYM6))
"""Where a smooth signal lies in the filter (its first moment): sample n of twice the rate stands at
(n - CENTRE) / 2."""
FIRST = 5
"""Sample of twice the rate that stands nearest to position 0, and is row 0 of :func:`up`."""


def reflect(index: np.ndarray, size: int) -> np.ndarray:
    """Return positions within 0 .. size - 1 of indices outside, mirrored at the outermost pixels."""
    last = max(size - 1, 1)
    return np.minimum(last - np.abs(np.abs(index) % (2 * last) - last), size - 1)


def _up(size: int) -> np.ndarray:
    rows = 2 * size - 1
    matrix = np.zeros((rows, size))
    for row in range(rows):
        n = row + FIRST
        source = np.arange((n - len(SYM6) + 2) // 2, n // 2 + 1)
        np.add.at(matrix[row], reflect(source, size), np.sqrt(2) * np.array(SYM6)[n - 2 * source])
    return matrix


def _down(size: int) -> np.ndarray:
    matrix = np.zeros((size, 2 * size + len(SYM6) - 2))
    for row in range(size):
        matrix[row, 2 * row : 2 * row + len(SYM6)] = np.array(SYM6) / np.sqrt(2)
    return matrix


def _spread(taps: np.ndarray, step: int) -> np.ndarray:
    """Return ``taps`` of z^step in the place of z."""
    wide = np.zeros((len(taps) - 1) * step + 1)
    wide[::step] = taps
    return wide


def band_filters() -> list[np.ndarray]:
    """Return zero-phase filters that add up to the identity: up to pi/8, pi/4, pi/2 and pi.

    With L(z) = H(z) H(1/z) / 2 of sym2 and U(z) = L(-z), L + U = 1: the bands are L(z) L(z^2) L(z^4),
    L(z) L(z^2) U(z^4), L(z) U(z^2) and U(z) (Karras et al. 2020a, appendix B).
    """
    low = np.convolve(SYM2, SYM2[::-1]) / 2
    high = low * (-1.0) ** np.abs(np.arange(7) - 3)
    passed, bands = np.ones(1), []
    for step in (1, 2, 4):
        bands.append(np.convolve(passed, _spread(high, step)))
        passed = np.convolve(passed, _spread(low, step))
    return [passed, *bands[::-1]]


def _bands(size: int) -> np.ndarray:
    matrices = np.zeros((4, size, size))
    for matrix, taps in zip(matrices, band_filters(), strict=True):
        half = len(taps) // 2
        for row in range(size):
            np.add.at(matrix[row], reflect(np.arange(row - half, row + half + 1), size), taps)
    return matrices


_KINDS = {"up": _up, "down": _down, "bands": _bands}
IN_BLOCKS = ("cpu",)  # devices for which many small products are the faster
_BLOCK = 16  # rows or columns of the smaller side in one product on a CPU


@lru_cache(maxsize=64)
def _matrix(kind: str, size: int, device: torch.device, *, dtype: torch.dtype) -> torch.Tensor:
    with torch.inference_mode(False):  # kept for training too
        return torch.from_numpy(_KINDS[kind](size)).to(dtype).to(device)


@lru_cache(maxsize=64)
def _blocks(kind: str, size: int, adjoint: bool, *, dtype: torch.dtype) -> list[tuple[slice, torch.Tensor]]:
    """Return the matrix in blocks of rows, each with the columns that are not 0 in it."""
    matrix = _KINDS[kind](size)
    matrix = matrix.T if adjoint else matrix
    rows = _BLOCK * max(1, round(len(matrix) / size))
    blocks = []
    for first in range(0, len(matrix), rows):
        block = matrix[first : first + rows]
        used = np.flatnonzero(block.any(0))
        columns = slice(int(used[0]), int(used[-1]) + 1)
        blocks.append((columns, torch.from_numpy(block[:, columns].copy()).to(dtype)))
    return blocks


class _Along(torch.autograd.Function):
    """The matrix applied along an axis, in blocks; its derivative is the transposed matrix."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, kind: str, size: int, adjoint: bool, axis: int) -> Tensor:  # noqa: PLR0917
        ctx.args = kind, size, not adjoint, axis
        images = images.contiguous()
        parts = []
        for columns, block in _blocks(kind, size, adjoint, dtype=images.dtype):
            if axis == 3:
                parts.append(images[..., columns] @ block.mT)
            else:
                parts.append(block @ images[:, :, columns])
        return torch.cat(parts, dim=axis)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        return _Along.apply(gradient, *ctx.args), None, None, None, None


def along(kind: str, images: Tensor, axis: int) -> Tensor:
    """Return ``images`` (``N,C,H,W``) at twice (``up``) or half (``down``) the rate along ``axis``, 2 or 3.

    ``up`` makes of S pixels 2 S - 1 samples, FIRST and up, from the first pixel to the last; ``down``
    makes S pixels of the samples 0 .. 2 S + 9.
    """
    size = images.shape[axis] if kind == "up" else images.shape[axis] // 2 - 5
    if images.device.type in IN_BLOCKS:
        return _Along.apply(images, kind, size, False, axis)
    matrix = _matrix(kind, size, images.device, dtype=images.dtype)
    return images @ matrix.mT if axis == 3 else matrix @ images


def bands(size: int, like: Tensor) -> Tensor:
    """Return ``4, size, size``: the filters of :func:`band_filters` along one axis."""
    return _matrix("bands", size, like.device, dtype=like.dtype)
