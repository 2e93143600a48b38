"""What a PHOTO on the command line may be, and what is said of what may not."""

from __future__ import annotations

import io
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import facegan
from facegan.data import crops, fetch
from facegan.data.crops import Crop
from facegan.errors import FaceganWarning, InputError
from facegan.generator import Generator
from facegan.images import png_bytes, read_image_file, resize
from facegan.inversion.targets import crop_of, read_photos
from facegan.latent.points import target_points


@pytest.fixture
def aligned(tiny_model: Generator) -> Generator:
    """The model as if its data had been aligned."""
    return Generator(
        tiny_model.network, {**tiny_model.meta, "alignment": crops.describe(Crop("aligned", 32))}
    )


def photo(seed: int = 0, size: tuple[int, int] = (40, 50)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def test_the_models_header_says_how_photos_are_cut(tiny_model: Generator) -> None:
    for crop in (
        Crop("face", 80, margin=0.4),
        Crop("aligned", 64),
        Crop("center", (48, 32)),
        Crop("tutorial", 80),
    ):
        model = Generator(tiny_model.network, {**tiny_model.meta, "alignment": crops.describe(crop)})
        found = crop_of(model)
        assert (found.kind, found.margin, found.shape) == (crop.kind, crop.margin, (32, 32, 3))
        assert crop_of(model, align=False).kind == "none"
    assert crop_of(tiny_model).kind == "none"  # nothing is known of it
    odd = Generator(tiny_model.network, {**tiny_model.meta, "alignment": {"kind": "by hand", "by": "me"}})
    assert crop_of(odd).kind == "none"


def test_a_photo_is_cut_as_prepare_cuts_it(aligned: Generator, shared: Path) -> None:
    file = shared / "data" / "photos" / "portrait.jpg"
    found = read_photos([file], aligned)
    crop = Crop("aligned", 32)
    expected = crops.apply(read_image_file(file), crop, crops.make_detector(crop))[0].image
    np.testing.assert_array_equal(found[0].image, expected)
    assert (found[0].name, found[0].seed) == ("portrait", None)
    whole = read_photos([file], aligned, align=False)
    np.testing.assert_array_equal(whole[0].image, resize(read_image_file(file), (32, 32)))


def test_which_of_several_faces(aligned: Generator, shared: Path) -> None:
    file = shared / "data" / "photos" / "group.jpg"
    told: list[list[str]] = [[], []]
    first, second = (read_photos([file], aligned, face=n, say=told[n - 1].append)[0].image for n in (1, 2))
    assert not np.array_equal(first, second)
    ((line,), none) = told
    assert re.fullmatch(rf"{file}: \d+ faces, of which the largest is taken; --face 2 is the next", line)
    assert not none  # a face was asked for
    with pytest.raises(
        InputError, match=r"group\.jpg: --face 99, but only \d+ faces found; --no-align takes"
    ):
        read_photos([file], aligned, face=99)


def test_functions_tell_of_further_faces_too(aligned: Generator, shared: Path) -> None:
    file = str(shared / "data" / "photos" / "group.jpg")
    with pytest.warns(FaceganWarning, match=r"\d+ faces, of which the largest is taken; face=2 is the next"):
        facegan.invert(file, aligned, steps=1)
    said: list[str] = []
    target_points(aligned, file, say=said.append)
    assert "--face 2 is the next" in said[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error", FaceganWarning)
        facegan.invert(file, aligned, steps=1, face=2)


def test_no_face_says_what_to_do(aligned: Generator, tmp_path: Path) -> None:
    file = tmp_path / "logo.png"
    file.write_bytes(png_bytes(np.full((90, 90, 3), 255, np.uint8)))
    with pytest.raises(InputError, match=r"logo\.png: no face; --no-align takes the picture as it is"):
        read_photos([file], aligned)
    assert read_photos([file], aligned, align=False)[0].image.min() == 255


def test_files_folders_seeds_arrays_and_names(tiny_model: Generator, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(png_bytes(photo(i)))
    (folder / "text.png").write_text("no picture")
    (folder / "notes.txt").write_text("x")
    (tmp_path / "0.png").write_bytes(png_bytes(photo(9)))
    said: list[str] = []
    found = read_photos([folder, tmp_path / "0.png", "seed:7,9", photo(3)], tiny_model, say=said.append)
    assert [p.name for p in found] == ["0", "1", "2", "0-2", "seed7", "seed9", "photo"]
    assert [p.seed for p in found] == [None, None, None, None, 7, 9, None]
    assert {p.image.shape for p in found} == {(32, 32, 3)}
    np.testing.assert_array_equal(found[4].image, tiny_model.sample([7])[0])
    assert len(said) == 2 and all(line.startswith("left out: ") for line in said)


def test_no_result_takes_the_place_of_another(tiny_model: Generator, tmp_path: Path) -> None:
    """Beside NAME.png there are pairs.png, curve.png, compare.png and NAME-path.png."""
    names = ("a-path", "a", "pairs", "curve", "b", "b-path")
    files = [tmp_path / f"{name}.png" for name in names]
    for i, file in enumerate(files):
        file.write_bytes(png_bytes(photo(i)))
    found = [p.name for p in read_photos(files, tiny_model)]
    assert found == ["a-path", "a-2", "pairs-2", "curve-2", "b", "b-path-2"]
    written = [name for p in found for name in (p, f"{p}-path")] + ["pairs", "curve", "compare"]
    assert len(set(written)) == len(written)


def test_standard_input(tiny_model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    class Input:
        buffer = io.BytesIO(png_bytes(photo(5)))

    monkeypatch.setattr(sys, "stdin", Input)
    found = read_photos(["-"], tiny_model)
    assert found[0].name == "stdin"
    np.testing.assert_array_equal(found[0].image, resize(photo(5), (32, 32)))


def test_an_address(tiny_model: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fetch, "fetch", lambda url: png_bytes(photo(5)) if url.endswith("?a=1") else b"<html>"
    )
    found = read_photos(["https://example.com/pictures/me.one.jpg?a=1"], tiny_model)
    assert found[0].name == "me.one"
    with pytest.raises(InputError, match=r"https://example.com/: not readable as a picture"):
        read_photos(["https://example.com/"], tiny_model)


def test_transparency_over_white_or_dropped(tiny_model: Generator, tmp_path: Path) -> None:
    """The tutorial drops alpha: the colour that lies under it comes out."""
    Image.new("RGBA", (32, 32), (200, 0, 0, 0)).save(tmp_path / "logo.png")
    assert read_photos([tmp_path / "logo.png"], tiny_model)[0].image.min() == 255
    under = read_photos([tmp_path / "logo.png"], tiny_model, alpha=False)[0].image
    assert under[0, 0].tolist() == [200, 0, 0]


WRONG = {
    "no_such.png": "there is no such file or folder",
    "text.png": "not readable as a picture",
    "empty.png": "not readable as a picture",
    "empty": "there are no pictures in this folder",
    "bad": "none of its 1 files can be used",
    "seed:x": "'x' is not a number",
    "seed:": "'' is not a number",
    "seed:5-3": "runs backwards",
    "ftp://a/b.png": "only http:// and https://",
    "http://127.0.0.1/a.png": "not a public address",
    "http://[::1]:80/a.png": "not a public address",
}


@pytest.mark.parametrize("source", WRONG)
def test_one_line_for_every_mistake(source: str, tiny_model: Generator, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("hello")
    Path("empty.png").touch()
    Path("empty").mkdir()
    Path("bad").mkdir()
    Path("bad/a.png").write_text("hello")
    with pytest.raises(InputError) as caught:
        read_photos([source], tiny_model)
    assert WRONG[source] in str(caught.value) and source.partition(":")[0] in str(caught.value)
    assert "\n" not in str(caught.value)
    assert source.startswith("seed:") or "--no-align" in str(caught.value)


def test_nothing_given_and_face_0(tiny_model: Generator) -> None:
    with pytest.raises(InputError, match="give a photo"):
        read_photos([], tiny_model)
    with pytest.raises(InputError, match="--face must be at least 1"):
        read_photos(["seed:1"], tiny_model, face=0)
