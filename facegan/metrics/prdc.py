"""How much of the generated is real-looking, and how much of the real is covered, by nearest neighbours.

Precision and recall: Kynkaanniemi et al. 2019, equations 1 and 2. Density and coverage: Naeem et al. 2020,
equations 3 and 5, which one outlier among the real pictures does not upset.
"""

from __future__ import annotations

import numpy as np

from facegan.metrics.neighbours import radii, squared_distances

MOST = 10_000  # pictures of each side


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    """Of features ``N,D`` and ``M,D``; balls reach to the ``k``-th neighbour (k < N, M).

    All are best at 1 and worst at 0, density alone may pass 1. Recall and coverage depend on how many
    pictures there are: compare them only between equal numbers.
    """
    around_real, around_fake = radii(real, k), radii(fake, k)
    inside, covers, covered = (np.zeros(len(v), np.int64) for v in (fake, real, real))
    for i, block in squared_distances(real, fake):
        rows = slice(i, i + len(block))
        within = block < around_real[rows, None]
        inside += within.sum(0)
        covered[rows] = within.any(1)
        covers[rows] = (block < around_fake).any(1)
    return {
        "precision": float((inside > 0).mean()),
        "recall": float(covers.mean()),
        "density": float(inside.mean() / k),
        "coverage": float(covered.mean()),
    }


def precision_recall(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """With equally many of both, and the paper's k = 3."""
    found = prdc(*_equally_many(real, fake), k=3)
    return {key: found[key] for key in ("precision", "recall")}


def density_coverage(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """With equally many of both, and the paper's k = 5."""
    found = prdc(*_equally_many(real, fake), k=5)
    return {key: found[key] for key in ("density", "coverage")}


def _equally_many(real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = min(len(real), len(fake), MOST)
    return real[(np.arange(count) * len(real)) // count], fake[(np.arange(count) * len(fake)) // count]
