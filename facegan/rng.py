"""Random numbers that depend on (seed, purpose, image index) and on nothing else.

A counter-based generator (Philox, Salmon et al. 2011) is positioned at the image's index, so that
a resumed run, or one of several processes, draws exactly what one uninterrupted process draws.
"""

from __future__ import annotations

import hashlib

import numpy as np

_BLOCK = 4  # Philox 4x64 yields four 64-bit words for each counter value


def key(seed: int, purpose: str) -> int:
    """Return a 128-bit stream key."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:16], "little")


def words(seed: int, purpose: str, start: int, *, count: int, per_item: int) -> np.ndarray:
    """Return uint64 ``count, per_item`` for the items ``start .. start + count - 1``."""
    blocks = -(-per_item // _BLOCK)
    stream = np.random.Philox(key=key(seed, purpose))
    stream.advance(start * blocks)
    return stream.random_raw(count * blocks * _BLOCK).reshape(count, -1)[:, :per_item]


def uniform(seed: int, purpose: str, start: int, *, count: int, per_item: int = 1) -> np.ndarray:
    """Return float64 ``count, per_item`` in [0, 1)."""
    return (words(seed, purpose, start, count=count, per_item=per_item) >> np.uint64(11)) * 2.0**-53


def normal(seed: int, purpose: str, start: int, *, count: int, per_item: int) -> np.ndarray:
    """Return float32 ``count, per_item`` of N(0, 1), by Box and Muller's transform."""
    half = -(-per_item // 2)
    u = uniform(seed, purpose, start, count=count, per_item=2 * half)
    radius = np.sqrt(-2.0 * np.log1p(-u[:, :half]))
    angle = 2.0 * np.pi * u[:, half:]
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return both[:, :per_item].astype(np.float32)


def permutation(seed: int, purpose: str, index: int, *, n: int) -> np.ndarray:
    """Return the ``index``-th shuffle (an epoch, say) of 0..n-1."""
    return np.random.Generator(np.random.Philox(key=key(seed, f"{purpose}/{index}"))).permutation(n)


def torch_seed(seed: int, purpose: str, index: int) -> int:
    """Return a 63-bit seed for torch's own generators (dropout, random noise) at one step."""
    return key(seed, f"{purpose}/{index}") & (2**63 - 1)
