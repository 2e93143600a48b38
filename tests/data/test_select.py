"""Choosing pictures of a prepared dataset: the same as if only they had been prepared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import warm
from sample_photos import OPTIONS, folder

from facegan.cli.main import main
from facegan.data import derive as module
from facegan.data.dataset import Dataset
from facegan.data.derive import rewrite, select
from facegan.data.prepare import prepare
from facegan.errors import DatasetError, InputError
from facegan.files import temporary_name


def write_sources(at: Path) -> dict[str, Any]:
    """Twelve pictures in three splits; every fifth has no Number."""
    folder(at / "photos", 12)
    rows = "".join(f"{i:03d}.png,{i % 2},{i if i % 5 else ''}\n" for i in range(12))
    (at / "a.csv").write_text("file,Odd,Number\n" + rows)
    names = "".join(f"{i:03d}.png {('train', 'train', 'val', 'test')[i % 4]}\n" for i in range(12))
    (at / "split.txt").write_text(names)
    return {"attributes": at / "a.csv", "split": at / "split.txt", **OPTIONS}


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("select")
    prepare(at / "photos", at / "ds", **write_sources(at))
    return at


def rows_of(data: Dataset) -> list[int]:
    return sorted(int(Path(s).stem) for split in data.counts for s in data.sources(split))


CASES = {  # expression -> (rows, of how many it is unknown)
    "odd": ([1, 3, 5, 7, 9, 11], 0),
    "not odd": ([0, 2, 4, 6, 8, 10], 0),
    "number >= 7": ([7, 8, 9, 11], 3),
    "not (number >= 7)": ([1, 2, 3, 4, 6], 3),
    "odd or number = 4": ([1, 3, 4, 5, 7, 9, 11], 2),
    "odd and number < 4": ([1, 3], 1),
}


@pytest.mark.parametrize("expression", CASES)
def test_rows_that_are_chosen(at: Path, tmp_path: Path, expression: str) -> None:
    done = select(Dataset(at / "ds"), expression, tmp_path / "out")
    assert (rows_of(done.dataset), done.unknown) == CASES[expression]
    assert done.dataset.info["selected"]["expression"] == expression


def test_the_same_as_preparing_only_those(at: Path, tmp_path: Path) -> None:
    sources = {"attributes": at / "a.csv", "split": at / "split.txt", **OPTIONS}
    expected = prepare(at / "photos", tmp_path / "direct", where="Odd", **sources)
    done = select(Dataset(at / "ds"), "odd", tmp_path / "out").dataset
    assert done.content_hash == expected.content_hash and done.counts == expected.counts
    for split in expected.counts:
        np.testing.assert_array_equal(done.images(split), expected.images(split))
        np.testing.assert_array_equal(done.attributes(split), expected.attributes(split))
    twice = select(done, "odd", tmp_path / "again").dataset
    assert twice.content_hash == done.content_hash


def test_limit_and_split(at: Path, tmp_path: Path) -> None:
    data = Dataset(at / "ds")
    assert rows_of(select(data, "odd", tmp_path / "a", limit=2).dataset) == [1, 5]  # the first of train
    only = select(data, "odd", tmp_path / "b", split="test").dataset
    assert only.counts == {"test": 3} and rows_of(only) == [3, 7, 11]


def test_into_the_empty_folder_one_stands_in(
    at: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["select", str(at / "ds"), "odd", "--out", ".", "--split", "all"]) == 0
    assert rows_of(Dataset(tmp_path)) == [1, 3, 5, 7, 9, 11]


def test_where_it_comes_from_is_told_and_not_forgotten(at: Path, tmp_path: Path, capsys: Any) -> None:
    parent = Dataset(at / "ds")
    once = select(parent, "odd", tmp_path / "once").dataset
    twice = select(once, "number > 1", tmp_path / "twice").dataset
    first = {"name": "ds", "content_hash": parent.content_hash}
    assert once.info["made_from"] == first
    assert twice.info["made_from"] == {
        "name": "once",
        "content_hash": once.content_hash,
        "made_from": first,
        "selected": once.info["selected"],
    }
    card = (tmp_path / "twice/README.md").read_text()
    assert f"Made from the dataset once (content hash `{once.content_hash}`)" in card
    assert "chosen by `number > 1`" in card
    assert main(["inspect", str(tmp_path / "twice")]) == 0
    assert "selected from once: number > 1\n" in capsys.readouterr().out


def test_prepare_does_not_take_it_for_its_own(at: Path, tmp_path: Path) -> None:
    sources = {"attributes": at / "a.csv", "split": at / "split.txt", **OPTIONS}
    select(Dataset(at / "ds"), "odd", tmp_path / "out")
    with pytest.raises(InputError, match="was made from another dataset"):
        prepare(at / "photos", tmp_path / "out", **sources)


def test_others_read_it(at: Path, tmp_path: Path) -> None:
    import pandas

    select(Dataset(at / "ds"), "not odd", tmp_path / "out")
    frame = pandas.concat(pandas.read_parquet(f) for f in sorted((tmp_path / "out/data").iterdir()))
    assert len(frame) == 6 and set(frame["attributes"].map(lambda a: a["Odd"])) == {0}
    assert "6 pictures" in (tmp_path / "out/README.md").read_text()


ERRORS = {
    ("od", "out"): "did you mean 'Odd'?",
    ("odd and", "out"): "an attribute is missing at the end",
    ("number > 50", "out"): "no picture is left; nothing was written (of 3 pictures it is unknown",
    ("odd", "ds"): "exists already",
    ("odd", "ds/inside"): "lies inside",
    ("odd", "a.csv/out"): "cannot be written",
    ("odd", "x" * 300): "cannot be written",
}


@pytest.mark.parametrize("expression, out", ERRORS, ids=lambda text: text[:20])
def test_mistakes_are_one_line(at: Path, capsys: Any, expression: str, out: str) -> None:
    before = sorted(p.name for p in at.iterdir())
    assert main(["select", str(at / "ds"), expression, "--out", str(at / out)]) == 2
    said = capsys.readouterr().err
    assert ERRORS[expression, out] in said and said.count("\n") == 1
    assert sorted(p.name for p in at.iterdir()) == before


def test_without_attributes(tmp_path: Path) -> None:
    data = prepare(folder(tmp_path / "photos", 3), tmp_path / "ds", **OPTIONS)
    with pytest.raises(InputError, match="'facegan label' adds some"):
        select(data, "odd", tmp_path / "out")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_failure_leaves_nothing_behind(
    at: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(module.ShardWriter, "add", fail)
    with pytest.raises((KeyboardInterrupt, InputError)):
        select(Dataset(at / "ds"), "odd", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_predictions_that_are_not_sure_are_unknown(at: Path, tmp_path: Path) -> None:
    data = Dataset(at / "ds")

    def edit(split: str, number: int, attributes: Any, confidence: Any) -> Any:
        return {"Odd": attributes["Odd"]}, {"Odd": 0.6 + 0.1 * (number % 3)}

    sums = {"predicted": {"network": "n", "names": {"Odd": {"count": 12, "confidence": 0.7}}}}
    made = rewrite(data, tmp_path / "p", edit, names=("Odd",), more=lambda: sums)
    row = next(made.rows("train"))
    assert row["confidence"] == {"Odd": pytest.approx(0.6)}
    done = select(made, "odd", tmp_path / "sure", min_confidence=0.75)
    assert rows_of(done.dataset) == [9, 11]  # train 0 1 4 5 8 9, val 2 6 10, test 3 7 11: each third row
    assert done.unknown == 8
    kept = json.loads((tmp_path / "sure/dataset.json").read_text())["predicted"]["names"]
    assert kept["Odd"] == {"count": 2, "confidence": pytest.approx(0.8)}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("there", [False, True])
def test_a_process_that_is_stopped_leaves_no_dataset(
    at: Path, tmp_path: Path, stop: int, there: bool
) -> None:
    if there:
        (tmp_path / "out").mkdir()
    code = """
