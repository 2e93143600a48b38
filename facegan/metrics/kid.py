"""Compute KID (Binkowski et al. 2018): the unbiased squared maximum mean discrepancy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facegan.metrics.base import MetricInputs, Values

MAX_PICTURES = (
    10_000  # pictures of each side; the estimate has no bias, so that fewer only widen the interval
)
_ROWS = 512
_Z95 = 1.959964


@dataclass(frozen=True)
class Estimate:
    """Hold ``value`` with the ends of its 95% confidence interval."""

    value: float
    low: float
    high: float

    def named(self, name: str) -> dict[str, float]:
        """Return the value and the ends under the names that they have in results."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def kid(real: np.ndarray, fake: np.ndarray) -> Estimate:
    """Return MMD^2 of features ``N,D`` and ``M,D`` (N, M >= 3) with the kernel (xy / D + 1)^3.

    The U-statistic over all pairs (Gretton et al. 2012, equation 3); may fall a little below 0 where the
    sets are alike. The interval is the jackknife's (Efron and Stein 1981), each picture left out once,
    which the sums over rows give in closed form.
    """
    x, y = (np.ascontiguousarray(_spaced(f), np.float32) for f in (real, fake))
    m, n = len(x), len(y)
    xx, yy, (xy, yx) = _within(x), _within(y), _between(x, y)
    a, b, c = xx.sum(), yy.sum(), xy.sum()
    value = a / (m * (m - 1)) + b / (n * (n - 1)) - 2 * c / (m * n)
    without_x = (a - 2 * xx) / ((m - 1) * (m - 2)) + b / (n * (n - 1)) - 2 * (c - xy) / ((m - 1) * n)
    without_y = a / (m * (m - 1)) + (b - 2 * yy) / ((n - 1) * (n - 2)) - 2 * (c - yx) / (m * (n - 1))
    variance = sum((len(v) - 1) / len(v) * np.square(v - v.mean()).sum() for v in (without_x, without_y))
    half = _Z95 * float(np.sqrt(variance))
    return Estimate(float(value), float(value) - half, float(value) + half)


def _spaced(features: np.ndarray) -> np.ndarray:
    n = len(features)
    return features if n <= MAX_PICTURES else features[(np.arange(MAX_PICTURES) * n) // MAX_PICTURES]


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return float64 ``n,m``.

    The products are made in float32: their rounding errors, some 1e-7 of a value, are independent and vanish
    in sums over thousands of pairs.
    """
    block = (x @ y.T).astype(np.float64)
    block /= x.shape[1]
    block += 1
    block *= np.square(block)
    return block


def _within(x: np.ndarray) -> np.ndarray:
    """Return the sum of k(x_i, x_j) over all j but i, for each i; computes each pair once."""
    sums = np.zeros(len(x))
    for i in range(0, len(x), _ROWS):
        block = _kernel(x[i : i + _ROWS], x[i:])
        n = len(block)
        sums[i : i + n] += block.sum(1) - np.diagonal(block)
        sums[i + n :] += block[:, n:].sum(0)
    return sums


def _between(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of k(x_i, y_j) over j for each i, and over i for each j."""
    rows, columns = np.empty(len(x)), np.zeros(len(y))
    for i in range(0, len(x), _ROWS):
        block = _kernel(x[i : i + _ROWS], y)
        rows[i : i + _ROWS] = block.sum(1)
        columns += block.sum(0)
    return rows, columns


def compute(inputs: MetricInputs) -> Values:
    """Return the metric's value with its interval."""
    return kid(inputs.real, inputs.fake).named("kid")
