"""``facegan prepare`` and ``facegan inspect`` as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facegan import bars
from facegan.cli.main import main
from facegan.images import png_bytes


def photo(index: int) -> np.ndarray:
    dots = np.random.default_rng(index).integers(0, 256, (7, 7, 3), np.uint8)
    return np.asarray(Image.fromarray(dots).resize((32, 32), Image.Resampling.BICUBIC))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten pictures, a duplicate, a broken one, attributes; the test runs beside the folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(10):
        (folder / f"{i}.png").write_bytes(png_bytes(photo(i)))
    (folder / "copy.png").write_bytes((folder / "3.png").read_bytes())
    (folder / "broken.jpg").write_bytes(b"hello")
    rows = "".join(f"{i}.png,{i % 2},{i % 3}\n" for i in range(8))
    (tmp_path / "a.csv").write_text("file,Odd,Kind\n" + rows)
    return folder


COMMON = ["--crop", "none", "--size", "28", "--workers", "1"]


def facegan(*argv: str) -> int:
    return main(list(argv))


def test_pictures_that_the_table_does_not_name_are_counted(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert facegan("prepare", "photos", "--out", "ds", "--attributes", "a.csv", *COMMON) == 0
    out = capsys.readouterr().out
    assert "\nyes/no attribute (share of yes, known of 8 of 10): Odd 50%\n" in out
    assert "not found: 8.png, 9.png" in out
    assert facegan("inspect", "ds") == 0
    assert "attributes (share of those known), of 2 pictures none is known:" in capsys.readouterr().out


def test_prepare_ends_with_counts_and_the_commonest_reasons(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "_PATIENCE", 0.0)
    monkeypatch.setattr(bars, "EVERY", 0.0)
    assert facegan("prepare", "photos", "--out", "ds", *COMMON) == 0
    out = capsys.readouterr()
    for text in (
        "ds: 10 pictures of 28x28 (10 train)",
        "2 left out (each with its reason in ds/dataset.json)",
        "     1  not an image",
        "     1  exact duplicate",
        "look at ds/preview.jpg; next: facegan train ds",
    ):
        assert text in out.out
    assert "12 of 12  kept 11  rejected 1" in out.err
    assert Image.open("ds/preview.jpg").size[0] > 280
    assert facegan("prepare", "photos", "--out", "ds", *COMMON) == 0
    assert (
        "ds is already made from the same sources in the same way: nothing to do" in capsys.readouterr().out
    )
    assert facegan("prepare", "photos", "--out", "ds", *COMMON, "--gray") == 2
    err = capsys.readouterr().err
    assert (
        err == "facegan prepare: ds holds a dataset made otherwise (different: crop); choose another --out\n"
    )


def test_every_option_reaches_the_dataset(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--attributes",
        "a.csv",
        "--where",
        "Odd or Kind == 2",
        "--include",
        "*.png",
        "--split",
        "test=0.3",
        "--limit",
        "4",
        "--gray",
        "--resample",
        "bicubic",
        "--max-pixels",
        "5000",
        "--min-sharpness",
        "0.5",
        "--drop-near-duplicates",
        "--quiet",
    ]
    assert facegan("prepare", "photos", "--out", "ds", *COMMON, *options) == 0
    assert capsys.readouterr().out == ""
    info = json.loads(Path("ds/dataset.json").read_text())
    plan, crop = info["plan"], info["crop"]
    assert plan["where"] == "Odd or Kind == 2" and plan["include"] == "*.png" and plan["limit"] == 4
    assert plan["attributes"] == "a.csv" and plan["split"] == "test=0.3" and plan["max_pixels"] == 5000
    assert plan["drop_near_duplicates"] and crop["gray"] and crop["resample"] == "bicubic"
    assert crop["min_sharpness"] == 0.5 and info["channels"] == 1
    assert sum(info["counts"].values()) == 4  # 1, 2, 3, 5


def test_inspect_tells_counts_and_rejects(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facegan("prepare", "photos", "--out", "ds", *COMMON, "--attributes", "a.csv", "--quiet")
    assert facegan("inspect", "ds") == 0
    out = capsys.readouterr().out
    for text in (
        "ds: 28x28 px, 3 channel(s), content hash ",
        "train       10 pictures",
        "made from photos",
        "crop: kind none",
        "chosen by --attributes a.csv",
        "50.0% ####################\n",  # Odd: 1, 3, 5, 7 of the eight known
        "3 classes (0 38%, 1 38%, 2 25%)",  # Kind: 0, 3, 6 / 1, 4, 7 / 2, 5
        "rejects: 2",
        "photos/broken.jpg: not an image",
        "photos/copy.png: exact duplicate of photos/3.png",
        "near duplicates: 0",
    ):
        assert text in out, text
    assert facegan("inspect", "ds", "--rejects", "0") == 0
    assert "photos/broken.jpg" not in capsys.readouterr().out
    assert facegan("inspect", "ds", "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("ds/dataset.json").read_text())


def test_inspect_writes_the_tutorials_npz_and_prepare_reads_it(photos: Path) -> None:
    facegan("prepare", "photos", "--out", "ds", *COMMON, "--attributes", "a.csv", "--quiet")
    assert facegan("inspect", "ds", "--to-npz", "deep/faces.npz") == 0
    with np.load("deep/faces.npz") as archive:
        images, attributes, names = archive["arr_0"], archive["attributes"], archive["attribute_names"]
    assert images.shape == (10, 28, 28, 3) and images.dtype == np.uint8
    expected = np.asarray(Image.fromarray(photo(0)).resize((28, 28), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(images[0], expected)
    assert names.tolist() == ["Odd", "Kind"] and attributes.tolist()[5] == [1, 2]
    assert attributes.tolist()[9] == [-1, -1]
    assert [p.name for p in Path("deep").iterdir()] == ["faces.npz"]
    assert facegan("prepare", "deep/faces.npz", "--out", "again", *COMMON, "--quiet") == 0
    assert facegan("inspect", "again", "--to-npz", "again.npz") == 0
    with np.load("again.npz") as archive:
        np.testing.assert_array_equal(archive["arr_0"], images)


def test_inspect_writes_a_grid(photos: Path) -> None:
    facegan("prepare", "photos", "--out", "ds", *COMMON, "--quiet")
    assert facegan("inspect", "ds", "--grid", "grid.png", "--count", "4") == 0
    grid = np.asarray(Image.open("grid.png"))
    assert grid.shape == (2 * 30 + 2, 2 * 30 + 2, 3)
    facegan("inspect", "ds", "--to-npz", "a.npz")
    with np.load("a.npz") as archive:
        np.testing.assert_array_equal(grid[2:30, 2:30], archive["arr_0"][0])


MISTAKES = {
    "a missing source": (["prepare", "nowhere", "--out", "x"], "nowhere: no such file or folder"),
    "an attribute": (
        ["prepare", "photos", "--out", "x", "--attributes", "a.csv", "--where", "Od"],
        "did you mean 'Odd'?",
    ),
    "a size": (["prepare", "photos", "--out", "x", "--size", "9"], "--size must be from 28 to 1024"),
    "a preset": (["prepare", "photos", "--out", "x", "--preset", "foo"], "--preset 'foo' is unknown"),
    "no faces": (["prepare", "photos", "--out", "x", "--workers", "1"], "no picture is left"),
    "a folder in use": (["prepare", "a.csv", "--out", "photos"], "not empty and not a dataset"),
    "no dataset": (["inspect", "photos"], "not a prepared dataset"),
    "a split": (["inspect", "ds", "--grid", "g.png", "--split", "val"], "there is no split 'val'"),
    "a grid's name": (["inspect", "ds", "--grid", "g.jpg"], "must end in .png"),
    "a grid's place": (["inspect", "ds", "--grid", "a.csv/g.png"], "--grid a.csv/g.png: cannot be written"),
    "an npz's name": (["inspect", "ds", "--to-npz", "g.np"], "must end in .npz"),
    "an npz's place": (["inspect", "ds", "--to-npz", "a.csv/g.npz"], "a.csv/g.npz: cannot be written"),
    "a count": (["inspect", "ds", "--grid", "g.png", "--count", "0"], "--count must be at least 1"),
}


def test_mistakes_are_one_line(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facegan("prepare", "photos", "--out", "ds", *COMMON, "--quiet")
    for name, (argv, text) in MISTAKES.items():
        capsys.readouterr()
        assert facegan(*argv) == 2, name
        err = capsys.readouterr().err
        last = err.splitlines()[-1]
        assert text in last and last.startswith(f"facegan {argv[0]}: ") and "Traceback" not in err, (
            name,
            err,
        )
    assert not Path("x").exists()


def test_the_real_command_stopped_by_ctrl_c_keeps_its_work(photos: Path, tmp_path: Path) -> None:
    for i in range(10, 400):
        (photos / f"{i}.png").write_bytes(png_bytes(photo(i)))
    command = [sys.executable, "-m", "facegan.cli.main", "prepare", "photos", "--out", "ds"]
    run = subprocess.Popen(
        [*command, "--crop", "none", "--size", "64", "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not (tmp_path / "ds/.work/000001.arrow").exists():
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.005)
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and "Traceback" not in err, err
    assert err.splitlines()[-1] == "facegan prepare: interrupted"
    assert (tmp_path / "ds/.work/000001.arrow").exists() and not (tmp_path / "ds/dataset.json").exists()
    assert facegan("prepare", "photos", "--out", "ds", "--crop", "none", "--size", "64", "--quiet") == 0
