"""Measures of pairs on pictures for which their values can be derived, and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facegan.attributes.predictor import AttributePredictor
from facegan.errors import InputError
from facegan.metrics import intervals, pairs
from facegan.metrics.feature_extractors import table
from facegan.metrics.pair_table import PAIR_METRICS

OWN = [name for name, row in PAIR_METRICS.items() if not row.asked_only]


def pictures(n: int = 3, side: int = 24, channels: int = 3, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def flat(*levels: int, side: int = 16) -> np.ndarray:
    return np.stack([np.full((side, side, 3), level, np.uint8) for level in levels])


BEST = {"perceptual": 0.0, "psnr": 100.0, "ssim": 1.0}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("channels", [1, 3])
def test_equal_pictures_get_the_best_value(name: str, channels: int) -> None:
    a = pictures(70, channels=channels)  # more than a batch
    found = PAIR_METRICS[name].compute(a, a)
    assert found.shape == (70,) and found.dtype == np.float64
    np.testing.assert_allclose(found, BEST[name], atol=1e-9)
    worse = PAIR_METRICS[name].compute(a[:3], pictures(3, channels=channels, seed=1))
    assert ((worse > 0.1) if PAIR_METRICS[name].value.better == "lower" else (worse < BEST[name] - 0.5)).all()


@pytest.mark.parametrize("name", OWN)
def test_a_pair_is_measured_alike_alone_and_among_others(name: str) -> None:
    a, b = pictures(67), pictures(67, seed=1)
    together = PAIR_METRICS[name].compute(a, b)
    np.testing.assert_allclose(together[66], PAIR_METRICS[name].compute(a[66:], b[66:])[0], rtol=1e-5)
    assert len(set(together)) == 67
    assert PAIR_METRICS[name].compute(a[:0], b[:0]).shape == (0,)


def test_psnr_of_a_shift() -> None:
    """Every pixel off by d: 20 log10(255 / d)."""
    found = pairs.psnr(flat(100, 100, 0), flat(101, 95, 255))
    np.testing.assert_allclose(found, [20 * math.log10(255), 20 * math.log10(51), 0], atol=1e-9)


def test_ssim_of_flat_pictures_is_that_of_their_means() -> None:
    """Without variance, SSIM is (2 ab + C1) / (a^2 + b^2 + C1)."""
    c1 = (0.01 * 255) ** 2
    for a, b in ((100, 100), (100, 120), (0, 255)):
        expected = (2 * a * b + c1) / (a * a + b * b + c1)
        assert pairs.ssim(flat(a), flat(b))[0] == pytest.approx(expected, rel=1e-9)


def slow_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Follow the paper, window by window: weighted means, variances and covariance."""
    line = np.exp(-np.square(np.arange(11) - 5) / (2 * 1.5**2))
    w = np.outer(line, line) / np.outer(line, line).sum()
    c1, c2, found = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for c in range(a.shape[2]):
        for i in range(a.shape[0] - 10):
            for j in range(a.shape[1] - 10):
                x, y = (p[i : i + 11, j : j + 11, c].astype(float) for p in (a, b))
                mx, my = (w * x).sum(), (w * y).sum()
                vx, vy = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum()
                both = (w * (x - mx) * (y - my)).sum()
                found.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(found))


def test_ssim_follows_the_paper() -> None:
    a = pictures(2, 20)
    b = (a * 0.5 + pictures(2, 20, seed=1) * 0.5).astype(np.uint8)
    found = pairs.ssim(a, b)
    np.testing.assert_allclose(found, [slow_ssim(x, y) for x, y in zip(a, b, strict=True)], rtol=1e-9)
    # Pictures of opposite contrast around one mean: negative.
    assert pairs.ssim(flat(128, side=20) + a[:1] // 4, flat(192, side=20) - a[:1] // 4)[0] < -0.5


def test_perceptual_is_the_mean_square_of_standardised_features() -> None:
    a, b = pictures(), pictures(seed=1)
    predictor = AttributePredictor.load("evaluator")
    expected = np.square(predictor.features(a).astype(float) - predictor.features(b)).mean(1)
    np.testing.assert_allclose(pairs.perceptual(a, b, "evaluator"), expected, rtol=1e-5)
    pixels = table("pixels")
    np.testing.assert_allclose(
        pairs.perceptual(a, b, pixels), np.square(pixels(a).astype(float) - pixels(b)).mean(1), rtol=1e-6
    )


def test_faces_unlike_each_other_are_about_two_apart() -> None:
    """The features have variance 1, and two independent faces differ by twice that on average."""
    import facegan

    faces = facegan.load("celeba64").sample(128)
    assert 1.2 < pairs.perceptual(faces[:64], faces[64:]).mean() < 2.8


def test_lpips_says_what_is_missing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs._lpips.cache_clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"the metric lpips: its weights are not here; put vgg16"):
        pairs.lpips(pictures(), pictures())


