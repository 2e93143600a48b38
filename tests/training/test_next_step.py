"""The next step that 'prepare' prints works for pictures of any shape: the recipe suits the dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegan.cli.main import main
from facegan.cli.prepare import report
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.errors import ConfigError
from facegan.images import save_png
from facegan.recipes import choice
from facegan.recipes.table import RECIPES
from facegan.training.train import train

# width x height, channels -> the recipe on a CPU
SHAPES = {
    "28 grey": "digits-dcgan-28-plus",
    "28": "stylegan2-small",
    "32": "faces-tiny-32",
    "48": "stylegan2-small",
    "48 grey": "stylegan2-small",
    "50": "faces-dcgan-50-plus",
    "56": "faces-dcgan-56-plus",
    "64": "faces-fast-64",
    "64 grey": "faces-fast-64",
    "80": "faces-dcgan-80-plus",
    "96": "stylegan2-small",
    "128": "faces-dcgan-128-plus",
    "48x64": "stylegan2-64-small",
    "64x80": "stylegan2-small",
}


def dataset(at: Path, shape: str, count: int = 6) -> Dataset:
    """Noise of that shape, prepared."""
    size, _, grey = shape.partition(" ")
    width, _, height = size.partition("x")
    sides = (int(height or width), int(width))
    rng = np.random.default_rng(0)
    (at / "photos").mkdir()
    for i in range(count):
        save_png(at / "photos" / f"{i}.png", rng.integers(0, 256, (*sides, 3), np.uint8))
    return prepare(at / "photos", at / "data", crop="none", size=sides, gray=bool(grey), workers=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_next_step_works(
    shape: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from facegan.planning import dry_run as dryrun

    monkeypatch.setattr(dryrun, "TIMED_SECONDS", 0.0)
    monkeypatch.setattr(dryrun, "SLOW_UPDATE", 0.0)  # one timed update of each kind
    data = dataset(tmp_path, shape)
    printed = report(data).rpartition("next: ")[2]
    assert printed == f"facegan train {data.path}"
    argv = [*printed.split()[1:], "--dry-run", "--device", "cpu", "--batch", "2"]
    assert main(argv) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"recipe {SHAPES[shape]}: ") and "--recipe NAME takes another" in err
    assert out.startswith(f"{SHAPES[shape]} on ") and "Time on this machine" in out
    assert (
        list(tmp_path.iterdir()) == [tmp_path / "photos", tmp_path / "data"]
        or not (tmp_path / "runs").exists()
    )


@pytest.mark.parametrize("shape", ["256", "256 grey", "192x256"])
def test_recipes_of_large_pictures_suit(shape: str, tmp_path: Path) -> None:
    from facegan.families import get_family

    data = dataset(tmp_path, shape, 2)
    seen = choice.surroundings(data)
    config = RECIPES[choice.pick_recipe(seen)[0]].config
    made = get_family(config.family).build_generator(
        config.model.generator, (seen.channels, seen.height, seen.width), config.latent.dim
    )
    assert made is not None and report(data).endswith(f"next: facegan train {data.path}")


@pytest.mark.parametrize(("shape", "near"), [("72", "64 or 80"), ("60x80", "56x80 or 64x80")])
def test_a_shape_that_nothing_takes_names_those_beside_it(
    shape: str, near: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = dataset(tmp_path, shape)
    what = shape if "x" in shape else f"{shape}x{shape}"
    assert report(data).endswith(
        f"next: prepare with --size {near}, for no recipe takes pictures of {what} px"
    )
    assert main(["train", str(data.path), "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert f"prepare with --size {near}" in said and said.count("\n") == 1
    with pytest.raises(ConfigError, match="no recipe takes pictures of"):
        train(data, out=tmp_path / "run", device="cpu")


def test_one_picture_is_too_few(tmp_path: Path) -> None:
    assert report(dataset(tmp_path, "64", 1)).endswith(
        "next: add photos: training takes two pictures or more"
    )


def test_the_same_command_goes_on_with_its_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that began with a named recipe is continued without naming it."""
    data, out = dataset(tmp_path, "32"), tmp_path / "run"
    small = ["--out", str(out), "--device", "cpu", "--batch", "4", "--quality-count", "0", "--no-tensorboard"]
    begin = ["train", str(data.path), "--recipe", "stylegan2-small", *small, "--kimg", "0.004"]
    assert main(begin) == 0
    capsys.readouterr()
    assert main(["train", str(data.path), *small, "--kimg", "0.008"]) == 0
    err = capsys.readouterr().err
    assert f"recipe stylegan2-small: the run in {out} began with it" in err and "resumed from" in err


