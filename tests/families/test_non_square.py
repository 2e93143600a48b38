"""Pictures that are not square, from photos to everything that is drawn: 48 px wide and 64 high."""

import json

import numpy as np
import pytest
from PIL import Image

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.demo.portraits import write_portraits

pytestmark = pytest.mark.usefixtures("fewer_draws")

NARROW = ["--kimg=0.032", "--batch=8", "--grid-count=4", "--quality-count=0", "--generator.w-dim=16"]
NARROW += [
    f"--{side}.{name}={n}"
    for side in ("generator", "discriminator")
    for name, n in (("channel-base", 256), ("channel-max", 8))
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a dataset and a run of it."""
    folder = tmp_path_factory.mktemp("portraits")
    write_portraits(folder / "photos", 24, 0, size=64)
    data, run = str(folder / "data"), str(folder / "run")
    photos = str(folder / "photos")
    assert main(["prepare", photos, "--crop", "center", "--size", "48x64", "--out", data]) == 0
    words = ["train", data, "--recipe", "stylegan2-64-small", "--out", run, "--no-tensorboard", "--quiet"]
    assert main([*words, *NARROW]) == 0
    return folder


def test_the_dataset_is_what_was_asked_for(place):
    data = Dataset(place / "data")
    assert data.size == (64, 48) and data.images("train").shape[1:] == (64, 48, 3)
    middle = np.asarray(Image.open(place / "photos" / "000001.png").convert("RGB"))[:, 8:56]
    assert np.abs(data.images("train")[0].astype(int) - middle).mean() < 2  # cut, not squeezed


@pytest.mark.parametrize(
    "command",
    [
        ["generate", "RUN", "--count", "4", "--out", "OUT.png"],
        ["interpolate", "RUN", "0", "1", "--steps", "4", "--out", "OUT.png"],
        ["arithmetic", "RUN", "1,2 - 3 + 4", "--out", "OUT.png"],
        ["mix", "RUN", "0-1", "2", "--out", "OUT.png"],
        ["atlas", "RUN", "--count", "12", "--out", "OUT.png"],
        ["film", "RUN", "0", "1", "--seconds", "1", "--fps", "6", "--out", "OUT.gif"],
        ["invert", "seed:7", "PHOTO", "--no-align", "--model", "RUN", "--steps", "3", "--out", "OUT"],
        [
            "evaluate",
            "RUN",
            "--against",
            "DATA",
            "--count",
            "24",
            "--features",
            "pixels",
            "--json",
            "OUT.json",
        ],
    ],
    ids=lambda c: c[0],
)
def test_every_command(command, place, tmp_path):
    made = {name: tmp_path / f"o{name[3:]}" for name in ("OUT", "OUT.png", "OUT.gif", "OUT.json")}
    photo = place / "photos" / "000001.png"
    words = {"RUN": place / "run", "DATA": place / "data", "PHOTO": photo, **made}
    assert main([str(words.get(word, word)) for word in command]) == 0
    if command[0] == "evaluate":
        assert np.isfinite(json.loads((tmp_path / "o.json").read_text())["metrics"]["kid"])
    elif command[0] == "invert":
        with Image.open(tmp_path / "o" / "000001.png") as picture:
            assert picture.size == (48, 64)
    elif command[0] == "film":
        with Image.open(tmp_path / "o.gif") as picture:
            assert abs(picture.size[0] - picture.size[1] * 48 / 64) < 1, "whole pixels"
    elif command[0] == "generate":
        drawn = facegan.load(place / "run").sample(4)
        assert drawn.shape == (4, 64, 48, 3)
        with Image.open(tmp_path / "o.png") as picture:
            assert picture.size[0] < picture.size[1]


@pytest.mark.parametrize(
    "words, line",
    [
        (["--recipe", "faces-dcgan-64"], "its pictures are 48x64, but faces-dcgan-64 needs 64x64"),
        (["--recipe", "stylegan2-32"], "needs 32x32 (the longer side)"),
    ],
)
def test_recipes_for_other_shapes_say_so(words, line, place, capsys):
    assert main(["train", str(place / "data"), *words, "--dry-run"]) == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("text", ["x", "64x", "x64", "64x48x3", "-64", "64.5", ""])
def test_sizes_that_are_none(text, tmp_path, capsys):
    assert main(["prepare", "photos", f"--size={text}", "--out", str(tmp_path / "d")]) == 2
    said = capsys.readouterr().err
    assert f"--size {text}: write a number of px, or width x height" in said and said.count("\n") == 1
