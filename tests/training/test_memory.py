"""Out of memory: what the message says fits, and that the same run goes on with it."""

import gc
import json
import re
import shlex
import weakref

import pytest
import refusing
import torch
import warm
from narrow import reductions

from facegan import distributed
from facegan.errors import RunError
from facegan.recipes.config import override
from facegan.recipes.table import recipe
from facegan.runs.checkpoints import list_checkpoints
from facegan.training import out_of_memory as memory
from facegan.training import train as loop
from facegan.training.initialization import create_state
from facegan.training.train import train

CPU, SHAPE = torch.device("cpu"), (3, 32, 32)


def test_the_advice_of_a_real_run_works_in_the_same_folder(tiny_dataset, tmp_path):
    """A batch for which there is too little memory, then the same command with the pieces that it names."""
    small = (
        "--generator.width 0.25 --discriminator.width 0.25 --grid-count 4 --quality-count 0 --no-tensorboard"
    )
    argv = [
        "train",
        str(tiny_dataset.path),
        "--recipe=faces-tiny-32",
        f"--out={tmp_path / 'r'}",
        "--batch=256",
        "--kimg=0.256",
        *shlex.split(small),
    ]

    def run(accumulate):
        command = [refusing.__file__, "64", *argv, f"--accumulate={accumulate}"]
        return warm.run(command, capture_output=True, timeout=200)

    done = run(1)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert re.search(
        r"facegan train: --batch 256: out of memory on cpu; --accumulate 4 fits .* --batch 64$",
        done.stderr.strip(),
    ), done.stderr
    again = run(4)
    assert again.returncode == 0, again.stderr[-2000:]
    config = json.loads((tmp_path / "r/config.json").read_text())
    assert config["accumulate"] == 4 and list_checkpoints(tmp_path / "r/checkpoints")


class Enough:
    """Stands for ``_succeeds``: succeeds up to so many pictures, and notes what was tried."""

    def __init__(self, most):
        self.most, self.tried = most, []

    def __call__(self, config, shape, device, label_dim):
        assert config.accumulate == 1 and distributed.world() == 1
        self.tried.append((config.batch, config.g_batch))
        return max(self.tried[-1]) <= self.most


@pytest.mark.parametrize(
    "error, is_one",
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17.55 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x8 and 9x2)"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error, is_one):
    assert memory.is_out_of_memory(error) == is_one


def test_what_failed_is_given_up_before_pieces_are_tried(monkeypatch):
    """Otherwise nothing would fit beside it: what the frames of the error and the state hold."""
    config = override(recipe("faces-tiny-32"), {"batch": 4})
    state, held = create_state(config, SHAPE, CPU), []
    held += [weakref.ref(next(state.generator.parameters()))]

    def fail():
        pictures = torch.zeros(4)
        held.append(weakref.ref(pictures))
        raise MemoryError

    def tried(*_, **__):
        gc.collect()
        assert [ref() for ref in held] == [None, None]
        return True

    monkeypatch.setattr(memory, "_succeeds", tried)
    try:
        fail()
    except MemoryError as error:
        assert all(ref() is not None for ref in held)
        assert "--accumulate 2 fits" in memory.fits(config, SHAPE, CPU, error=error, free=state)


@pytest.mark.parametrize(
    "name, changes, most, words",
    [
        ("faces-tiny-32", {"batch": 64}, 20, "4 pieces), and so does --batch 16"),
        ("faces-tiny-32", {"batch": 64}, 63, "2 pieces), and so does --batch 32"),
        ("faces-tiny-32", {"batch": 64, "accumulate": 2}, 8, "8 pieces), and so does --batch 16"),
        ("faces-dcgan-80", {}, 40, "4 pieces), and so does --batch 16 --g-batch 32"),
        ("faces-tiny-32", {"batch": 64}, 0, "not even one picture at a time fits"),
    ],
)
def test_what_fits_is_found(name, changes, most, words, monkeypatch):
    monkeypatch.setattr(memory, "_succeeds", Enough(most))
    said = memory.fits(override(recipe(name), changes), SHAPE, CPU, error=MemoryError())
    assert words in said
    if "pieces" in words:
        assert f"; --accumulate {words[0]} fits (the same batch in {words[0]} pieces)" in said


