"""Nearest neighbours among features, exactly and in pieces: memory grows with N, not with N times M."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BYTES = 128 * 2**20  # of one block of distances


def squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of rows of |x_i - y_j|^2: the first row's number, and float64 ``rows,len(y)``.

    Both are centred before |x|^2 + |y|^2 - 2xy, so that little is lost to cancellation.
    """
    centre = y.mean(0, dtype=np.float64)
    right = y - centre
    norms = np.square(right).sum(1)
    rows = max(1, _BYTES // (8 * max(len(y), 1)))
    for i in range(0, len(x), rows):
        left = x[i : i + rows] - centre
        block = left @ right.T
        block *= -2
        block += norms
        block += np.square(left).sum(1)[:, None]
        yield i, block.clip(0, out=block)


def radii(x: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each of ``N,D`` to its ``k``-th nearest other one (k < N)."""
    found = np.empty(len(x))
    for i, block in squared_distances(x, x):
        rows = np.arange(len(block))
        block[rows, i + rows] = -1.0  # itself, always the nearest, also among twins
        found[i : i + len(block)] = np.partition(block, k, axis=1)[:, k]
    return found


def nearest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of ``N,D`` the row of its nearest among ``M,D``, and its squared distance."""
    rows, distances = np.empty(len(x), np.int64), np.empty(len(x))
    for i, block in squared_distances(x, y):
        best = block.argmin(1)
        rows[i : i + len(block)] = best
        distances[i : i + len(block)] = block[np.arange(len(block)), best]
    return rows, distances
