"""Measure how well a linear classifier tells the features of samples from those of photos.

A logistic regression on the features of all folds but one ranks the pictures of the one left out. The area
under its curve is the chance that a sample is ranked above a photo (Hanley and McNeil 1982): 0.5 if the
features of both are alike. Unlike FID, its numbers can be compared between feature tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from facegan import rng
from facegan.metrics.base import MetricInputs, Values
from facegan.metrics.intervals import Z95
from facegan.metrics.kid import Estimate
from facegan.metrics.neighbours import spaced

MAX_PICTURES = 5000  # of each side
FOLDS = 5
PENALTY = 100.0  # of the squared weights, for features of standard deviation 1
_STEPS = 1000  # of the solver, at most


def linear_auc(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> Estimate:
    """Return the mean area over five folds of features ``N,D`` and ``M,D`` (N, M >= 10).

    As many of both are taken as there are of the fewer, evenly spaced. Features are standardised over the
    pictures learnt from. ``seed`` draws the folds. The interval follows from each fold's variance by DeLong
    et al. (1988): given the classifiers, the pictures that they rank are independent.
    """
    count = min(len(real), len(fake), MAX_PICTURES)
    sides = [
        spaced(features, count)[rng.permutation(seed, f"linear-auc/{name}", 0, n=count)]
        for name, features in (("real", real), ("fake", fake))
    ]
    areas, variance = [], 0.0
    for fold in range(FOLDS):
        asked = np.arange(count) % FOLDS == fold
        score = _classifier(*(side[~asked] for side in sides))
        area, spread = auc(*(score(side[asked]) for side in sides))
        areas.append(area)
        variance += spread / FOLDS**2
    mean, half = float(np.mean(areas)), Z95 * math.sqrt(variance)
    return Estimate(mean, max(0.0, mean - half), min(1.0, mean + half))


def auc(negative: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Return the chance that one of ``M`` scores is above one of ``N``, and its variance (N, M >= 2).

    Ties count half (Mann and Whitney 1947). The variance is DeLong's et al. (1988), from the share of the
    others that each score lies above or below.
    """
    low, high = np.sort(negative), np.sort(positive)
    above, below = _shares_below(low, positive), 1 - _shares_below(high, negative)
    variance = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
    return float(above.mean()), float(variance)


def _shares_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return for each of ``M`` values the share of ``N`` ordered ones below it; equal ones count half."""
    ends = [np.searchsorted(ordered, values, side) for side in ("left", "right")]
    return np.add(*ends) / (2 * len(ordered))


def _classifier(real: np.ndarray, fake: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of features ``N,D``: scores ``N``, higher where they look generated."""
    from sklearn.linear_model import LogisticRegression

    x = np.concatenate([real, fake]).astype(np.float64)
    mean, scale = x.mean(0), x.std(0)
    scale[scale == 0] = 1
    model = LogisticRegression(C=1 / PENALTY, max_iter=_STEPS)
    model.fit((x - mean) / scale, np.repeat([0, 1], [len(real), len(fake)]))
    return lambda features: np.asarray(model.decision_function((features - mean) / scale))


def compute(inputs: MetricInputs) -> Values:
    """Return the area with its interval."""
    return linear_auc(inputs.real, inputs.fake).named("linear_auc")