import os, sys, time
from facegan.data import derive as rewrite
from facegan.cli.main import main
add = rewrite.ShardWriter.add
def slow(self, row):
    add(self, row)
    print("writing", flush=True)
    time.sleep(60)
rewrite.ShardWriter.add = slow
sys.exit(main(["select", sys.argv[1], "odd", "--out", sys.argv[2]]))
"""
    argv = [sys.executable, "-c", code, str(at / "ds"), str(tmp_path / "out")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "writing\n"
        process.send_signal(stop)
        error = process.communicate(timeout=60)[1]
    assert not (tmp_path / "out" / "dataset.json").exists() and (tmp_path / "out").exists() == there
    if stop == signal.SIGINT:
        assert process.returncode == 130 and error == "\nfacegan select: interrupted\n"
        assert list(tmp_path.rglob("*")) == [tmp_path / "out"] * there
    running = tmp_path / temporary_name("out")  # of a process that is still at work
    running.mkdir()
    made = select(
        Dataset(at / "ds"), "odd", tmp_path / "out"
    ).dataset  # what a kill has left is not in the way
    assert rows_of(made) == [1, 3, 5, 7, 9, 11]
    assert set(tmp_path.glob(".*")) | set((tmp_path / "out").glob(".*")) <= {running}


@pytest.mark.parametrize(("point", "last"), [(17, "data"), (19, "preview.jpg"), (21, "README.md")])
def test_killed_as_it_fills_a_folder_it_begins_again(at: Path, tmp_path: Path, point: int, last: str) -> None:
    """The folder was there and empty; what was moved into it is no dataset, and in nobody's way."""
    out, listing = tmp_path / "out", tmp_path / "points"
    out.mkdir()
    environment = {**os.environ, "FACEGAN_FAILPOINTS": str(listing), "FACEGAN_KILL_AT": str(point)}
    argv = ["-m", "facegan.cli.main", "select", str(at / "ds"), "odd", "--out", str(out)]
    assert warm.run(argv, env=environment).returncode == -signal.SIGKILL
    assert listing.read_text().splitlines()[-1] == f"{last}: renamed" and (out / last).exists()
    assert rows_of(select(Dataset(at / "ds"), "odd", out).dataset) == [1, 3, 5, 7, 9, 11]
    assert not list(out.glob(".*")) and not list(tmp_path.glob(".*"))


def test_a_subset_trains(tmp_path: Path, capsys: Any) -> None:
    photos = folder(tmp_path / "photos", 20)
    (tmp_path / "a.csv").write_text("file,Odd\n" + "".join(f"{i:03d}.png,{i % 2}\n" for i in range(20)))
    options = {**OPTIONS, "size": 32}
    data = prepare(photos, tmp_path / "ds", attributes=tmp_path / "a.csv", **options)
    select(data, "odd", tmp_path / "odd")
    argv = ["train", str(tmp_path / "odd"), "--recipe", "faces-tiny-32", "--out", str(tmp_path / "run")]
    assert main([*argv, "--kimg", "0.008", "--batch", "8", "--generator.width", "0.1"]) == 0, (
        capsys.readouterr()
    )
    assert list((tmp_path / "run/models").glob("*.safetensors"))


def test_a_damaged_dataset_is_one_line(at: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(at / "ds", tmp_path / "ds")
    shard = next((tmp_path / "ds/data").glob("train-*"))
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(DatasetError, match="damaged"):
        select(Dataset(tmp_path / "ds"), "odd", tmp_path / "out")
    assert not (tmp_path / "out").exists()
