"""Random numbers depend on (seed, purpose, index) alone."""

import numpy as np
import pytest

from facegan import rng


@pytest.mark.parametrize("per_item", [1, 3, 4, 7, 64])
def test_items_do_not_depend_on_how_they_are_asked_for(per_item):
    whole = rng.normal(5, "latent", 0, count=40, per_item=per_item)
    parts = [rng.normal(5, "latent", start, count=8, per_item=per_item) for start in range(0, 40, 8)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_purposes_and_seeds_differ():
    draws = [rng.uniform(seed, purpose, 0, count=50) for seed in (0, 1) for purpose in ("flip", "rows")]
    for i, a in enumerate(draws):
        for b in draws[:i]:
            assert np.abs(a - b).mean() > 0.2


def test_moments_match_the_distributions():
    n = rng.normal(1, "latent", 0, count=20000, per_item=5)
    u = rng.uniform(1, "flip", 0, count=100000)
    # Standard errors: 1/sqrt(100000) = 0.0032 for the mean, 0.0045 for the variance of N(0, 1).
    assert abs(n.mean()) < 0.013 and abs(n.var() - 1) < 0.018
    assert np.abs(np.corrcoef(n.T) - np.eye(5)).max() < 0.03
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.004


def test_permutations_are_permutations_and_differ():
    a, b = (rng.permutation(3, "order", epoch, n=100) for epoch in (0, 1))
    assert sorted(a) == sorted(b) == list(range(100))
    assert (a != b).any()
