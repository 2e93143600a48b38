"""Averages of other lengths, made of the models that a run has kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import facegan
from facegan.cli.main import main
from facegan.errors import InputError, ModelError, RunError
from facegan.models import moments
from facegan.recipes.config import override
from facegan.recipes.table import RECIPES, recipe
from facegan.training import averages
from facegan.training.averages import (
    candidate,
    config_of,
    exponent,
    mixed,
    model_profile,
    power_profile,
)
from facegan.training.schedules import average_decay

SMALL = {
    "kimg": 0.256, "batch": 8, "grid_count": 4, "checkpoint_kimg": 0.032, "grid_kimg": 0.128, "cooldown": 0.0,
    "generator.width": 0.125, "discriminator.width": 0.125, "quality_count": 0, "metric": "kid",
    "metric_features": "pixels", "metric_count": 16, "metric_kimg": 0.256, "ema_halflife_kimg": 0.04,
    "ema_rampup": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(portraits: facegan.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight models of a short run, 32 images apart."""
    return facegan.train(portraits, "faces-tiny-32", tmp_path_factory.mktemp("runs") / "short", **SMALL)


# --- profiles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "gamma"), [(0.05, 16.97), (0.10, 6.94), (0.2886, 0.0)])
def test_exponents_are_those_of_the_paper(width: float, gamma: float) -> None:
    assert exponent(width) == pytest.approx(gamma, abs=0.01)


@pytest.mark.parametrize("width", [0.03, 0.1, 0.25])
def test_a_power_profile_has_the_width_in_its_name(width: float) -> None:
    weights = power_profile(width, 80_000, 8)
    at = np.concatenate([[0], np.arange(10_000) + 0.5]) / 10_000
    mean = (weights * at).sum()
    assert weights.sum() == pytest.approx(1)
    assert np.sqrt((weights * (at - mean) ** 2).sum()) == pytest.approx(width, rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "before"),
    [
        ({}, 0),
        ({}, 50_000),
        ({"ema_rampup": 0.0}, 0),
        ({"ema_start_kimg": 2.0}, 0),
        ({"burnin_ema": True, "burnin_kimg": 3.0}, 0),
        ({"ema_halflife_kimg": 0.0}, 0),
    ],
)
def test_a_models_profile_is_what_the_recurrence_does_to_raw_weights(
    changes: dict[str, float | bool], before: int
) -> None:
    config = override(recipe("faces-tiny-32"), {"batch": 100, "ema_halflife_kimg": 1.0, **changes})
    raw = np.random.default_rng(0).normal(size=51)
    seen = 0
    moving = raw[0]
    for k in range(1, 51):
        seen = k * 100
        decay = average_decay(config, 100, images_seen=seen, images_before=before)
        moving = decay * moving + (1 - decay) * raw[k]
    weights = model_profile(config, seen, before, step=100)
    assert weights.sum() == pytest.approx(1)
    assert weights @ raw == pytest.approx(moving)


