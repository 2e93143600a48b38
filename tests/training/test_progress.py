"""The answer to "is it getting better, and when do I stop" on curves whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facegan.runs.trend import best_model, diversity_text, judge, quality_text


def curve(values: list[float] | np.ndarray) -> list[tuple[float, float]]:
    """A measurement every 10 kimg."""
    return [(10.0 * (i + 1), float(value)) for i, value in enumerate(values)]


def noisy(trend: np.ndarray, sigma: float, seed: int) -> list[tuple[float, float]]:
    return curve(trend * np.exp(sigma * np.random.default_rng(seed).normal(size=len(trend))))


def test_nothing_measured() -> None:
    assert judge([]) is None and quality_text([], None, [1.0], run="run") == ("", "")
    assert best_model([], [1.0]) is None and best_model(curve([3.0]), []) is None


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_too_early(n: int) -> None:
    found = judge(curve([9.0, 5, 4, 3, 2][:n]))
    assert found and found.state == "early" and found.points == n
    assert f"measured {n} of 8" in quality_text(curve([9.0, 5, 4, 3, 2][:n]), 1.0, [], run="run")[1]


@pytest.mark.parametrize(
    ("values", "best"), [([9.0], 0), ([9, 5], 1), ([3984, 650, 906], 1), ([3, 5, 4], 0), ([5, 4, 4], 2)]
)
def test_of_up_to_three_measurements_the_lowest_is_the_best(values: list[float], best: int) -> None:
    """One median of all three would call a value the best beside which the curve shows a lower one."""
    points = curve(values)
    found = judge(points)
    assert found and (found.best_kimg, found.best) == points[best]
    assert best_model(points, [k for k, _ in points]) == points[best][0]


FALLING = 100 * 0.93 ** np.arange(40)
SETTLED = np.maximum(100 * 0.8 ** np.arange(40), 10.0)  # level from the 12th measurement on
RISING = np.concatenate([FALLING[:20], FALLING[19] * 1.05 ** np.arange(1, 21)])


@pytest.mark.parametrize("sigma", [0.0, 0.03, 0.1])
@pytest.mark.parametrize(
    ("trend", "state"), [(FALLING, "improving"), (SETTLED, "stalled"), (RISING, "stalled")]
)
def test_trends_in_noise(trend: np.ndarray, state: str, sigma: float) -> None:
    found = [judge(noisy(trend, sigma, seed)) for seed in range(200)]
    assert sum(f.state == state for f in found if f) >= 186


@pytest.mark.parametrize("sigma", [0.0, 0.03, 0.1])
def test_where_it_was_best(sigma: float) -> None:
    for seed in range(20):
        settled, rising = judge(noisy(SETTLED, sigma, seed)), judge(noisy(RISING, sigma, seed))
        assert settled and settled.since >= 70 and settled.best == pytest.approx(10, rel=3 * sigma + 1e-9)
        assert rising and abs(rising.best_kimg - 200) <= 70 and rising.last > 1.5 * rising.best


def test_noise_is_estimated_without_the_trend() -> None:
    """margin = exp(2 sigma), whatever the slope; a smooth curve has the least margin of 1%."""
    found = [judge(noisy(1.01 ** -np.arange(2000.0), 0.05, seed)) for seed in range(4)]
    assert [math.log(f.margin) for f in found if f] == pytest.approx([0.1] * 4, rel=0.1)
    smooth = judge(curve(FALLING))
    assert smooth and smooth.margin == pytest.approx(1.01, rel=1e-3)


def test_a_single_good_value_is_no_record() -> None:
    values = [50.0, 30, 20, 15, 12, 10, 10.2, 9.9, 10.1, 10, 10.1, 9.9, 2.0, 10.1]
    found = judge(curve(values))
    assert found and found.state == "stalled" and found.best > 9 and found.since <= 70


def test_jumps_tell_nothing() -> None:
    found = judge(curve([276.0, 83, 972, 532, 269, 100, 100, 45, 462, 140]))
    assert found and found.state == "noisy"
    headline, text = quality_text(
        curve([276.0, 83, 972, 532, 269, 100, 100, 45, 462, 140]), 5.8, [80.0], run="r"
    )
    assert "jumps" in headline and "Best model: r@80kimg." in text


def test_best_model_is_the_one_near_the_best_measurement() -> None:
    values = curve([50.0, 30, 12, 9, 10, 20, 30])
    assert best_model(values, [10.0, 29.0, 41.0, 70.0]) == 41.0
    assert best_model(values, [10.0, 70.0]) == 70.0  # 30 and 20, by the medians of three


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], ""),
        ([1.0], "as it should be"),
        ([1.0, 1, 0.2, 0.2, 1.0], "mode collapse"),
        ([0.7], "monotonous"),
        ([1.3], "noise or broken"),
    ],
)
def test_diversity(values: list[float], words: str) -> None:
    text = diversity_text(curve(values))
    assert words in text and bool(text) == bool(values)
