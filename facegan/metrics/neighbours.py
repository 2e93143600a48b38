"""Find exact nearest neighbours in pieces; memory grows with N, not with N times M."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

_BYTES = 128 * 2**20  # of one block of distances


def squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks of rows of |x_i - y_j|^2: the first row's number, and float32 ``rows,len(y)``.

    Both are centred before |x|^2 + |y|^2 - 2xy, so that little is lost to cancellation: about 1e-6 of |x|^2.
    """
    centre = y.mean(0, dtype=np.float64)
    right = np.asarray(y - centre, np.float32)
    norms = np.square(right).sum(1)
    rows = max(1, _BYTES // (4 * max(len(y), 1)))
    for i in range(0, len(x), rows):
        left = np.asarray(x[i : i + rows] - centre, np.float32)
        block = left @ right.T
        block *= -2
        block += norms
        block += np.square(left).sum(1)[:, None]
        yield i, block.clip(0, out=block)


def radii(x: np.ndarray, ks: Sequence[int]) -> list[np.ndarray]:
    """Return for each k the squared distances ``N`` of ``N,D`` to their k-th nearest others (k < N)."""
    found = [np.empty(len(x), np.float32) for _ in ks]
    for i, block in squared_distances(x, x):
        rows = np.arange(len(block))
        block[rows, i + rows] = -1.0  # itself, always the nearest, also among twins
        near = np.partition(block, ks, axis=1)
        for out, k in zip(found, ks, strict=True):
            out[i : i + len(block)] = near[:, k]
    return found


def nearest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each of ``N,D`` the row of its nearest of ``M,D``, and the squared distance (float64)."""
    rows, distances = np.empty(len(x), np.int64), np.empty(len(x))
    for i, block in squared_distances(x, y):
        best = block.argmin(1)
        part = slice(i, i + len(block))
        rows[part] = best
        distances[part] = np.square(x[part].astype(np.float64) - y[best]).sum(1)
    return rows, distances


def spaced(images: np.ndarray, count: int) -> np.ndarray:
    """Return at most ``count`` of the images, evenly spaced."""
    return images[spaced_rows(len(images), count)]


def spaced_rows(n: int, count: int) -> np.ndarray:
    """Return at most ``count`` different rows of ``n``, evenly spaced."""
    return np.arange(n) if n <= count else (np.arange(count) * n) // count