def test_from_python_the_dataset_decides_too(tmp_path: Path) -> None:
    data = dataset(tmp_path, "28 grey")
    run = train(data, out=tmp_path / "run", device="cpu", kimg=0.004, batch=4, quality_count=0, grid_count=4)
    assert '"recipe": "digits-dcgan-28-plus"' in (run / "config.json").read_text()


NEEDS = {  # what a dataset has, and what the recipe's refusal says
    ("64", "digits-dcgan-28"): "are 64x64 in colour, but digits-dcgan-28 needs 28x28 in grey; "
    "prepare with --size 28 --gray or",
    (
        "28",
        "digits-dcgan-28",
    ): "are in colour, but digits-dcgan-28 needs them in grey; prepare with --gray or",
    ("64 grey", "faces-dcgan-80"): "are 64x64 in grey, but faces-dcgan-80 needs 80x80 in colour; "
    "prepare with --size 80 --no-gray or",
    ("64", "faces-dcgan-80"): "are 64x64, but faces-dcgan-80 needs 80x80; prepare with --size 80 or",
}


@pytest.mark.parametrize("sweep", [[], ["--sweep", "gamma=1,10"]])
@pytest.mark.parametrize(("shape", "recipe"), NEEDS)
def test_what_a_recipe_needs_is_said_at_once_and_before_anything_begins(
    shape: str, recipe: str, sweep: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = dataset(tmp_path, shape)
    out = tmp_path / "run"
    assert main(["train", str(data.path), "--recipe", recipe, "--out", str(out), *sweep]) == 2
    said = capsys.readouterr()
    assert NEEDS[shape, recipe] in said.err and said.err.count("\n") == 1 and not said.out
    assert not out.exists()


def test_a_setting_that_cannot_be_is_one_line_before_anything_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = dataset(tmp_path, "32"), tmp_path / "run"
    assert (
        main(["train", str(data.path), "--recipe", "faces-tiny-32", "--batch", "0", "--out", str(out)]) == 2
    )
    assert (
        capsys.readouterr().err == "facegan train: --batch must be at least 1, not 0\n" and not out.exists()
    )


@pytest.mark.parametrize(
    ("sides", "crop", "options", "line"),
    [
        ((28, 28), "none", {"size": 64}, "grey pictures of 28x28; --size 28 --gray keeps them so"),
        ((28, 28), "center", {"size": 28}, "grey pictures of 28x28; --gray keeps them so"),
        ((28, 28, 3), "none", {"size": 64}, "pictures of 28x28; --size 28 keeps them so"),
        ((32, 40), "none", {"size": 64, "gray": True}, "pictures of 40x32; --size 32x40 keeps them so"),
        ((28, 28), "none", {"size": 28, "gray": True}, ""),
        ((80, 80, 3), "center", {"size": 64}, ""),
    ],
)
def test_prepare_says_how_arrays_stay_as_they_are(
    sides: tuple[int, ...], crop: str, options: dict, line: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 256, (5, *sides), np.uint8))
    data = prepare(tmp_path / "a.npy", tmp_path / "d", crop=crop, workers=1, **options)
    assert [n for n in data.info["notes"] if "the source holds" in n] == [f"the source holds {line}"] * bool(
        line
    )
