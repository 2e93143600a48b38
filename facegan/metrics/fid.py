"""Compute FID (Heusel et al. 2017), Frechet's distance of Gaussians (Dowson and Landau 1982)."""

from __future__ import annotations

import numpy as np

from facegan.metrics.base import MetricInputs, Values

_ROWS = 4096  # features that are float64 at a time


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 mean ``D`` and unbiased covariance ``D,D`` of features ``N,D`` (N >= 2)."""
    n, dim = features.shape
    mean = np.zeros(dim)
    for i in range(0, n, _ROWS):
        mean += features[i : i + _ROWS].astype(np.float64).sum(0)
    mean /= n
    covariance = np.zeros((dim, dim))
    for i in range(0, n, _ROWS):
        centred = features[i : i + _ROWS] - mean
        covariance += centred.T @ centred
    return mean, covariance / (n - 1)


def frechet_distance(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Return |mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)) of two Gaussians.

    Both are (mean, covariance), float64.

    The root's trace is that of the symmetric (cov_a^(1/2) cov_b cov_a^(1/2))^(1/2), whose eigenvalues are
    real, so nothing complex has to be thrown away.
    """
    (mean_a, cov_a), (mean_b, cov_b) = a, b
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    middle = root @ cov_b @ root
    shared = np.sqrt(np.linalg.eigvalsh((middle + middle.T) / 2).clip(0)).sum()
    distance = np.square(mean_a - mean_b).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * shared
    return max(float(distance), 0.0)


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """Return Frechet's distance of features ``N,D`` and ``M,D``; 0 is the best.

    It is biased upwards for few pictures (Binkowski et al. 2018).
    """
    return frechet_distance(moments(real), moments(fake))


def compute(inputs: MetricInputs) -> Values:
    """Return the metric's row of values."""
    return {"fid": fid(inputs.real, inputs.fake)}