def test_each_of_two_processes_tries_its_share_alone(monkeypatch):
    """64 pictures are 32 for each of two; 8 fit: 4 pieces."""
    enough = Enough(8)
    monkeypatch.setattr(memory, "_succeeds", enough)
    monkeypatch.setattr(distributed, "world", lambda: 1 if distributed._alone else 2)
    said = memory.fits(override(recipe("faces-tiny-32"), {"batch": 64}), SHAPE, CPU, error=MemoryError())
    assert "--accumulate 4 fits" in said and "--batch 16" in said
    assert enough.tried == [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0)]


@pytest.mark.parametrize(
    "where, error",
    [("_pictures", MemoryError()), ("create_state", RuntimeError("CUDA error: out of memory"))],
)
def test_wherever_memory_runs_out(where, error, tiny_dataset, tmp_path, monkeypatch):
    """NumPy raises MemoryError; networks may not fit either."""

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(loop, where, fail)
    with pytest.raises(RunError, match="--batch 16: out of memory on cpu; --accumulate 2 fits"):
        train(
            tiny_dataset,
            "faces-tiny-32",
            tmp_path / "r",
            device="cpu",
            **{"generator.width": 0.125, "discriminator.width": 0.125},
        )


def test_pieces_may_change_on_the_way(tiny_dataset, tmp_path):
    """On a smaller device, say; the run tells what is then no longer the same."""
    small = {
        "generator.width": 0.125,
        "discriminator.width": 0.125,
        "batch": 8,
        "grid_count": 4,
        "quality_count": 0,
    }
    plain = {"generator.layers": "dense 4x4x32 lrelu; up; up; up; conv image 3 tanh"}
    for kimg, more, told in (
        (0.016, {}, ""),
        (0.032, {"accumulate": 2}, "accumulate 1 -> 2: from here on equal but for rounding, not bit for bit"),
    ):
        out = train(tiny_dataset, "faces-tiny-32", tmp_path / "r", kimg=kimg, **small, **plain, **more)
        events = (out / "events.jsonl").read_text() if told else ""
        assert told in events
    for kimg, more in ((0.016, {}), (0.032, {"accumulate": 2})):
        out = train(tiny_dataset, "faces-tiny-32", tmp_path / "norm", kimg=kimg, **small, **more)
    assert "batch norm, which sees one piece at a time, and rounding" in (out / "events.jsonl").read_text()


@pytest.mark.parametrize(
    ("name", "then", "now", "told"),
    [
        ("stylegan2-64-small", (1, 1), (2, 1), ["what noise and dropout draw"]),
        ("stylegan2-64-small", (1, 1), (1, 4), []),  # shares of four
        ("stylegan2-64-small", (1, 1), (1, 8), ["the groups of minibatch deviation"]),
        ("stylegan2-64-small", (2, 4), (4, 2), ["what noise and dropout draw"]),  # shares of two before, too
        ("faces-dcgan-80", (1, 1), (2, 1), ["what noise and dropout draw"]),
        ("faces-tiny-32", (1, 1), (2, 1), ["batch norm, which sees one piece at a time,"]),
        ("r3gan-32-small", (1, 1), (4, 2), []),
    ],
)
def test_what_other_shares_change(name, then, now, told):
    """(pieces, processes) of a batch of 16."""
    from facegan.training.checkpoint import what_shares_change

    config = override(recipe(name), {**reductions(name), "batch": 16})
    state = create_state(config, (3, config.size, config.size), CPU)
    before, after = ({"accumulate": pieces, "processes": n} for pieces, n in (then, now))
    assert what_shares_change(state, before, after) == told
