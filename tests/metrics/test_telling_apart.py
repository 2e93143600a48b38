"""Metrics that let a classifier tell samples from photos: a linear one on features, or a fresh network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facegan.metrics import c2st, linear_auc


def below(x: float) -> float:
    """The share of a normal distribution below x standard deviations."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


# --- the area under a curve -----------------------------------------------------------------------


def test_the_area_counts_pairs():
    """1 of the pairs (1, 0), (1, 1), (1, 2) is right and one is even; all three with 3 are right."""
    area, variance = linear_auc.auc(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0]))
    assert area == pytest.approx((1.5 / 3 + 1) / 2)
    above, under = [0.5, 1.0], [1.0, 0.75, 0.5]  # the shares of the others that each is right about
    assert variance == pytest.approx(np.var(above, ddof=1) / 2 + np.var(under, ddof=1) / 3)


def test_the_interval_of_an_area_covers_it():
    random, truth = np.random.default_rng(0), below(1 / math.sqrt(2))
    found = [linear_auc.auc(random.normal(0, 1, 60), random.normal(1, 1, 60)) for _ in range(400)]
    assert 0.92 < np.mean([abs(a - truth) < 1.96 * math.sqrt(v) for a, v in found]) < 0.975


@pytest.mark.parametrize("shift", [0.0, 1.0, 5.0])
def test_the_linear_area_of_two_gaussians(shift):
    """The best line goes along the shift d, where the area is Phi(d / sqrt 2) but for chance."""
    random = np.random.default_rng(1)
    real, fake = (random.standard_normal((1000, 8)).astype(np.float32) for _ in range(2))
    fake[:, 3] += shift
    fake[:, 5] = real[:, 5] = 7.0  # a feature that never changes
    found = linear_auc.linear_auc(real, fake)
    assert found.low - 0.01 < below(shift / math.sqrt(2)) < found.high + 0.01
    if shift:
        assert found.value == pytest.approx(linear_auc.auc(real[:, 3], fake[:, 3])[0], abs=0.01)
    assert found == linear_auc.linear_auc(real, fake), "the same folds each time"


def test_what_no_line_tells_apart_has_no_area():
    """The same mean in a ring: only a curve tells them apart."""
    random = np.random.default_rng(2)
    angle = random.uniform(0, 2 * np.pi, 600)
    ring = 3 * np.stack([np.cos(angle), np.sin(angle)], 1)
    found = linear_auc.linear_auc(random.standard_normal((600, 2)), ring)
    assert found.low < 0.5 < found.high


# --- the fresh network ----------------------------------------------------------------------------


def flat(n: int, mean: float, seed: int, side: int = 16) -> np.ndarray:
    """Pictures of one level each, normally distributed with a standard deviation of 10."""
    levels = np.random.default_rng(seed).normal(mean, 10, (n, 1, 1, 1)).round().clip(0, 255)
    return np.broadcast_to(levels, (n, side, side, 3)).astype(np.uint8)


def test_it_comes_near_the_best_accuracy():
    """Levels 20 apart, of a standard deviation of 10: the best threshold is right in Phi(1) = 84%."""
    found = c2st.c2st(flat(300, 118, 0), flat(300, 138, 1))["c2st"]
    assert below(1) - 0.06 < found.value < below(1) + 0.04
    assert found.low < below(1) < found.high
    assert c2st.c2st(flat(100, 60, 2), flat(100, 200, 3))["c2st"].value == 1.0


def test_it_finds_textures():
    """Both are noise with the same levels; one has each level in two pixels beside each other."""
    random = np.random.default_rng(4)
    fine = random.integers(0, 256, (150, 16, 16, 1), np.uint8)
    coarse = np.repeat(random.integers(0, 256, (150, 16, 8, 1), np.uint8), 2, 2)
    assert c2st.c2st(fine, coarse)["c2st"].low > 0.9


def test_what_the_finest_detail_gives_away_is_gone_at_half_the_size():
    """A checkerboard of 4 levels, whose mean over two by two pixels is 0."""
    board = (np.indices((32, 32)).sum(0) % 2 * 8 - 4)[:, :, None]
    checked = (flat(120, 128, 8, side=32).astype(int) + board).clip(0, 255).astype(np.uint8)
    found = c2st.c2st(flat(120, 128, 9, side=32), checked)
    assert list(found) == ["c2st", "c2st_32", "c2st_16"]
    assert found["c2st_32"].low > 0.9 and found["c2st_16"].low < 0.5 < found["c2st_16"].high
    assert found["c2st"].value == pytest.approx((found["c2st_32"].value + found["c2st_16"].value) / 2)


def test_it_finds_nothing_where_there_is_nothing(monkeypatch):
    """The interval covers 0.5 about as often as it says."""
    monkeypatch.setattr(c2st, "_epochs", lambda images: 1)
    noise = np.random.default_rng(5).integers(0, 256, (40, 80, 16, 16, 1), np.uint8)
    found = [c2st.c2st(part[:40], part[40:], seed)["c2st"] for seed, part in enumerate(noise)]
    assert sum(f.low <= 0.5 <= f.high for f in found) >= 35
    assert abs(np.mean([f.value for f in found]) - 0.5) < 0.04


def test_it_is_the_same_to_the_bit_and_disturbs_no_other_draws(monkeypatch):
    monkeypatch.setattr(c2st, "_epochs", lambda images: 2)
    images = np.random.default_rng(6).integers(0, 256, (120, 24, 20, 3), np.uint8)
    labels = c2st._labels([images[:60], images[60:]])
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    logits = [c2st._logits(c2st._trained(images, labels, 7), images) for _ in range(2)]
    assert torch.equal(torch.rand(3), expected)
    np.testing.assert_array_equal(*logits)
    assert np.abs(logits[0] - c2st._logits(c2st._trained(images, labels, 8), images)).max() > 0
    threads = torch.get_num_threads()
    assert c2st.c2st(images[:60], images[60:]) == c2st.c2st(images[:60], images[60:])
    assert torch.get_num_threads() == threads


def test_large_sets_and_pictures_are_bounded(monkeypatch):
    seen = []
    monkeypatch.setattr(c2st, "_epochs", lambda images: 0)
    monkeypatch.setattr(c2st, "MAX_PICTURES", 30)
    monkeypatch.setattr(
        c2st, "_logits", lambda network, images: seen.append(images.shape) or np.ones(len(images))
    )
    images = np.zeros((50, 96, 128, 3), np.uint8)
    found = c2st.c2st(images, images[:40])
    assert {e.value for e in found.values()} == {0.5}
    assert seen == [(30, side, side, 3) for side in (64, 32, 16)]
