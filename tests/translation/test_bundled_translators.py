"""Translators inside the package: listed and found by name, apart from the generators."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from untrained_translators import pictures, translator

import facegan
from facegan import models
from facegan.cli.main import main
from facegan.errors import InputError
from facegan.images import png_bytes, read_image_file
from facegan.translator import Translator


@pytest.fixture
def glasses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Translator:
    """A translator that seems to come with the package, beside the generator."""
    (tmp_path / "assets" / "translators").mkdir(parents=True)
    shutil.copy(models.ASSETS / "celeba64.safetensors", tmp_path / "assets")
    made = translator(side=64)
    made.meta.update(licence="for research only, as its photos", provenance={"images_seen": 500_000})
    made.save(tmp_path / "assets" / "translators" / "glasses64.safetensors")
    (tmp_path / "assets" / "translators" / "glasses64.md").write_text("# glasses64\n")
    monkeypatch.setattr(models, "ASSETS", tmp_path / "assets")
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return made


def test_they_are_listed_apart(glasses: Translator, capsys: pytest.CaptureFixture[str]) -> None:
    assert (models.bundled(), models.bundled_translators()) == (["celeba64"], ["glasses64"])
    assert main(["models", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["kind"]) for row in rows] == [
        ("celeba64", "generator"),
        ("glasses64", "translator"),
    ]
    assert rows[1]["kimg"] == 500 and rows[1]["card"].endswith("glasses64.md")
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "glasses64: for research only" in out
    assert out.endswith("facegan generate celeba64 --count 25\nfacegan translate glasses64 me.jpg\n")


def test_by_its_name_it_translates_at_once(
    glasses: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("me.png").write_bytes(png_bytes(pictures(1, 64)[0]))
    assert main(["translate", "glasses64", "me.png", "--out", "out/"]) == 0
    np.testing.assert_array_equal(read_image_file("out/me.png"), glasses.translate(pictures(1, 64))[0])
    assert "glasses64: for research only ('facegan show glasses64')" in capsys.readouterr().err
    loaded = facegan.load("glasses64")
    assert isinstance(loaded, Translator) and loaded.bundled == "glasses64"
    assert main(["show", "glasses64"]) == 0


@pytest.mark.parametrize("command", ["generate", "invert", "film", "edit"])
def test_where_a_generator_is_needed_one_line_says_so(
    command: str, glasses: Translator, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"invert": ["sample:officer"], "edit": ["seed:1", "smiling=1"], "film": ["seed:1,2"]}
    assert main([command, "glasses64", *more.get(command, [])]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("facegan ")]
    assert len(errors) == 1 and "glasses64: this is a translator" in errors[0]
    assert "facegan translate glasses64 PHOTO" in errors[0]


def test_functions_say_so_of_objects(glasses: Translator) -> None:
    with pytest.raises(InputError, match="the model: this is a translator"):
        facegan.generate(glasses, [1])
    with pytest.raises(InputError, match="the model: this is a generator"):
        facegan.translate(facegan.load("celeba64"), pictures(1, 64))


# --- the one that is really there ----------------------------------------------------------------------


def test_glasses64_is_small_and_its_card_holds(benchmarks: Callable[[str], ModuleType]) -> None:
    script = benchmarks("bundled_translator")
    folder = models.ASSETS / models.TRANSLATORS
    assert models.bundled_translators() == ["glasses64"]
    assert (folder / "glasses64.safetensors").stat().st_size <= 6 * 2**20
    told = benchmarks("bundled").numbers((folder / "glasses64.md").read_text())
    network = facegan.load("glasses64")
    assert told["model"] in network.hashes and "non-commercial" in network.meta["licence"]
    assert "/" not in network.meta["provenance"]["command"], "no folders of a machine"
    assert np.abs(script.thumbnails() - np.asarray(told["pixels"])).max() < 1
    assert told["values"]["reached"][0] >= 0.8
    assert told["values"]["kept Male"][0] >= 0.9 and told["values"]["kept Smiling"][0] >= 0.9


def test_glasses64_changes_a_photo_only_around_the_eyes(tmp_path: Path) -> None:
    done = facegan.translate("glasses64", "sample:astronaut", whole=True, out=tmp_path / "a.png")
    before, after = done.inputs[0], done.pictures[0]
    change = np.abs(before.astype(int) - after).max(2)
    rows, columns = np.nonzero(change > 40)
    assert 20 < len(rows) < 0.03 * change.size
    assert 90 < np.median(rows) < 120 and 200 < np.median(columns) < 260


def test_an_unknown_name_lists_both(glasses: Translator) -> None:
    with pytest.raises(facegan.FaceganError, match="bundled: celeba64, glasses64"):
        facegan.load("glasses65")
