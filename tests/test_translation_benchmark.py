"""benchmarks/translation.py: translators go on where they were stopped; the table is what it measured."""

import itertools
import signal
import sys

import numpy as np
import pytest
import torch

from facegan.data.inputs import derive
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits

NARROW = ("generator.widths=(8,16)", "discriminator.widths=(8,16)", "discriminator.projected=")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("translation")
    write_portraits(folder / "photos", 40, 0, size=64)
    lines = [f"{i + 1:06d}.png,{'train' if i < 28 else 'test'}\n" for i in range(40)]
    (folder / "split.csv").write_text("".join(lines))
    rows = [f"{i + 1:06d}.png,{int(i % 3 == 0)}\n" for i in range(40)]
    (folder / "attributes.csv").write_text("image,smiling\n" + "".join(rows))
    return prepare(
        [folder / "photos"],
        folder / "dataset",
        crop="none",
        size=64,
        split=folder / "split.csv",
        attributes=folder / "attributes.csv",
    )


@pytest.fixture
def script(benchmarks, monkeypatch):
    """The script, for which every update takes one second."""
    module, side = benchmarks("translation"), benchmarks("side_by_side")
    for name, value in side.MALLOC.items():
        monkeypatch.setenv(name, value)
    ticks = itertools.count()
    monkeypatch.setattr(side, "clock", lambda device: next(ticks))
    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    threads = torch.get_num_threads()

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["translation", *map(str, words)])
        return module.main()

    yield run
    torch.set_num_threads(threads)
    for s, handler in handlers.items():
        signal.signal(s, handler)


@pytest.mark.parametrize(
    "recipe, task, key", [("pix2pix-64", "grey", "perceptual"), ("cyclegan-64", "Smiling", "kid")]
)
def test_it_goes_on_and_is_measured(recipe, task, key, dataset, script, tmp_path, capsys):
    words = ("run", recipe, task, dataset.path, "--batch", 4, "--set", *NARROW)
    part, whole = tmp_path / "part", tmp_path / "whole"
    assert script(*words, "--out", part, "--seconds", 2, "--marks", 1) == 0
    assert script(*words, "--out", part, "--seconds", 3, "--marks", 1) == 0
    assert script(*words, "--out", whole, "--seconds", 3, "--marks", 2) == 0
    trial = f"{recipe}-{task}-seed0"
    made = [np.load(f / trial / "samples-3-0.npz")["images"] for f in (part, whole)]
    np.testing.assert_array_equal(*made)
    count = 12 if key == "perceptual" else 12 - len([i for i in range(28, 40) if i % 3 == 0])
    assert made[0].shape == (count, 64, 64, 3)
    capsys.readouterr()
    assert script("table", dataset.path, "--out", part) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == ["1", "2", "3"]
    values = [float(row[5].split()[0]) for row in rows]  # KID may fall below 0
    assert all(v > 0 if key == "perceptual" else np.isfinite(v) for v in values)


def test_the_goal_is_a_share_of_the_authors_distance_at_the_longest_common_time(benchmarks):
    module = benchmarks("translation")

    def row(name, mark, value, key="perceptual"):
        return {"task": "edges", "name": name, "mark": mark, "values": {key: value}}

    rows = [
        row("authors", 600.0, 1.0),
        row("pix2pix-64", 600.0, 0.9),
        row("authors", 3600.0, 0.8),
        row("pix2pix-64", 3600.0, 0.4),
        row("pix2pix-64", 7200.0, 0.1),
    ]
    said, missed = module.verdicts(rows)
    assert not missed
    assert said == ["edges: at 3600 s pix2pix-64 has 0.50 of the authors' perceptual (goal: at most 0.6)."]
    assert module.verdicts(rows[:2])[1]
    assert module.verdicts(rows[1:2]) == ([], False)


def test_pairs_are_cropped_and_mirrored_alike(benchmarks):
    module = benchmarks("contestants.translators")
    targets = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    feed = module.Jittered(derive("grey", targets), targets, seed=3)
    drawn = [feed(i) for i in range(10)]
    for grey, colour in drawn:
        assert grey.shape == colour.shape == (1, 64, 64, 3)
        # Enlarging and taking the luma commute up to rounding.
        assert np.abs(derive("grey", colour).astype(int) - grey)[0].mean() < 1
    again = module.Jittered(derive("grey", targets), targets, seed=3)
    for index in (7, 2):
        np.testing.assert_array_equal(again(index)[1], drawn[index][1])
    first = {feed.order[i % 5] for i in range(5)}
    assert first == set(range(5))


def test_what_is_no_task_is_one_line(dataset, script):
    with pytest.raises(SystemExit, match="no task 'edge': choose edges, grey"):
        script("run", "pix2pix-64", "edge", dataset.path)
