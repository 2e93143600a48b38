"""Whole runs: the folder they leave, resuming to the bit, refusing what does not fit."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import warm
from safetensors.numpy import load_file

import facegan
from facegan.errors import ConfigError, FaceganError, RunError
from facegan.planning.dry_run import dry_run
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.runs.callbacks import Listener
from facegan.runs.checkpoints import kimg_name, list_checkpoints
from facegan.runs.folder import RunFolder
from facegan.training import snapshot, trainer
from facegan.training.train import train

SMALL = {
    "kimg": 0.064,
    "batch": 8,
    "grid_count": 4,
    "checkpoint_kimg": 0.016,
    "grid_kimg": 0.032,
    "generator.width": 0.125,
    "discriminator.width": 0.125,
    "cooldown": 0.0,
}


def final_state(run: Path) -> dict[str, np.ndarray]:
    return load_file(list_checkpoints(run / "checkpoints")[-1] / "state.safetensors")


def assert_same_end(a: Path, b: Path) -> None:
    x, y = final_state(a), final_state(b)
    assert x.keys() == y.keys()
    for key in x:
        assert np.array_equal(x[key], y[key], equal_nan=True), key


class StopAt(Listener):
    """Presses Ctrl-C in the middle of a run."""

    def __init__(self, images_seen: int) -> None:
        self.images_seen = images_seen

    def on_stats(self, stats):
        if stats.images_seen == self.images_seen:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def finished(tiny_dataset, tmp_path_factory):
    return train(tiny_dataset, "faces-tiny-32", tmp_path_factory.mktemp("runs") / "whole", **SMALL)


def test_run_folder_is_complete(finished):
    stats = [json.loads(line) for line in (finished / "stats.jsonl").read_text().splitlines()]
    assert [s["images_seen"] for s in stats] == list(range(0, 65, 8))
    assert {"loss_g", "loss_d", "accuracy_real", "images_per_second"} <= stats[-1].keys()
    grids = ["000000.032kimg.png", "000000.064kimg.png", "000000kimg.png"]
    assert sorted(p.name for p in (finished / "samples").iterdir()) == grids
    assert [s["images_seen"] for s in stats if "quality" in s and "diversity" in s] == [0, 32, 64]
    assert len(list((finished / "models").iterdir())) == 4
    assert len(list_checkpoints(finished / "checkpoints")) == 2
    config = json.loads((finished / "config.json").read_text())
    assert config["recipe"] == "faces-tiny-32" and config["batch"] == 8
    assert "<html" in (finished / "report.html").read_text()


def test_the_model_is_that_of_the_last_image(finished):
    model = facegan.load(finished)
    assert model.meta["provenance"]["images_seen"] == 64
    assert model.sample(3).shape == (3, 32, 32, 3)
    assert facegan.load(f"{finished}@0.032kimg").meta["provenance"]["images_seen"] == 32


def test_a_finished_run_is_left_alone(finished, tiny_dataset):
    before = {p: p.stat().st_mtime_ns for p in (finished / "models").iterdir()}
    train(tiny_dataset, "faces-tiny-32", finished, **SMALL)
    assert before == {p: p.stat().st_mtime_ns for p in (finished / "models").iterdir()}


@pytest.mark.parametrize("stop", [0, 8, 24, 40])  # 0: while the first grid is told, before any update
def test_interrupted_runs_end_the_same(finished, tiny_dataset, tmp_path, stop):
    from facegan.interrupts import Interrupted

    with pytest.raises(Interrupted):
        train(tiny_dataset, "faces-tiny-32", tmp_path / "r", listeners=[StopAt(stop)], **SMALL)
    assert list_checkpoints(tmp_path / "r" / "checkpoints")[-1].name == kimg_name(max(stop, 8))
    train(tiny_dataset, "faces-tiny-32", tmp_path / "r", resume=True, **SMALL)
    assert_same_end(finished, tmp_path / "r")


def test_a_longer_run_continues_a_shorter_one(finished, tiny_dataset, tmp_path):
    train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "kimg": 0.032})
    train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **SMALL)
    assert_same_end(finished, tmp_path / "r")


def test_killed_process_resumes_to_the_bit(tiny_dataset, tmp_path):
    """kill -9 of the real command, twice; then its end equals that of a run left in peace."""
    changes = {**SMALL, "kimg": 0.4, "checkpoint_kimg": 0.04, "grid_kimg": 0.2}
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in changes.items()]
    base = ["-m", "facegan.cli.main", "train", str(tiny_dataset.path), "--recipe", "faces-tiny-32"]

    def command(out: Path) -> list[str]:
        return [*base, "--out", str(out), "--no-tensorboard", "--quiet", *flags]

    assert warm.run(command(tmp_path / "whole")).returncode == 0
    killed = tmp_path / "killed"
    for kill in range(2):
        process = warm.Popen(command(killed))
        have = {p.name for p in list_checkpoints(killed / "checkpoints")}
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if {p.name for p in list_checkpoints(killed / "checkpoints")} - have:
                break
            time.sleep(0.005)
        process.kill()
        assert process.wait() == -signal.SIGKILL, f"kill {kill} came too late"
    assert warm.run([*command(killed), "--resume"]).returncode == 0
    assert_same_end(tmp_path / "whole", killed)
    whole, resumed = ((p / "stats.jsonl").read_text().splitlines() for p in (tmp_path / "whole", killed))
    assert [json.loads(a).get("loss_g") for a in whole] == [json.loads(b).get("loss_g") for b in resumed]


def test_damaged_newest_checkpoint_falls_back(tiny_dataset, tmp_path, finished):
    out = train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "kimg": 0.032})
    newest = list_checkpoints(out / "checkpoints")[-1] / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    train(tiny_dataset, "faces-tiny-32", out, **SMALL)
    events = (out / "events.jsonl").read_text()
    assert "000000.032kimg: damaged" in events and "resumed from 000000.016kimg" in events
    assert_same_end(finished, out)


def test_checkpoints_are_in_the_order_of_progress(tmp_path):
    seen = [0, 16, 9_984, 10_000, 10_016, 100_000, 1_000_032]
    for images_seen in seen:
        (tmp_path / kimg_name(images_seen)).mkdir()
    assert [p.name for p in list_checkpoints(tmp_path)] == [kimg_name(n) for n in seen]


def test_other_settings_are_named(finished, tiny_dataset):
    with pytest.raises(RunError, match=r"batch: 8 -> 4; model\.generator\.lr") as caught:
        train(tiny_dataset, "faces-tiny-32", finished, **{**SMALL, "batch": 4, "generator.lr": 0.5})
    assert str(caught.value).endswith(f"what this run has learnt, add --init {finished}")
    config = json.loads((finished / "config.json").read_text())
    with pytest.raises(RunError, match=r"choose another --out$"):  # to another family its networks are no use
        RunFolder(finished).begin({**config, "family": "vanilla"})


@pytest.mark.parametrize(
    "recipe, changes, error, part",
    [
        ("faces-dcgan-64", {}, ConfigError, "needs 64x64"),
        ("digits-dcgan-28", {}, ConfigError, "needs 28x28"),
        ("nothing", {}, ConfigError, "no recipe 'nothing'"),
        ("faces-tiny-32", {"generator.layers": "dense 4x4x8; conv image 3"}, ConfigError, "end in shape"),
        ("faces-tiny-32", {"discriminator.layers": "conv 8 3"}, ConfigError, "end them with 'dense 1'"),
    ],
)
def test_what_does_not_fit_is_one_line(tiny_dataset, tmp_path, recipe, changes, error, part):
    with pytest.raises(error) as caught:
        train(tiny_dataset, recipe, tmp_path / "r", **changes)
    assert part in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("changes", [{"batch": 1}, {"batch": 4, "accumulate": 4}])
def test_batch_norm_of_one_picture_is_one_line(tiny_dataset, tmp_path, changes):
    layers = {"generator.layers": "dense 8 bn relu; dense image tanh", "discriminator.layers": "dense 1"}
    config = override(recipe("faces-tiny-32"), {**SMALL, **layers, **changes})
    for attempt in (
        lambda: train(tiny_dataset, config, tmp_path / "r"),
        lambda: dry_run(tiny_dataset, config),
    ):
        with pytest.raises(ConfigError, match=r"^--batch \d.*needs 2 pictures at a time$"):
            attempt()


def test_the_speed_is_that_of_updates_alone(tiny_dataset, tmp_path, monkeypatch):
    """A clock on which an update takes 1 s, and a grid, a measure or a checkpoint 100 s."""
    now = [0.0]
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: now[0])

    def slow(work, seconds):
        def slowly(*args, **kwargs):
            now[0] += seconds
            return work(*args, **kwargs)

        return slowly

    for module, name, seconds in (
        (trainer, "train_step", 1),
        (trainer, "save_checkpoint", 100),
        (snapshot, "sampling_generator", 100),
    ):
        monkeypatch.setattr(module, name, slow(getattr(module, name), seconds))
    settings = {**SMALL, "grid_kimg": 0.024, "checkpoint_kimg": 0.016, "kimg": 0.08}
    run = train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **settings)
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    assert [line["images_per_second"] for line in lines] == [0.0] + [settings["batch"]] * (len(lines) - 1)
    assert len(lines) == 11


def test_foreign_folder_is_not_written(tiny_dataset, tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(FaceganError, match="not empty and not a run folder"):
        train(tiny_dataset, "faces-tiny-32", tmp_path, **SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["letters.txt"]


def test_resume_insists_on_a_checkpoint(tiny_dataset, tmp_path):
    with pytest.raises(RunError, match="no checkpoint"):
        train(tiny_dataset, "faces-tiny-32", tmp_path / "r", resume=True, **SMALL)
    assert not (tmp_path / "r").exists()


def test_two_processes_in_one_folder(tiny_dataset, tmp_path):
    class Second(Listener):
        def on_stats(self, stats):
            with pytest.raises(RunError, match="another process"):
                train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **SMALL)

    train(tiny_dataset, "faces-tiny-32", tmp_path / "r", listeners=[Second()], **{**SMALL, "kimg": 0.008})


def test_numbers_that_are_not_finite_stop_the_run(tiny_dataset, tmp_path):
    with pytest.raises(RunError, match="no longer a finite number; going back once"):
        train(tiny_dataset, "faces-tiny-32", tmp_path / "r", **{**SMALL, "generator.lr": 1e38})
