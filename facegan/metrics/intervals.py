"""Compute 95% confidence intervals of means and shares."""

from __future__ import annotations

import math

import numpy as np

from facegan.metrics.kid import Estimate

Z95 = 1.959964


def mean(values: np.ndarray) -> Estimate:
    """Return the mean of ``N`` numbers; its interval follows from their standard deviation (normal)."""
    n, middle = len(values), float(np.mean(values))
    half = Z95 * float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return Estimate(middle, middle - half, middle + half)


def share(answers: np.ndarray) -> Estimate:
    """Return the share of ``N`` answers that are true, with the interval of Wilson (1927).

    It stays within 0 and 1, also where all answers are the same.
    """
    n, p = len(answers), float(np.mean(answers))
    z2 = Z95**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Estimate(p, min(p, middle - half), max(p, middle + half))
