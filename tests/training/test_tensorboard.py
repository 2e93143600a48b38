"""What TensorBoard itself reads from a run, also after a crash and a resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan.runs.callbacks import StepStats
from facegan.runs.tensorboard import TensorBoardListener


def stats(images_seen: int, loss: float) -> StepStats:
    return StepStats(images_seen, 10_000, images_seen / 100, 100.0, {"loss_g": loss, "r1": 0.5})


def read(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def test_nothing_is_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    TensorBoardListener(tmp_path / "tensorboard").close()
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("channels", [1, 3])
def test_curves_and_grids(channels: int, tmp_path: Path) -> None:
    listener = TensorBoardListener(tmp_path)
    grid = np.full((6, 8, channels), 200, np.uint8)
    listener.on_grid(0, grid)
    listener.on_stats(stats(1000, 1.5))
    listener.close()
    found = read(tmp_path)
    assert set(found.Tags()["scalars"]) == {
        "loss/g",
        "training/r1",
        "training/images_per_second",
        "training/seconds",
    }
    assert [(e.step, e.value) for e in found.Scalars("loss/g")] == [(1000, 1.5)]
    (picture,) = found.Images("samples")
    assert (picture.step, picture.height, picture.width) == (0, 6, 8)


@pytest.mark.parametrize("with_event", [False, True])
def test_a_resumed_run_replaces_what_was_lost(with_event: bool, tmp_path: Path) -> None:
    first = TensorBoardListener(tmp_path)
    for n in (1000, 2000, 3000, 4000):
        first.on_stats(stats(n, 1.0))
    first.close()
    second = TensorBoardListener(tmp_path)
    if with_event:
        second.on_event(2000, "resumed from 000002kimg")
    for n in (3000, 4000, 5000):
        second.on_stats(stats(n, 2.0))
    second.close()
    found = [(e.step, e.value) for e in read(tmp_path).Scalars("loss/g")]
    assert found == [(1000, 1.0), (2000, 1.0), (3000, 2.0), (4000, 2.0), (5000, 2.0)]
