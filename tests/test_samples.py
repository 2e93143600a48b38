"""Sample photos: by name wherever a photo is taken, with their licences, and inside the wheel."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest

from facegan import images
from facegan.cli import stylize
from facegan.cli.main import main
from facegan.errors import InputError
from facegan.files import SAMPLES, photo_path, sample_names, style_names

ROOT = Path(__file__).parent.parent


def test_every_sample_has_its_licence_and_is_small() -> None:
    told = (SAMPLES / "LICENCES.md").read_text(encoding="utf-8")
    assert sample_names() == ["astronaut", "chelsea", "officer"]
    for name in sample_names():
        assert f"`{name}.jpg`" in told
        assert photo_path(f"sample:{name}").stat().st_size < 100_000
        assert max(images.read_image_file(f"sample:{name}").shape) <= 512


def test_styles_come_with_the_package_and_name_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert style_names() == ["mosaic", "strokes", "waves"] and not set(style_names()) & set(sample_names())
    for name in style_names():
        assert photo_path(f"sample:{name}").stat().st_size < 200_000
        assert images.read_image_file(f"sample:{name}").shape == (512, 512, 3)
    small = ["--size", "64", "--steps", "1", "--quiet"]
    assert stylize.run(["sample:astronaut", "sample:strokes", "sample:mosaic", *small]) == 0
    assert Path("astronaut-strokes.png").is_file()
    main(["models"])
    assert "sample:strokes" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["sample:", "sample:cat", "sample:../celeba64", "sample:astronaut.jpg"])
def test_an_unknown_sample_names_those_that_there_are(text: str) -> None:
    with pytest.raises(
        InputError, match=f"^{text}: .*sample:astronaut, .*sample:officer, .*sample:strokes, sample:waves$"
    ):
        photo_path(text)


def test_other_names_are_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert photo_path("me.jpg") == Path("me.jpg")
    assert photo_path("~/me.jpg") == Path("/home/somebody/me.jpg")
    assert photo_path("~nobody-of-this-name/me.jpg") == Path("~nobody-of-this-name/me.jpg")


def test_commands_take_samples_and_name_results_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["label", "sample:astronaut"]) == 0
    assert "astronaut.jpg" in Path("astronaut-attributes.csv").read_text()
    assert main(["dream", "sample:chelsea", "--size", "64", "--octaves", "1", "--steps", "1", "--quiet"]) == 0
    assert Path("chelsea-dream.png").is_file()
    main(["invert", "sample:astronaut", "--model", "celeba64", "--steps", "1", "--paths", "none"])
    assert Path("inverted/astronaut.png").is_file()
    main(["models"])
    assert "sample:officer" in capsys.readouterr().out


def test_the_wheel_holds_every_file_of_the_package() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    text = re.search(r"\[tool\.setuptools\.package-data\]\nfacegan = \[(.*?)\]", project, re.S)
    assert text
    patterns = re.findall(r'"([^"]+)"', text[1])
    for path in sorted((ROOT / "facegan").rglob("*")):
        name = path.relative_to(ROOT / "facegan").as_posix()
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in name:
            fits = [p for p in patterns if fnmatch.fnmatch(name, p) and name.count("/") == p.count("/")]
            assert fits, f"{name} is not in package-data"
