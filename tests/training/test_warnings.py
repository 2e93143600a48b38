"""What the watchdog warns of without stopping a run: on sequences of reports, and each kind in a real run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.generator import Generator
from facegan.models import load
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.runs.checkpoints import list_checkpoints, read_header
from facegan.training.train import train
from facegan.training.watchdog import ADVICE, Watchdog

CONFIG = override(recipe("faces-tiny-32"), {"augment": "ada", "augment_kimg": 100.0})  # its share: 10 kimg
BATCH, EVERY = 10, 100  # images in an update, updates from report to report: ten reports are 10 kimg


def at_cap(count: int, r: float = 0.8, p: float = 0.8) -> list[dict[str, float]]:
    return [{"augment_p": p, "augment_r": r}] * count


def grids(values: list[float], key: str = "diversity") -> list[dict[str, float]]:
    """A report with a grid after four without."""
    return [report for v in values for report in [{"loss_g": 1.0}] * 4 + [{"loss_g": 1.0, key: v}]]


def told(
    sequence: list[dict[str, float]], cuts: tuple[int, ...] = (), every: int = EVERY
) -> list[tuple[int, str]]:
    memory: dict = {}
    found = []
    for i, means in enumerate(sequence):
        if i in cuts:
            memory = json.loads(json.dumps(memory))
        dog = Watchdog(memory, 10_000)
        for trouble in dog.warnings(means, (i + 1) * every, (i + 1) * every * BATCH, config=CONFIG):
            assert "\n" not in trouble.text and trouble.kind in ADVICE
            found.append((i, trouble.kind))
        assert dog.at_ease, "a warning makes no checkpoint unfit to go back to"
    return found


GRID = 5  # reports from grid to grid
SOUND = [0.82, 0.77, 0.94, 0.945, 0.961, 0.96, 0.963, 0.975, 0.971, 0.978]  # of a long run on real photos
ALARMS = {
    "at the cap, and still above the target": (at_cap(5, p=0.5) + at_cap(20), 5 + 10, "augmentation"),
    "less and less variety": (
        grids(SOUND + [0.9 * 0.93**i for i in range(12)]),
        GRID * (10 + 5 + 4) - 1,
        "variety",
    ),
    "variety that falls and stays down": (grids(SOUND + [0.5] * 8), GRID * (10 + 5) - 1, "variety"),
    "learning by heart": (grids([0.04, 0.06, 0.1, 0.15, 0.22, 0.3, 0.41], "copied"), GRID * 7 - 1, "copying"),
    "begun by heart": (grids([0.9] * 5, "copied"), GRID * 3 - 1, "copying"),
}


@pytest.mark.parametrize("name", ALARMS)
def test_told_once(name: str) -> None:
    sequence, index, kind = ALARMS[name]
    assert told(sequence) == [(index, kind)]
    assert told(sequence, tuple(range(len(sequence)))) == [(index, kind)], "resumed at each report"
    assert told(sequence * 3)[0] == (index, kind) and len(told(sequence * 3)) == 1


SOUND_RUNS = {
    "variety of a sound run": grids(SOUND * 5),
    "variety that comes slowly": grids([0.05, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] + [0.9] * 10),
    "a wild start": grids([1.4, 1.3, 0.9, 0.65, 0.6, 0.68, 0.75, 0.8, 0.85, 0.9, 0.9]),
    "more than the data's, then as much": grids([1.3] * 8 + [0.9] * 20),
    "a run that never had more": grids([0.4] * 30),
    "a bad patch of four grids": grids(SOUND + ([0.5] * 4 + [0.9] * 3) * 4),
    "a fall that turns": grids([*SOUND, 0.5, 0.55, 0.6, 0.64, 0.7, 0.75]),
    "not measured": grids([0.9] * 6 + [float("nan")] * 10),
    "nothing copied": grids([0.0, 0.03, 0.08, 0.05, 0.12, 0.06] * 5, "copied"),
    "two grids that look copied": grids(([0.3] * 2 + [0.05]) * 8, "copied"),
    "no augmentation": [{"loss_g": 1.0}] * 200,
    "at the target": [m for r in (0.58, 0.63) for m in at_cap(1, r)] * 100,
    "below the cap": at_cap(200, r=0.9, p=0.79),
    "nine reports": (at_cap(9) + at_cap(1, r=0.5)) * 20,
}


@pytest.mark.parametrize("name", SOUND_RUNS)
def test_sound_runs_are_left_alone(name: str) -> None:
    assert told(SOUND_RUNS[name]) == []


def test_reports_close_together_wait() -> None:
    """With a report after every update, 1,000 images at the cap are no time: 10 kimg must pass."""
    assert told(at_cap(5000), every=1) == [(1000, "augmentation")]
    assert told(grids([0.9] * 6 + [0.3] * 200), every=1)[0][0] == 30 + 4 + 500


# --- real runs ------------------------------------------------------------------------------------------

BASE = {
    "batch": 4,
    "grid_count": 8,
    "quality_count": 0,
    "r1_gamma": 0.0,
    "cooldown": 0.0,
    "latent.dim": 8,
    "ema_halflife_kimg": 0.0,
    "grid_kimg": 4.0,
    "checkpoint_kimg": 4.0,
    "generator.layers": "dense 32 lrelu; dense image tanh",
    "discriminator.layers": "dense 32 lrelu; dense 1",
}


def events(run: Path) -> list[str]:
    file = run / "events.jsonl"
    return [json.loads(line)["text"] for line in file.read_text().splitlines()] if file.exists() else []


def test_augmentation_at_its_cap(tiny_dataset, tmp_path):
    """A generator that stands still is found out, augmented or not; noisy labels keep the loss up."""
    settings = {
        **BASE,
        "batch": 2,
        "augment": "flip",
        "augment_kimg": 0.5,
        "augment_max": 0.1,
        "loss": "bce",
        "label_noise": 0.4,
        "generator.lr": 1e-9,
        "discriminator.lr": 1e-3,
        "kimg": 1.4,
    }
    run = train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **settings)
    warned = [e for e in events(run) if e.startswith("watchdog:")]
    assert len(warned) == 1 and "run away: it stands at its cap of 0.1" in warned[0]
    assert "; try more pictures" in warned[0]
    assert read_header(list_checkpoints(run / "checkpoints")[-1])["healthy"]
    assert "run away: it stands" in (run / "report.html").read_text()


def test_variety_that_falls(tiny_dataset, tmp_path):
    """Nothing pushes the generator away from the picture that a frozen discriminator likes best."""
    settings = {
        **BASE,
        "batch": 2,
        "discriminator.lr": 1e-9,
        "generator.lr": 5e-3,
        "generator.init": "he",
        "grid_kimg": 0.08,
        "watchdog": False,
        "kimg": 1.8,
    }
    run = train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **settings)
    warned = [e for e in events(run) if "lose their variety" in e]
    assert len(warned) == 1 and warned[0].startswith("watchdog: ")


@pytest.fixture(scope="module")
def sixty(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("sixty")
    write_portraits(folder / "photos", 60, 0, size=32)
    return prepare([folder / "photos"], folder / "dataset", crop="none", size=32)


@pytest.fixture(scope="module")
def by_heart(sixty, tmp_path_factory) -> Path:
    """A generator that draws training picture 3, whatever its latent."""
    run = train(sixty, "faces-tiny-32", tmp_path_factory.mktemp("m") / "r", **{**BASE, "kimg": 0.004})
    model: Generator = load(run)
    picture = torch.from_numpy(np.asarray(sixty.images("train")[3]).transpose(2, 0, 1).copy()) / 127.5 - 1
    last = [m for m in model.network.modules() if isinstance(m, torch.nn.Linear)][-1]
    last.weight.mul_(1e-2)
    last.bias.copy_(torch.atanh(picture.flatten().clamp(-0.99, 0.99)))
    path = tmp_path_factory.mktemp("model") / "by_heart.safetensors"
    model.save(path)
    return path


def test_learning_by_heart_and_its_memory_over_a_stop(sixty, by_heart, tmp_path):
    """Told once, at the third grid after 100 updates, also where the run is stopped before or after that."""
    settings = {
        **BASE,
        "generator.lr": 1e-9,
        "discriminator.lr": 1e-9,
        "quality_count": 16,
        "grid_kimg": 0.2,
        "checkpoint_kimg": 0.2,
        "init": str(by_heart),
    }
    whole = train(sixty, "faces-tiny-32", tmp_path / "whole", **settings, kimg=1.2)
    stats = [json.loads(line) for line in (whole / "stats.jsonl").read_text().splitlines()]
    copied = [line["copied"] for line in stats if "copied" in line]
    assert copied == [1.0] * 7
    lines = [json.loads(line) for line in (whole / "events.jsonl").read_text().splitlines()]
    warned = [line for line in lines if line["text"].startswith("watchdog:")]
    assert [line["images_seen"] for line in warned] == [600]
    assert "by heart: 100% of its samples" in warned[0]["text"]
    for first in (0.4, 0.8):
        run = tmp_path / str(first)
        train(sixty, "faces-tiny-32", run, **settings, kimg=first)
        train(sixty, "faces-tiny-32", run, **settings, kimg=1.2, resume=True)
        ends = [read_header(list_checkpoints(r / "checkpoints")[-1])["watch"] for r in (whole, run)]
        assert ends[0] == ends[1] and ends[0]["warned"] == ["copying"]
        assert sum("by heart" in e for e in events(run)) == 1
