"""The dry run: its figures against closed forms and against a real run, and that it writes nothing."""

import dataclasses
import mmap
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import refusing
import torch
import warm
from narrow import reductions

from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.families.feedforward import resolved_layers
from facegan.layers.notation import parse
from facegan.layers.summary import summarize
from facegan.planning import dry_run as dryrun
from facegan.planning.dry_run import PeakMemory, count_due, dry_run, occasions
from facegan.planning.dry_run_text import layer_rows, page, quantity, settings_lines, size
from facegan.recipes.config import TrainSettings, override, unread_group, update_kinds
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.checkpoints import list_checkpoints
from facegan.runs.page import duration
from facegan.training.train import train

SMALL = {
    "kimg": 0.064,
    "batch": 8,
    "grid_count": 4,
    "checkpoint_kimg": 0.016,
    "grid_kimg": 0.032,
    "generator.width": 0.125,
    "discriminator.width": 0.125,
}
CPU = torch.device("cpu")


def small(**changes):
    return override(recipe("faces-tiny-32"), {**SMALL, **changes})


@pytest.fixture(scope="module")
def result(tiny_dataset):
    return dry_run(tiny_dataset, small(), "cpu")


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def test_the_command_prints_a_page_and_writes_nothing(tiny_dataset, tmp_path):
    shutil.copytree(tiny_dataset.path, tmp_path / "data", ignore=shutil.ignore_patterns(".cache"))
    before = tree(tmp_path)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    argv = ["train", "data", "--recipe", "faces-tiny-32", "--dry-run", "--device", "cpu", *flags]
    done = warm.run(["-m", "facegan.cli.main", *argv], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert tree(tmp_path) == before
    lines = done.stdout.splitlines()
    assert lines[0].startswith("faces-tiny-32 on data: ") and "32x32 colour; cpu, 1 thread" in lines[0]
    assert max(map(len, lines)) <= 100 and "\x1b" not in done.stdout
    heads = [line.split("  ")[0] for line in lines if line and line[0] != " "]
    wanted = [
        "Generator",
        "Discriminator",
        "Memory",
        "Time on this machine, by real updates",
        "Quality",
        "Disk",
    ]
    assert heads[2:8] == wanted
    assert "dataset's memory map" in done.stdout


def test_files_are_as_large_and_as_many_as_foretold(result, tiny_dataset, tmp_path):
    run = train(tiny_dataset, small(), tmp_path / "run", device="cpu")
    models = list((run / "models").iterdir())
    assert len(models) == result.models == 4
    assert len(list((run / "samples").glob("*.png"))) == result.grids == 3
    for file in models:
        assert 0 < file.stat().st_size - result.model_bytes < 8_000, "no more than the header"
    for folder in list_checkpoints(run / "checkpoints"):
        whole = (folder / "state.safetensors").stat().st_size
        assert 0 < whole - result.checkpoint_bytes < 16_000, "no more than header and running means"
    assert result.updates == 8


def test_sizes_in_bytes(result):
    trained, kept = (
        sum(getattr(x, k) for x in [*result.generator, *result.discriminator])
        for k in ("parameters", "statistics")
    )
    norms = [x for x in result.generator if x.kind == "bn"]
    assert result.weights == 4 * (trained + kept) + 8 * len(norms)  # and a counter of each batch norm
    steps = sum(2 for x in [*result.generator, *result.discriminator] if x.parameters)  # weight and bias
    assert result.optimizer == 2 * 4 * trained + 4 * steps
    # Weights, gradients and two moments at least; the process of a test may hold memory to reuse.
    assert result.memory_peak is not None and result.memory_peak >= 0


def test_peak_memory_of_a_moment():
    with PeakMemory(CPU) as memory:
        # Straight from the system: what the allocator kept of earlier tests would be no new memory.
        held = mmap.mmap(-1, 64_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        np.frombuffer(held, np.uint8)[:] = 1
        time.sleep(0.2)
        held.close()
    if memory.peak is None:
        assert not Path("/proc/self/statm").exists()
    else:
        assert 60e6 < memory.peak < 100e6


@pytest.mark.parametrize("every, expected", [(4, 0.03), (2, 0.04), (1, 0.06)])
def test_lazy_penalties_count_in_their_proportion(tiny_dataset, monkeypatch, every, expected):
    """20 ms without and 60 ms with the penalty: (60 + (every - 1) 20) / every."""

    now = [0.0]

    def step(state, feed):
        now[0] += 0.06 if state.updates % every == 0 else 0.02
        state.updates += 0 if every == 1 else 1

    monkeypatch.setattr(dryrun, "train_step", step)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(dryrun, "TIMED_SECONDS", 0.4)
    found = dry_run(tiny_dataset, small(r1_every=every), "cpu")
    assert found.update_seconds == pytest.approx(expected)
    assert [kind.extras for kind in found.timings] == ([] if every == 1 else [()]) + [("penalty",)]
    assert found.training_seconds == 8 * found.update_seconds


def test_updates_of_both_kinds_are_real(tiny_dataset, monkeypatch):
    seen = []
    real = dryrun.train_step

    def step(state, feed):
        before = state.counts.get("r1", 0)
        real(state, feed)
        seen.append(state.counts.get("r1", 0) - before)

    monkeypatch.setattr(dryrun, "train_step", step)
    monkeypatch.setattr(dryrun, "TIMED_SECONDS", 0.0)
    found = dry_run(tiny_dataset, small(), "cpu")
    assert seen == [0, 1, 0, 1, 0], "two to warm up, then three that take turns"
    assert [(kind.extras, t.count) for kind, t in found.timings.items()] == [((), 2), (("penalty",), 1)]


@pytest.mark.parametrize(
    "r1, path, expected",
    [
        (16, 4, {(): 12, ("path lengths",): 3, ("penalty", "path lengths"): 1}),
        (4, 6, {(): 8, ("penalty",): 2, ("path lengths",): 1, ("penalty", "path lengths"): 1}),
        (1, 4, {("penalty",): 3, ("penalty", "path lengths"): 1}),
        (0, 4, {(): 3, ("path lengths",): 1}),
    ],
)
def test_what_is_done_now_and_then_counts_in_its_proportion(r1, path, expected):
    """Every kind by its number among the updates of one period; and each update does what its kind says."""
    config = override(
        recipe("stylegan2-64-small"),
        {"r1_gamma": float(r1 > 0), "r1_every": r1 or 16, "generator.path_length_every": path},
    )
    kinds = update_kinds(config)
    period = sum(expected.values())
    assert {kind.extras: round(kind.share * period) for kind in kinds} == expected
    assert sum(kind.share for kind in kinds) == pytest.approx(1)
    for kind in kinds:
        assert ("penalty" in kind.extras) == bool(r1 and kind.update % r1 == 0)
        assert ("path lengths" in kind.extras) == (kind.update % path == 0)


def test_three_kinds_are_real(tiny_dataset, monkeypatch):
    """A StyleGAN2 measures path lengths in updates between its penalties."""
    seen = []
    real = dryrun.train_step

    def step(state, feed):
        before = [state.counts.get(name, 0) for name in ("r1", "path_length")]
        real(state, feed)
        seen.append(
            tuple(state.counts.get(n, 0) > b for n, b in zip(("r1", "path_length"), before, strict=True))
        )

    monkeypatch.setattr(dryrun, "train_step", step)
    monkeypatch.setattr(dryrun, "TIMED_SECONDS", 0.0)
    config = override(recipe("stylegan2-64-small"), {**reductions("stylegan2-64-small"), "size": 32})
    found = dry_run(tiny_dataset, config, "cpu")
    assert seen == [(False, False), (False, True), (True, True)] * 2
    text = page(found)
    assert "update with path lengths" in text and "update with both" in text
    assert "one in 4 with path lengths, one in 16 with penalty" in text


def test_slow_updates_are_timed_once(tiny_dataset, monkeypatch):
    monkeypatch.setattr(dryrun, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(dryrun, "SLOW_UPDATE", 0.0)
    found = dry_run(tiny_dataset, small(r1_gamma=0.0), "cpu")
    assert [(kind.extras, t.count) for kind, t in found.timings.items()] == [((), 1)]
    assert "1 timed" in page(found)


@pytest.mark.parametrize(
    "updates, step, every", [(0, 8, 16), (8, 8, 16), (8, 8, 32), (7, 8, 16), (10, 64, 1), (100, 3, 7)]
)
def test_how_often_something_is_due(updates, step, every):
    marks = [(k + 1) * step // every > k * step // every or k == updates - 1 for k in range(updates)]
    assert count_due(updates, step, every) == sum(marks)


def test_a_copy_serves_grid_and_model_at_once():
    """A grid every 20 of 100 images, a model every 30, updates of 10: after 20, 30, 40, 60, 80, 90, 100."""
    config = small(batch=10, kimg=0.1, grid_kimg=0.02, checkpoint_kimg=0.03)
    assert occasions(config) == {"updates": 10, "grids": 6, "models": 4, "copies": 8}


def test_out_of_memory_is_one_line(tiny_dataset, tmp_path):
    argv = [
        "train",
        str(tiny_dataset.path),
        "--recipe",
        "faces-tiny-32",
        "--dry-run",
        "--device",
        "cpu",
        "--batch",
        "256",
        "--quiet",
    ]
    done = warm.run([refusing.__file__, "64", *argv], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr[-2000:]
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert "--batch 256: out of memory on cpu; --accumulate 4 fits" in done.stderr


@pytest.mark.parametrize("changes, part", [({"batch": 0}, "--batch"), ({"size": 64}, "needs 64x64")])
def test_what_cannot_work_is_said(tiny_dataset, changes, part):
    with pytest.raises(ConfigError, match=part):
        dry_run(tiny_dataset, small(**changes), "cpu")


def test_settings_mark_what_differs_from_the_recipe():
    config = override(
        recipe("faces-tiny-32"), {"batch": 8, "latent.std": 0.5, "generator.lr": 1e-3, "flip": False}
    )
    text = "\n".join(settings_lines(config))
    marked = ("batch 8* (recipe: 16)", "std 0.5* (recipe: 1)", "lr 0.001* (recipe: 0.002)", "flip no* (")
    for part in marked:
        assert part in text
    assert text.count("* (recipe: ") == len(marked)
    assert "grid-kimg 2.5," in text and "g-batch 8," in text, "what 0 stands for"
    assert "*" not in "\n".join(settings_lines(recipe("faces-tiny-32")))


def test_changed_layers_are_named_beside_the_recipes():
    lines = settings_lines(override(recipe("faces-tiny-32"), {"generator.layers": "dense image"}))
    text = " ".join(" ".join(lines).split())
    assert "layers below* (recipe: dense 4x4x128; bn relu; up; conv 128 3 bn relu; up;" in text
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_is_shown(name):
    words = set(" ".join(settings_lines(recipe(name))).replace(",", " ").split())
    nested = {
        f.name
        for side in ("generator", "discriminator")
        for f in dataclasses.fields(getattr(recipe(name).model, side))
    }
    # Unchanged, or a group.
    silent = {"layers", "width", "depth", "activation", "kernel_size", "latent", "translation", "input"}
    unread = {f.name for f in dataclasses.fields(getattr(recipe(name), unread_group(recipe(name))))}
    assert not words & {field.replace("_", "-") for field in unread}
    for field in ({f.name for f in dataclasses.fields(TrainSettings)} | nested) - silent:
        assert field.replace("_", "-") in words, field


NOTATION = [name for name in RECIPES if hasattr(recipe(name).model.generator, "layers")]


@pytest.mark.parametrize("side", ["generator", "discriminator"])
@pytest.mark.parametrize("name", NOTATION)
def test_rows_are_the_notation(name, side):
    """What the table says of a network is read back as its layers."""
    c = recipe(name)
    family, n, config = get_family(c.family), c.size or 64, getattr(recipe(name).model, side)
    shape = (c.channels or 3, n, n)
    with torch.device("meta"):
        if side == "generator":
            net, x = family.build_generator(config, shape, c.latent.dim), torch.zeros(1, c.latent.dim)
        else:
            net, x = family.build_discriminator(config, shape), torch.zeros(1, *shape)
        rows = layer_rows(summarize(net, x))
    image = {"conv": shape[0], "convT": shape[0], "dense": (n, n, shape[0])}
    sized = ("dense", "conv", "convT")
    expected = [
        dataclasses.replace(x, out=image[x.kind] if x.out == "image" else x.out if x.kind in sized else 0)
        for x in resolved_layers(config, side)
    ]
    assert parse("; ".join(row[0] for row in rows)) == expected
    assert sum(row[2] for row in rows) == sum(p.numel() for p in net.parameters())


def test_residual_blocks_stand_over_their_layers(tiny_dataset):
    layers = "dense 4x4x8; res 16 bn up; res 8 up; up; conv image 3 tanh"
    found = dry_run(tiny_dataset, small(**{"generator.layers": layers, "generator.width": 1.0}), "cpu")
    words = [row[0] for row in layer_rows(found.generator)]
    assert words[:7] == [
        "dense 4x4x8",
        "res 16 up",
        "  conv 16 1",
        "  conv 16 3",
        "  bn",
        "  conv 16 3",
        "  bn",
    ]
    assert words[7:9] == ["res 8 up", "  conv 8 1"] and words[-2:] == ["up", "conv 3 3 tanh"]


@pytest.mark.parametrize(
    "function, value, text",
    [
        (quantity, 0, "0.00"),
        (quantity, 999, "999"),
        (quantity, 1_381_891, "1.38 M"),
        (quantity, 999_960, "1.00 M"),
        (quantity, 9.02e9, "9.02 G"),
        (quantity, 2.5e12, "2.50 T"),
        (size, 0, "0 B"),
        (size, 31_234_567, "31.2 MB"),
        (size, 1500, "1.50 kB"),
        (duration, None, "–"),
        (duration, 0.4, "0 s"),
        (duration, 77, "77 s"),
        (duration, 100, "2 min"),
        (duration, 5999, "1 h 40 min"),
        (duration, 55_740, "15 h 29 min"),
        (duration, 273_600, "3 d 4 h"),
    ],
)
def test_numbers_for_people(function, value, text):
    assert function(value) == text
