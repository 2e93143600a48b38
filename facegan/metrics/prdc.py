"""Compute precision, recall, density and coverage from nearest neighbours.

Precision and recall: Kynkaanniemi et al. 2019, equations 1 and 2. Density and coverage: Naeem et al. 2020,
equations 3 and 5, which one outlier among the real pictures does not upset.
"""

from __future__ import annotations

import numpy as np

from facegan.metrics.base import MetricInputs, Values
from facegan.metrics.neighbours import radii, squared_distances

MAX_PICTURES = 10_000  # pictures of each side
WITH = {"precision": 3, "recall": 3, "density": 5, "coverage": 5}  # neighbours, as the papers have it


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    """Return all four for features ``N,D`` and ``M,D``; balls reach to the ``k``-th neighbour (k < N, M).

    All are best at 1 and worst at 0, density alone may pass 1. Recall and coverage depend on how many
    pictures there are: compare them only between equal numbers.
    """
    return _prdc(real, fake, (k,))[k]


def _prdc(real: np.ndarray, fake: np.ndarray, ks: tuple[int, ...]) -> dict[int, dict[str, float]]:
    """Return the values for several k, computing distances once."""
    around_real, around_fake = radii(real, ks), radii(fake, ks)
    inside, covers, covered = (np.zeros((len(ks), len(v)), np.int64) for v in (fake, real, real))
    for i, block in squared_distances(real, fake):
        rows = slice(i, i + len(block))
        for j in range(len(ks)):
            within = block < around_real[j][rows, None]
            inside[j] += within.sum(0)
            covered[j, rows] = within.any(1)
            covers[j, rows] = (block < around_fake[j]).any(1)
    return {
        k: {
            "precision": float((inside[j] > 0).mean()),
            "recall": float(covers[j].mean()),
            "density": float(inside[j].mean() / k),
            "coverage": float(covered[j].mean()),
        }
        for j, k in enumerate(ks)
    }


def both(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Return precision and recall with k = 3, density and coverage with k = 5, from equal counts."""
    count = min(len(real), len(fake), MAX_PICTURES)
    x, y = (side[(np.arange(count) * len(side)) // count] for side in (real, fake))
    found = _prdc(x, y, (3, 5))
    return {name: found[k][name] for name, k in WITH.items()}


def precision_recall(inputs: MetricInputs) -> Values:
    """Return precision and recall."""
    return {name: _shared(inputs)[name] for name in ("precision", "recall")}


def density_coverage(inputs: MetricInputs) -> Values:
    """Return density and coverage."""
    return {name: _shared(inputs)[name] for name in ("density", "coverage")}


def _shared(inputs: MetricInputs) -> Values:
    """Compute both metrics in one pass over all distances."""
    if "prdc" not in inputs.extra:
        inputs.extra["prdc"] = both(inputs.real, inputs.fake)
    return dict(inputs.extra["prdc"])
