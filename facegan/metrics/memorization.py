"""Measure whether the generator repeats its training pictures.

A sample that lies nearer to a training picture than real pictures ever do that were not trained on has
been learnt by heart rather than invented (after the data-copying test of Meehan et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facegan.metrics.base import MetricInputs, Values
from facegan.metrics.neighbours import nearest

EXPECTED = 0.05  # the share of held-out pictures that lies within the threshold


@dataclass(frozen=True)
class Memorization:
    """Compare the distances from samples to training pictures and to held-out ones.

    ``share`` of the samples is nearer to a training picture than 95% of the held-out ones are: 0.05 if
    samples behave as held-out pictures, 1 if all are copies. ``nearer`` is the chance that a sample is
    nearer than a held-out picture (0.5 if alike).

    ``pairs`` are (sample, training picture, distance), the nearest first, each training picture once.
    """

    share: float
    nearer: float
    pairs: tuple[tuple[int, int, float], ...]


def memorization(
    train: np.ndarray, held_out: np.ndarray, fake: np.ndarray, *, pairs: int = 10
) -> Memorization:
    """Return the memorisation of features ``N,D``, ``H,D`` and ``M,D``."""
    rows, distances = nearest(fake, train)
    real = np.sort(nearest(held_out, train)[1])
    threshold = float(np.quantile(real, EXPECTED))
    below, upto = np.searchsorted(real, distances, "left"), np.searchsorted(real, distances, "right")
    found: dict[int, tuple[int, int, float]] = {}
    for i in np.argsort(distances, kind="stable"):
        found.setdefault(int(rows[i]), (int(i), int(rows[i]), float(np.sqrt(distances[i]))))
        if len(found) == pairs:
            break
    return Memorization(
        float((distances < threshold).mean()),
        float(1 - (below + upto).mean() / (2 * len(real))),
        tuple(found.values()),
    )


def compute(inputs: MetricInputs) -> Values:
    """Return both shares; the nearest pairs are left in ``extra``."""
    assert inputs.train is not None and inputs.held_out is not None
    found = memorization(inputs.train, inputs.held_out, inputs.fake)
    inputs.extra["pairs"] = found.pairs
    return {"memorized": found.share, "nearer": found.nearer}


def fits(inputs: MetricInputs) -> str:
    """Return why it cannot be measured, or ""."""
    known = inputs.train is not None and inputs.held_out is not None
    return "" if known else "there is no split held out"
