"""Drawn portraits: the same for the same (seed, index), and as their attributes say."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from facegan.demo.portraits import draw, sample_attributes, write_portraits

SIZE = 64


def test_a_portrait_depends_on_seed_and_index_alone():
    a = draw(sample_attributes(3, 7), SIZE)
    draw(sample_attributes(3, 8), SIZE)
    np.testing.assert_array_equal(a, draw(sample_attributes(3, 7), SIZE))
    assert a.shape == (SIZE, SIZE, 3) and a.dtype == np.uint8
    assert (a != draw(sample_attributes(4, 7), SIZE)).any()


@pytest.mark.parametrize("index", [1, 2, 3, 4, 5])
def test_glasses_change_the_eyes_and_nothing_else(index):
    portrait = sample_attributes(0, index)
    bare, worn = (draw(replace(portrait, glasses=kind), SIZE).astype(int) for kind in ("", "round"))
    change = np.abs(worn - bare).max(2)
    eyes = slice(SIZE // 4, 3 * SIZE // 4)
    assert (change[eyes] > 25).mean() > 0.04  # a clear frame ...
    assert not change[: SIZE // 4].any() and not change[3 * SIZE // 4 :].any()  # ... and the rest untouched


@pytest.mark.parametrize("size", [28, 64, 101])
def test_size_changes_the_sharpness_alone(size):
    """Averaged to 7x7 blocks, a portrait is the same at every size (within a few grey levels)."""
    portrait = sample_attributes(0, 9)
    coarse = [
        np.asarray(Image.fromarray(draw(portrait, n)).resize((7, 7), Image.Resampling.BOX)).astype(int)
        for n in (size, 196)
    ]
    assert np.abs(coarse[0] - coarse[1]).max() < 12


def changed(index, **attributes):
    """Where a portrait changes with some attributes: mean absolute difference by row."""
    before = sample_attributes(0, index)
    after = replace(before, **attributes)
    return np.abs(draw(before, SIZE).astype(int) - draw(after, SIZE).astype(int)).mean((1, 2))


@pytest.mark.parametrize("index", [1, 2, 3, 4, 5])
def test_a_smile_changes_the_lower_face_most(index):
    portrait = sample_attributes(0, index)
    rows = changed(index, smile=-0.2 if portrait.smiling else 0.9)
    assert rows.sum() > 0
    assert rows[SIZE // 2 :].sum() > 0.6 * rows.sum()


def test_written_portraits_match_their_table(tmp_path):
    table = write_portraits(tmp_path, 12, seed=5, size=32)
    rows = list(csv.DictReader(table.open()))
    assert [row["file"] for row in rows] == [f"{i:06d}.png" for i in range(1, 13)]
    for i, row in enumerate(rows, 1):
        picture = np.asarray(Image.open(tmp_path / row["file"]))
        np.testing.assert_array_equal(picture, draw(sample_attributes(5, i), 32))
        assert {k: int(v) for k, v in row.items() if k != "file"} == sample_attributes(5, i).labels()


def test_written_portraits_are_kept(tmp_path):
    write_portraits(tmp_path, 3, size=32)
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("*.png")}
    write_portraits(tmp_path, 5, size=32)
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in before} == before
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_drawing_again_leaves_every_file_untouched(tmp_path):
    """prepare tells by their times that a folder is the same source."""
    write_portraits(tmp_path, 3, seed=1, size=32)
    times = {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    write_portraits(tmp_path, 3, seed=1, size=32)
    assert {p.name: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == times and len(times) == 4


def test_attributes_are_common_enough_and_independent():
    labels = [sample_attributes(1, i).labels() for i in range(1, 2001)]
    smiling, glasses = (np.array([row[name] for row in labels]) for name in ("Smiling", "Glasses"))
    assert 0.4 < smiling.mean() < 0.6 and 0.3 < glasses.mean() < 0.5
    # The correlation of 2,000 independent pairs has a standard error of 0.022.
    assert abs(np.corrcoef(smiling, glasses)[0, 1]) < 0.08