def test_lpips_with_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's network gets both pictures in [-1, 1] with three channels, in batches."""
    seen = []

    def network(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(x.shape))
        return (x - y).abs().mean((1, 2, 3), keepdim=True)

    monkeypatch.setattr(pairs, "_lpips", lambda device: network)
    a, b = np.zeros((70, 16, 16, 1), np.uint8), np.full((70, 16, 16, 1), 255, np.uint8)
    np.testing.assert_allclose(pairs.lpips(a, b), 2.0)
    assert seen == [(64, 3, 16, 16), (6, 3, 16, 16)]


MISTAKES = {
    "shapes": ((pictures(2), pictures(3)), "pairs are of one shape, not (2, 24, 24, 3) and (3, 24, 24, 3)"),
    "floats": (
        (pictures().astype(float), pictures()),
        "pairs are uint8 arrays N,H,W,C with 1 or 3 channels, not float64",
    ),
    "one picture": ((pictures()[0], pictures()[0]), "not uint8 of shape (24, 24, 3)"),
}


@pytest.mark.parametrize("name", PAIR_METRICS)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_no_pair(name: str, mistake: str) -> None:
    given, message = MISTAKES[mistake]
    with pytest.raises(InputError) as caught:
        PAIR_METRICS[name].compute(*given)
    assert message in str(caught.value)


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(InputError, match="at least 11 px, not 10x10"):
        pairs.ssim(flat(1, side=10), flat(1, side=10))


# --- what changed, and what did not --------------------------------------------------------------------


def test_reached_counts_those_that_lacked_it() -> None:
    before = np.array([[0.1, 0.9], [0.9, 0.9], [0.2, 0.2], [0.3, 0.8]])
    after = np.array([[0.9, 0.9], [0.1, 0.9], [0.9, 0.1], [0.4, 0.9]])
    assert pairs.reached(before, after, {0: True}).tolist() == [True, True, False]
    assert pairs.reached(before, after, {0: True, 1: True}).tolist() == [True, False, False]
    assert pairs.reached(before, after, {1: False}).tolist() == [False, False, False]
    assert pairs.kept(before, after, [1]).ravel().tolist() == [True, True, True, True]
    assert pairs.kept(before, after, [0, 1])[:, 0].tolist() == [False, False, False, True]


def test_recognised_is_the_nearest_photo() -> None:
    photos = np.eye(600, 600, dtype=np.float32) * 3
    results = photos + 0.1
    assert pairs.recognised(photos, results).all()
    results[[0, 599]] = results[[599, 0]]  # two are taken for each other
    assert np.flatnonzero(~pairs.recognised(photos, results)).tolist() == [0, 599]
    assert pairs.recognised(photos[:0], photos[:0]).shape == (0,)


def test_interval_of_a_mean() -> None:
    found = intervals.mean(np.array([1.0, 2.0, 3.0, 4.0]))
    half = 1.959964 * math.sqrt(5 / 3) / 2
    assert (found.value, found.low) == (2.5, pytest.approx(2.5 - half))
    assert found.high == pytest.approx(2.5 + half)


def test_interval_of_a_share() -> None:
    """Wilson's interval holds the p whose distance to the share is 1.96 of its own standard errors."""
    found = intervals.share(np.arange(50) < 40)
    assert found.value == 0.8
    for end in (found.low, found.high):
        assert abs(0.8 - end) / math.sqrt(end * (1 - end) / 50) == pytest.approx(1.959964)
    assert intervals.share(np.ones(50, bool)).high == 1 and intervals.share(np.ones(50, bool)).low < 0.95
    assert intervals.share(np.zeros(50, bool)).low == 0


@pytest.mark.parametrize("seed", range(3))
def test_intervals_cover_as_often_as_they_say(seed: int) -> None:
    draw = np.random.default_rng(seed)
    within = [0, 0]
    for _ in range(400):
        m, s = intervals.mean(draw.exponential(1.0, 200)), intervals.share(draw.random(100) < 0.9)
        within[0] += m.low <= 1 <= m.high
        within[1] += s.low <= 0.9 <= s.high
    assert all(0.9 < count / 400 < 0.99 for count in within)