def test_of_close_models_any_length_is_made_nearly() -> None:
    config = override(recipe("faces-tiny-32"), {"batch": 10, "ema_halflife_kimg": 0.4})
    seen = [400 * k for k in range(1, 26)]
    walk = np.cumsum(np.random.default_rng(1).normal(size=1001))
    kept = np.array([model_profile(config, s, 0, step=10) @ walk[: s // 10 + 1] for s in seen])
    for width in (0.08, 0.1, 0.15, 0.2):
        found = candidate(config, seen, width)
        assert sum(found.weights) == pytest.approx(1)
        assert found.error < 0.25
        wanted = power_profile(width, 10_000, 10) @ walk
        assert kept @ found.weights == pytest.approx(wanted, abs=0.02 * np.ptp(walk))
    assert candidate(config, seen, 0.005).error > 0.35  # shorter than the models' own


# --- runs --------------------------------------------------------------------------------------------


def test_the_best_length_becomes_a_model(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["average", str(run), "--widths", "0.1,0.2,0.01"]) == 0
    out = capsys.readouterr().out
    assert "width 0.1 " in out and "width 0.2 " in out and "widths 0.01 left out" in out
    assert f"facegan generate {run}@average" in out
    made = facegan.load(f"{run}@average")
    assert made.sample(2).shape == (2, 32, 32, 3)
    assert made.meta["provenance"]["average"] in out


def test_rows_are_ranked_and_include_the_kept_models(run: Path, tmp_path: Path) -> None:
    found = facegan.average(run, widths=(0.1, 0.2), out=tmp_path / "best.safetensors")
    assert found.metric == "kid"
    assert [row.value for row in found.rows] == sorted(row.value for row in found.rows)
    kept = {row.name: row for row in found.rows if not row.width}
    newest = json.loads((run / "best.json").read_text())  # measured at the end alone, by the same metric
    assert kept["@0.256kimg as kept"].value == pytest.approx(newest["value"], abs=1e-3)  # from half precision
    assert (tmp_path / "best.safetensors").is_file() and found.file == str(tmp_path / "best.safetensors")


def test_a_mixture_is_the_sum_of_the_files(run: Path) -> None:
    files = list(moments(run).values())
    weights = [0.5, 0.0, -0.25, *[0.0] * (len(files) - 4), 0.75]
    (made,) = mixed(files, [weights], config_of(run), device="cpu")
    states = [facegan.load(file).network.state_dict() for file in files]
    for name, value in made.network.named_parameters():
        wanted = sum(w * s[name].double() for w, s in zip(weights, states, strict=True))
        torch.testing.assert_close(value.double(), wanted, atol=1e-6, rtol=1e-5)


def test_one_model_alone_stays_to_the_bit(run: Path) -> None:
    files = list(moments(run).values())
    weights = [float(k == 2) for k in range(len(files))]
    (made,), kept = mixed(files, [weights], config_of(run), device="cpu"), facegan.load(files[2])
    np.testing.assert_array_equal(made.sample(3), kept.sample(3))


@pytest.mark.parametrize(("held", "times"), [(averages.SUM_BYTES, 1), (1, 2)])
def test_files_are_read_once_for_the_sums_that_fit(
    run: Path, monkeypatch: pytest.MonkeyPatch, held: int, times: int
) -> None:
    files, read = list(moments(run).values()), []
    monkeypatch.setattr(averages, "SUM_BYTES", held)
    monkeypatch.setattr(averages, "load", lambda file, *more: read.append(file) or facegan.load(file, *more))
    mean = [1 / len(files)] * len(files)
    made = list(mixed(files, [mean, mean], config_of(run), device="cpu"))
    assert len(made) == 2 and len(read) == 1 + times * len(files)
    np.testing.assert_array_equal(made[0].sample(1), made[1].sample(1))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipes_configuration_is_read_back(name: str, tmp_path: Path) -> None:
    config = replace(recipe(name), seed=3, kimg=1.5)
    (tmp_path / "config.json").write_text(json.dumps({**config.to_dict(), "dataset": {"path": "x"}}))
    assert config_of(tmp_path) == config


# --- what cannot be ----------------------------------------------------------------------------------


def test_mistakes_are_one_line(run: Path, tmp_path: Path, tiny_dataset: facegan.Dataset) -> None:
    for width in (0.0, 0.3, float("nan")):
        with pytest.raises(InputError, match="widths"):
            facegan.average(run, widths=(width,))
    with pytest.raises(InputError, match="device='abacus': not available here"):
        facegan.average(run, device="abacus")
    with pytest.raises(InputError, match="not the dataset of"):
        facegan.average(run, tiny_dataset)
    (tmp_path / "models").mkdir()
    with pytest.raises(RunError, match="it keeps 0 models"):
        facegan.average(tmp_path)
    for name in ("nobody", "celeba64"):
        with pytest.raises(RunError, match=f"^{name}: there is no such run folder"):
            facegan.average(name)
    with pytest.raises(ModelError, match=r"'facegan average .*' makes it"):
        facegan.load(f"{tmp_path}@average")
