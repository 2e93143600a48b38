"""Draw in NumPy the normal numbers that ``torch.randn`` draws on a CPU for a seed, equal to the bit.

The latents of a seed come from here, so that they need no PyTorch and are the same on every machine.

PyTorch seeds a Mersenne twister (MT19937) with the seed's lower 32 bits. For fewer than 16 numbers it takes
Box and Muller's transform in double precision. From 16 on it works on groups of 16 floats, whose logarithm,
sine and cosine are the polynomials of the Cephes library (``avx_mathfun.h``, Pommier 2012) with products and
sums fused; a length that is no multiple of 16 draws its last 16 numbers anew. That is PyTorch on x86 with
AVX2; elsewhere the last bits of its numbers may differ. ``tests/test_torch_normals.py`` compares them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

GROUP = 16
_CHUNK = 1 << 18  # numbers at once: bounds the memory of the intermediate arrays
_F = np.float32
_LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_QUARTER_PI = (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # -pi / 4 in three parts
_LOG_TWO = (-2.12194440e-4, 0.693359375)  # their sum


def normals(seeds: Sequence[int], count: int) -> np.ndarray:
    """Return float32 ``N,count``: what ``torch.randn(count)`` draws with a generator of each seed.

    Args:
        seeds: whole numbers from 0 to 2^63 - 1; each has draws of its own, whatever the others are.
        count: how many numbers for each seed.
    """
    if count < GROUP:
        rows = [_few(words, count) for words in _words(seeds, 4 * -(-count // 2))]
        return np.array(rows, np.float32).reshape(len(seeds), count)
    found = np.empty((len(seeds), count), np.float32)
    step = max(1, _CHUNK // count)
    for first in range(0, len(seeds), step):
        found[first : first + step] = _many(seeds[first : first + step], count)
    return found


def _words(seeds: Sequence[int], count: int) -> np.ndarray:
    """Return uint32 ``N,count``: the first ones of the Mersenne twister with each seed."""
    stream = np.random.RandomState()  # the generator that PyTorch has
    found = np.empty((len(seeds), count), np.uint32)
    for row, seed in zip(found, seeds, strict=True):
        stream.seed(seed & 0xFFFFFFFF)
        row[:] = np.frombuffer(stream.bytes(4 * count), "<u4")
    return found


def _few(words: np.ndarray, count: int) -> list[float]:
    """Return Box and Muller's numbers in double precision, as PyTorch draws them one after the other."""
    high, low = words.reshape(-1, 2).T.astype(np.uint64)
    uniform = ((high << np.uint64(32) | low) & np.uint64(2**53 - 1)) * 2.0**-53
    found = []
    for angle, distance in uniform.reshape(-1, 2).tolist():
        radius, theta = math.sqrt(-2.0 * math.log1p(-distance)), 2.0 * math.pi * angle
        found += [radius * math.cos(theta), radius * math.sin(theta)]
    return found[:count]


def _many(seeds: Sequence[int], count: int) -> np.ndarray:
    whole, rest = count - count % GROUP, count % GROUP
    drawn = count + GROUP * bool(rest)
    uniform = (_words(seeds, drawn) & np.uint32(2**24 - 1)).astype(np.float32) * _F(2.0**-24)
    found = np.empty((len(seeds), count), np.float32)
    found[:, :whole] = _transformed(uniform[:, :whole])
    if rest:
        found[:, -GROUP:] = _transformed(uniform[:, count:])
    return found


def _transformed(uniform: np.ndarray) -> np.ndarray:
    """Return Box and Muller's numbers of uniform ones: of a group, eight are radii and eight angles."""
    groups = uniform.reshape(len(uniform), -1, 2, GROUP // 2)
    radius = np.sqrt(_F(-2.0) * _log(_F(1.0) - groups[:, :, 0]))
    sine, cosine = _sine_and_cosine(_F(2.0 * np.pi) * groups[:, :, 1])
    return np.stack([radius * cosine, radius * sine], 2).reshape(uniform.shape)


def _fused(a: np.ndarray, b: np.ndarray | float, c: np.ndarray | float) -> np.ndarray:
    """Return ``a * b + c`` in float32, rounded once: a product of two floats is exact in doubles."""
    exact = a.astype(np.float64) * np.float32(b).astype(np.float64)
    return np.asarray(exact + np.float32(c).astype(np.float64)).astype(np.float32)


def _log(x: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of float32 in (0, 1], by Cephes's ``logf``."""
    bits = x.view(np.uint32)
    exponent = (bits >> 23).astype(np.int32).astype(np.float32) - _F(126.0)
    m = (bits & np.uint32(0x007FFFFF) | np.uint32(0x3F000000)).view(np.float32)  # from 0.5 to 1
    low = m < _F(math.sqrt(0.5))
    exponent -= low.astype(np.float32)
    m = (m - _F(1.0)) + np.where(low, m, _F(0.0))
    square = m * m
    y = np.full_like(m, _LOG[0])
    for coefficient in _LOG[1:]:
        y = _fused(y, m, coefficient)
    y = _fused(y * m, square, exponent * _F(_LOG_TWO[0]))
    y = _fused(square, -0.5, y)
    return _fused(exponent, _LOG_TWO[1], m + y)


def _sine_and_cosine(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sine and cosine of float32 from 0 to 2 pi, by Cephes's ``sinf`` and ``cosf``."""
    octant = ((x * _F(4.0 / np.pi)).astype(np.int32) + 1) & ~1
    for part in _QUARTER_PI:
        x = _fused(octant.astype(np.float32), part, x)
    square = x * x
    cosine = _fused(_fused(square, _COSINE[0], _COSINE[1]), square, _COSINE[2])
    cosine = _fused(cosine * square, square, square * _F(-0.5)) + _F(1.0)
    sine = _fused(_fused(square, _SINE[0], _SINE[1]), square, _SINE[2])
    sine = _fused(sine * square, x, x)
    turned = (octant & 2) != 0
    signs = (octant & 4) != 0, ((octant - 2) & 4) == 0
    both = np.where(turned, cosine, sine), np.where(turned, sine, cosine)
    return np.where(signs[0], -both[0], both[0]), np.where(signs[1], -both[1], both[1])
