"""Metrics from outside the package: registered by name, measured by evaluate, chosen by training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import facegan
from facegan.data.dataset import Dataset
from facegan.errors import ConfigError, InputError
from facegan.metrics import METRICS, RANKING_METRICS, Metric, MetricInputs, Value
from facegan.metrics.shapes import of_array


def toy(inputs: MetricInputs) -> dict[str, float]:
    """Distance between the mean brightness of real and generated pictures."""
    sides = (inputs.real_pictures(64), inputs.fake_pictures(64))
    means = [float(np.mean(side, dtype=np.float64)) for side in sides]
    return {"toy": abs(means[0] - means[1])}


ROW = Metric({"toy": Value("Toy", "lower", "Difference in brightness.")}, toy)


@pytest.fixture
def table() -> Iterator[None]:
    """The table of metrics, put back after the test."""
    rows, names = dict(METRICS), list(RANKING_METRICS)
    yield
    METRICS.clear()
    METRICS.update(rows)
    RANKING_METRICS[:] = names


@pytest.mark.usefixtures("table")
def test_evaluate_measures_it(portraits: Dataset) -> None:
    facegan.register_metric("toy", ROW)
    grey = np.full((20, 32, 32, 3), 100, np.uint8)
    done = facegan.evaluate(of_array(grey), portraits, "pixels", metrics="toy", floor=False)
    real = portraits.images("test")
    assert done.values["toy"] == pytest.approx(abs(np.mean(real, dtype=np.float64) - 100), rel=1e-9)


@pytest.mark.usefixtures("table", "fewer_draws")
def test_training_ranks_by_it(portraits: Dataset, tmp_path) -> None:
    settings = {
        "metric": "toy",
        "metric_count": 12,
        "metric_features": "pixels",
        "metric_kimg": 0.02,
        "generator.width": 0.125,
        "discriminator.width": 0.125,
        "grid_count": 4,
        "quality_count": 0,
    }
    with pytest.raises(ConfigError, match="toy"):
        facegan.train(portraits, "faces-tiny-32", tmp_path / "early", kimg=0.02, **settings)
    facegan.register_metric("toy", ROW)
    facegan.train(portraits, "faces-tiny-32", tmp_path / "run", kimg=0.04, batch=10, **settings)
    assert '"metric": "toy"' in (tmp_path / "run" / "best.json").read_text()


NOT_RANKING = {
    "equal": Metric({"toy": Value("Toy", "equal", "It.")}, toy),
    "of a model alone": Metric({"toy": Value("Toy", "lower", "It.")}, toy, of_real=False),
    "of training pictures": Metric({"toy": Value("Toy", "lower", "It.")}, toy, of_training=True),
}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("case", NOT_RANKING)
def test_what_does_not_rank_models_is_not_trainings(case: str) -> None:
    facegan.register_metric("toy", NOT_RANKING[case])
    assert "toy" in METRICS and "toy" not in RANKING_METRICS


MISTAKES = {
    "taken": ("fid", ROW, "there is a metric 'fid' already"),
    "comma": ("a,b", ROW, "lower-case letters, digits and hyphens, not 'a,b'"),
    "no text": (7, ROW, "lower-case letters, digits and hyphens, not 7"),
    "no row": ("toy", toy, "give a facegan.metrics.Metric"),
    "no values": ("toy", Metric({}, toy), "describes no value"),
    "no function": ("toy", Metric(ROW.values, 1), "must be functions"),  # type: ignore[arg-type]
    "better": ("toy", Metric({"toy": Value("Toy", "up", "")}, toy), "lower, higher or equal"),
    "value taken": ("toy", Metric({"fid": Value("FID", "lower", "")}, toy), "has a value 'fid' already"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_line(case: str) -> None:
    name, row, said = MISTAKES[case]
    before = list(METRICS)
    with pytest.raises(InputError, match=said):
        facegan.register_metric(name, row)  # type: ignore[arg-type]
    assert list(METRICS) == before
