"""``facegan translate`` and ``facegan.translate``: what they take, what they write, and every mistake."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from untrained_translators import pictures, translator

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.data.inputs import derive
from facegan.errors import FaceganError, FaceganWarning, InputError
from facegan.generator import Generator
from facegan.images import png_bytes, read_image_file, resize
from facegan.marks import COMPOSITE, GENERATED, read_mark
from facegan.translation import photos as reading
from facegan.translation.translated import between
from facegan.translator import Translator


@pytest.fixture(scope="module")
def model() -> Translator:
    """Two directions, trained on nothing in particular."""
    return translator("cyclegan", residual=True)


@pytest.fixture(scope="module")
def sketches() -> Translator:
    """From drawings of aligned faces."""
    return translator(input="edges", crop="aligned")


@pytest.fixture(scope="module")
def files(model: Translator, sketches: Translator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("translators")
    model.save(at / "ab.safetensors")
    sketches.save(at / "edges.safetensors")
    return at


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder() -> Path:
    at = Path("photos")
    at.mkdir()
    for i, picture in enumerate(pictures(5)):
        (at / f"{i}.png").write_bytes(png_bytes(picture))
    return at


def translate(*argv: object) -> int:
    return main(["translate", *map(str, argv)])


def read(path: str | Path) -> np.ndarray:
    return read_image_file(path)


# --- what is given ---------------------------------------------------------------------------------------

GIVEN = {
    "one picture": lambda p: p[0],
    "a batch": lambda p: p,
    "a list": lambda p: list(p),
    "floats": lambda p: p / np.float32(255),
    "a tensor, channels first": lambda p: torch.from_numpy(p).permute(0, 3, 1, 2),
    "Pillow's": lambda p: [Image.fromarray(x) for x in p],
    "files": lambda p: [Path("photos") / f"{i}.png" for i in range(len(p))],
    "texts": lambda p: [f"photos/{i}.png" for i in range(len(p))],
    "a folder": lambda p: "photos",
}


@pytest.mark.parametrize("kind", GIVEN)
def test_pictures_as_people_have_them(kind: str, model: Translator, folder: Path) -> None:
    """Each is what the translator makes of the plain pictures; those of the model's size are crops."""
    given, plain = GIVEN[kind](pictures(5)), pictures(5)[: 1 if kind == "one picture" else 5]
    done = facegan.translate(model, given)
    np.testing.assert_array_equal(done.images, model.translate(plain))
    np.testing.assert_array_equal(np.stack(done.inputs), plain)
    assert done.count == len(plain) and not done.files and not done.left_out
    assert (done.direction, len(set(done.names))) == ("a-to-b", len(plain))
    back = facegan.translate(model, given, "b-to-a")
    np.testing.assert_array_equal(back.images, model.translate(plain, "b-to-a"))


def test_pictures_are_turned_into_what_the_model_was_trained_on(sketches: Translator) -> None:
    done = facegan.translate(sketches, pictures(70))  # more than a batch
    drawn = derive("edges", pictures(70))
    np.testing.assert_array_equal(np.stack(done.inputs), drawn)
    np.testing.assert_array_equal(done.images, sketches.translate(drawn))
    ready = facegan.translate(sketches, drawn, ready=True)
    np.testing.assert_array_equal(ready.images, done.images)
    assert [one.photo is None for one in ready.turned] == [True] * 70
    np.testing.assert_array_equal(done.turned[3].photo, pictures(70)[3])


def test_a_photo_is_cut_as_for_invert(sketches: Translator, shared: Path) -> None:
    from facegan.inversion.targets import read_photos

    file = shared / "data" / "photos" / "portrait.jpg"
    (expected,) = read_photos([file], sketches)
    done = facegan.translate(sketches, file)
    np.testing.assert_array_equal(done.turned[0].photo, expected.image)
    assert done.names == ("portrait",)
    whole = facegan.translate(sketches, file, align=False)
    np.testing.assert_array_equal(whole.turned[0].photo, resize(read_image_file(file), (32, 32)))
    (second,) = read_photos([shared / "data" / "photos" / "group.jpg"], sketches, face=2)
    done = facegan.translate(sketches, str(shared / "data" / "photos" / "group.jpg"), face=2)
    np.testing.assert_array_equal(done.turned[0].photo, second.image)


@pytest.mark.parametrize("side", [8, 32, 50, 120])
def test_a_drawing_of_any_size_is_ready(side: int, sketches: Translator) -> None:
    """It is made as large as the model's pictures, around its centre, and not looked at for faces."""
    drawing = np.full((side, 2 * side, 3), 255, np.uint8)
    drawing[:, side - 2 : side + 2] = 0
    done = facegan.translate(sketches, drawing, ready=True)
    expected = resize(drawing[:, side // 2 : side // 2 + side], (32, 32), "bicubic")
    np.testing.assert_array_equal(done.inputs[0], expected)


def test_a_small_picture_is_ready_as_training_made_it() -> None:
    """What ``small-16`` makes of a photo is the enlarged version of the small picture itself."""
    model = translator(side=64, input="small-16")
    photo = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    small = resize(photo, (16, 16), "bicubic")
    done = facegan.translate(model, [small], ready=True)
    np.testing.assert_array_equal(done.inputs[0], derive("small-16", photo[None])[0])


def test_grey_models_take_colour_and_colour_models_grey(model: Translator) -> None:
    grey = facegan.translate(translator(channels=1), pictures(2))
    assert grey.images.shape == (2, 32, 32, 1)
    done = facegan.translate(model, pictures(2, channels=1))
    np.testing.assert_array_equal(done.images, model.translate(pictures(2, channels=1).repeat(3, axis=3)))


def test_a_dataset_streams(
    model: Translator, portraits: Dataset, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held_out = portraits.images("test")
    done = facegan.translate(model, portraits, say=(said := []).append)
    np.testing.assert_array_equal(done.images, model.translate(held_out))
    assert said == [f"{portraits.path}: its split test, {len(held_out)} pictures"]
    assert translate(files / "ab.safetensors", portraits.path, "--split", "val", "--out", "val.npz") == 0
    with np.load("val.npz") as found:
        np.testing.assert_array_equal(found["inputs"], portraits.images("val"))
        np.testing.assert_array_equal(found["images"], model.translate(portraits.images("val")))
        assert len(set(found["names"])) == len(held_out)
    assert f"{len(held_out)} pictures translated -> val.npz" in capsys.readouterr().out
    assert translate(files / "ab.safetensors", portraits.path, "--split", "val", "--out", "val") == 0
    assert len(list(Path("val").glob("*.png"))) == len(portraits.images("val"))
    mixed = facegan.translate(model, [portraits, portraits], split="val", say=said.append)
    assert mixed.count == 2 * len(portraits.images("val")) == len(set(mixed.names))


def test_a_dataset_of_another_size_is_resized(portraits: Dataset) -> None:
    done = facegan.translate(translator(side=48), portraits)
    np.testing.assert_array_equal(done.inputs[2], resize(portraits.images("test")[2], (48, 48), "bicubic"))


def test_a_dataset_of_pairs_gives_its_inputs(model: Translator, sketches: Translator) -> None:
    """But a model that derives inputs itself takes the targets."""
    Path("ab/train").mkdir(parents=True)
    for i, picture in enumerate(pictures(4)):
        both = np.concatenate([255 - picture, picture], axis=1)
        Path(f"ab/train/{i}.png").write_bytes(png_bytes(both))
    data = facegan.prepare("ab", "pairs", pairs="side-by-side", crop="none", size=32, workers=1)
    done = facegan.translate(model, "pairs", say=(said := []).append)
    assert said == ["pairs: its split train, 4 inputs of pairs"]
    np.testing.assert_array_equal(np.stack(done.inputs), data.inputs("train"))
    np.testing.assert_array_equal(done.images, model.translate(data.inputs("train")))
    derived = facegan.translate(sketches, data, say=said.append)
    np.testing.assert_array_equal(np.stack(derived.inputs), derive("edges", data.images("train")))


def test_standard_input(files: Path, model: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO(png_bytes(pictures(1)[0]))

    monkeypatch.setattr(sys, "stdin", Pipe)
    assert translate(files / "ab.safetensors", "-", "--out", "out/") == 0
    np.testing.assert_array_equal(read("out/stdin.png"), model.translate(pictures(1))[0])


def test_pictures_are_read_when_they_are_wanted(
    model: Translator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder's first results are there before its last files are read."""
    order: list[str] = []
    real = reading.open_photos

    def noted(source, reader):  # type: ignore[no-untyped-def]
        for photo in real(source, reader):
            order.append(f"read {photo.name}")
            yield photo

    monkeypatch.setattr(reading, "open_photos", noted)
    monkeypatch.setattr("facegan.translation.translate.BATCH", 2)
    facegan.translate(model, "photos", on_progress=lambda what, done, total: order.append(f"{done} {total}"))
    assert order[:4] == ["read 0", "read 1", "1 None", "2 None"] and order[-1] == "5 None"


# --- files -----------------------------------------------------------------------------------------------


def test_a_figure_and_the_results(
    files: Path, sketches: Translator, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert translate(files / "edges.safetensors", "photos/0.png", "photos/1.png") == 0
    assert capsys.readouterr().out == "2 pictures translated -> translated.png, translated-result.png\n"
    shown = read("translated.png")
    assert 1000 <= shown.shape[1] <= 1030
    result = sketches.translate(derive("edges", pictures(5)[:1]))[0]
    assert translate(files / "edges.safetensors", "photos/0.png", "--out", "a.png", "--scale", 1) == 0
    np.testing.assert_array_equal(read("a-result.png"), result)
    cells = read("a.png")[:, 4:]
    for x, expected in zip(
        (0, 36, 72), (pictures(1)[0], derive("edges", pictures(1))[0], result), strict=True
    ):
        np.testing.assert_array_equal(cells[-36:-4, x : x + 32], expected)
    with Image.open("a.png") as picture:
        assert picture.text["model"] == sketches.hash  # type: ignore[attr-defined]
        assert picture.text["direction"] == "forward"  # type: ignore[attr-defined]


def test_single_files_are_named_after_the_photos(files: Path, model: Translator, folder: Path) -> None:
    assert translate(files / "ab.safetensors", "photos", "--direction", "b-to-a", "--out", "out/") == 0
    assert sorted(p.name for p in Path("out").iterdir()) == [f"{i}.png" for i in range(5)]
    expected = model.translate(pictures(5), "b-to-a")
    for i in range(5):
        np.testing.assert_array_equal(read(f"out/{i}.png"), expected[i])


def test_results_say_what_made_them(files: Path, model: Translator, folder: Path) -> None:
    """Pictures with pixels of the photo, or with photos beside them, by another word of IPTC's."""
    ab = files / "ab.safetensors"
    assert translate(ab, "photos/0.png", "--out", "a.png") == 0
    assert translate(ab, "photos/0.png", "--steps", 3, "--out", "s/") == 0
    assert translate(ab, "photos", "--no-mark", "--out", "none/") == 0
    found = {name: read_mark(name) for name in ("a.png", "a-result.png", "s/0-2.png")}
    assert all(mark and mark.model == model.hash for mark in found.values())
    assert [mark and mark.source for mark in found.values()] == [COMPOSITE, GENERATED, COMPOSITE]
    command = "facegan translate ab.safetensors 0.png --steps 3 --out out"
    assert found["s/0-2.png"] and found["s/0-2.png"].command == command
    assert read_mark("none/0.png") is None


def test_steps_go_from_none_to_full(files: Path, model: Translator, folder: Path) -> None:
    result = model.translate(pictures(5))
    assert translate(files / "ab.safetensors", "photos", "--steps", 5, "--out", "s.npz") == 0
    with np.load("s.npz") as found:
        rows = found["images"]
    assert rows.shape == (5, 5, 32, 32, 3)
    np.testing.assert_array_equal(rows[:, 0], pictures(5))
    np.testing.assert_array_equal(rows[:, 4], result)
    half = (pictures(5).astype(float) + result) / 2
    assert np.abs(rows[:, 2] - half).max() <= 0.5
    assert translate(files / "ab.safetensors", "photos/0.png", "--steps", 3, "--out", "s/") == 0
    for number, expected in ((1, pictures(1)[0]), (2, rows[0, 2]), (3, result[0])):
        np.testing.assert_array_equal(read(f"s/0-{number}.png"), expected)
    assert (
        translate(files / "ab.safetensors", "photos/0.png", "--steps", 5, "--scale", 1, "--out", "s.png") == 0
    )
    for i in range(5):
        np.testing.assert_array_equal(read("s.png")[-36:-4, 4 + 36 * i : 36 + 36 * i], rows[0, i])
    done = facegan.translate(model, pictures(2))
    np.testing.assert_array_equal(np.stack(done.steps(5)), rows[:2])


def test_between_is_exact_at_its_ends() -> None:
    a, b = pictures(2)
    np.testing.assert_array_equal(between(a, b, 0.0), a)
    np.testing.assert_array_equal(between(a, b, 1.0), b)


def test_whole_photos_at_their_own_size(files: Path, sketches: Translator) -> None:
    """Far from the face, the photo is the same to the bit, in every step."""
    argv = [files / "edges.safetensors", "sample:astronaut", "sample:officer", "--whole"]
    assert translate(*argv, "--out", "w/") == 0
    for name in ("astronaut", "officer"):
        before, after = read(f"sample:{name}"), read(f"w/{name}.png")
        assert before.shape == after.shape
        changed = (before != after).any(2)
        y, x = np.nonzero(changed)
        assert 0.02 < changed.mean() < 0.3 and changed[y.min() : y.max(), x.min() : x.max()].mean() > 0.5
        np.testing.assert_array_equal(after[-100:], before[-100:])
    assert translate(*argv[:2], "--whole", "--steps", 3, "--out", "steps/") == 0
    np.testing.assert_array_equal(read("steps/astronaut-1.png"), read("sample:astronaut"))
    np.testing.assert_array_equal(read("steps/astronaut-3.png"), read("w/astronaut.png"))
    assert translate(*argv[:2], "--whole") == 0
    np.testing.assert_array_equal(read("translated-result.png"), read("w/astronaut.png"))
    assert read("translated.png").shape[1] <= 1030
    done = facegan.translate(sketches, ["sample:astronaut", "sample:officer"], whole=True)
    np.testing.assert_array_equal(done.pictures[0], read("w/astronaut.png"))
    with pytest.raises(InputError, match="differ in size"):
        _ = done.images


# --- what cannot be used -----------------------------------------------------------------------------------


def test_one_bad_photo_does_not_lose_the_rest(
    files: Path, model: Translator, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos/notes.txt").write_text("no photo at all, which is told and does not count")
    assert translate(files / "ab.safetensors", "photos", "--out", "all/") == 0
    assert "left out: notes.txt: not an image file" in capsys.readouterr().err
    Path("photos/notes.txt").unlink()
    Path("photos/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert translate(files / "ab.safetensors", "photos", "--out", "out/") == 1
    out, err = capsys.readouterr()
    assert out == "5 pictures translated -> out (1 left out)\n"
    assert err.count("left out: ") == 1 and "broken.png" in err
    assert len(list(Path("out").iterdir())) == 5
    named = ["photos/0.png", "photos/broken.png", "nowhere.png", "photos/1.png"]
    assert translate(files / "ab.safetensors", *named, "--out", "named/") == 1
    err = capsys.readouterr().err
    assert "nowhere.png: there is no such file or folder" in err and err.count("left out: ") == 2
    assert sorted(p.name for p in Path("named").iterdir()) == ["0.png", "1.png"]
    with pytest.warns(FaceganWarning, match="left out"):
        done = facegan.translate(model, named)
    assert done.count == 2 and len(done.left_out) == 2
    assert str(done) == "2 pictures translated (2 left out)"
    assert translate(files / "ab.safetensors", "photos/broken.png", "nowhere.png") == 2
    assert "none of the 2 photos can be used" in capsys.readouterr().err


def test_a_photo_without_a_face_among_others(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("blank.png").write_bytes(png_bytes(np.full((90, 90, 3), 120, np.uint8)))
    for more in ([], ["--whole"]):
        argv = [files / "edges.safetensors", "sample:officer", "blank.png", *more, "--out", "out/"]
        assert translate(*argv) == 1
        err = capsys.readouterr().err
        assert err.count("left out: ") == 1 and "blank.png: no face" in err
        assert [p.name for p in Path("out").iterdir()] == ["officer.png"]


MISTAKES: dict[str, tuple[list[str], str]] = {
    "no model": (["photos/0.png"], "photos/0.png: this is no model; the model comes first"),
    "nothing": ([], "MODEL is missing; the model comes first: facegan translate MODEL PHOTO ..."),
    "a model alone": (["AB"], "give a photo: a file, a folder, a dataset, - (standard input)"),
    "model behind": (["photos/0.png", "AB"], "the model comes first: facegan translate MODEL PHOTO ..."),
    "a generator": (["celeba64", "photos/0.png"], "celeba64: this is a generator"),
    "no photo": (["AB", "nowhere.png"], "nowhere.png: there is no such file or folder"),
    "a folder of text": (["AB", "texts"], "texts: none of its 1 files can be used"),
    "an empty folder": (["AB", "empty"], "empty: there are no pictures in this folder"),
    "no face": (["EDGES", "blank.png"], "blank.png: no face; --no-align takes the picture as it is"),
    "no face in the whole": (
        ["EDGES", "blank.png", "--whole"],
        "blank.png: no face, and --whole changes nothing but faces",
    ),
    "seeds": (["AB", "seed:5"], "'facegan generate --seed 5 --out FOLDER/' draws them"),
    "direction": (
        ["AB", "photos/0.png", "--direction", "b"],
        "--direction b: this translator has",
    ),
    "whole of no faces": (["AB", "photos/0.png", "--whole"], "--whole: this model was not trained on crops"),
    "whole and ready": (["EDGES", "blank.png", "--whole", "--ready"], "--ready is for pictures that are"),
    "whole unaligned": (["EDGES", "blank.png", "--whole", "--no-align"], "leave out --no-align"),
    "whole in an npz": (
        ["EDGES", "sample:officer", "--whole", "--out", "a.npz"],
        "choose a folder for",
    ),
    "one step": (["AB", "photos/0.png", "--steps", "1"], "--steps must be from 2 to 25, or 0"),
    "steps": (["AB", "photos/0.png", "--steps", "26"], "--steps must be from 2 to 25, or 0"),
    "face": (["EDGES", "photos/0.png", "--face", "-1"], "--face must be from 0"),
    "out": (["AB", "photos/0.png", "--out", "a.txt"], "--out a.txt: choose a .png, an .npz or a folder"),
    "out on the photo": (
        ["AB", "photos/0.png", "--out", "photos/0.png"],
        "it would replace what is read",
    ),
    "out on the photos": (["AB", "photos", "--out", "photos/"], "the photos lie there; choose a folder"),
    "out in a file": (
        ["AB", "photos/0.png", "--out", "photos/0.png/a.npz"],
        "photos/0.png is a file",
    ),
    "out in the data": (["AB", "DATA", "--out", "DATA/new/"], "the photos lie there; choose a folder"),
    "scale": (["AB", "photos/0.png", "--scale", "65"], "--scale must be from 0 (as fits) to 64"),
    "scale of an npz": (["AB", "photos/0.png", "--scale", "2", "--out", "a.npz"], "--scale is for PNG"),
    "device": (["AB", "photos/0.png", "--device", "abacus"], "abacus"),
    "split": (["AB", "DATA", "--split", "exam"], "there is no split 'exam'"),
    "too many": (["AB", "many"], "--out translated.png: more than 64 pictures are too many for a figure"),
    "a whole dataset": (["EDGES", "DATA", "--whole"], "--whole is for photos; a dataset holds crops already"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(
    mistake: str, files: Path, folder: Path, portraits: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("texts", "empty", "many"):
        Path(name).mkdir()
    Path("texts/a.txt").write_text("hello")
    Path("blank.png").write_bytes(png_bytes(np.full((90, 90, 3), 120, np.uint8)))
    for i in range(65 if mistake == "too many" else 0):
        Path(f"many/{i}.png").write_bytes(png_bytes(pictures(1)[0]))
    words = {"AB": files / "ab.safetensors", "EDGES": files / "edges.safetensors", "DATA": portraits.path}
    argv, message = MISTAKES[mistake]
    before = sorted(Path().rglob("*"))
    put = [str(words.get(word, word)).replace("DATA/", f"{portraits.path}/") for word in argv]
    assert translate(*put) == 2
    err = capsys.readouterr().err
    errors = [line for line in err.splitlines() if line.startswith("facegan")]
    assert len(errors) == 1 and message in errors[0] and "Traceback" not in err
    assert sorted(Path().rglob("*")) == before


def test_functions_speak_of_arguments(model: Translator, sketches: Translator, tiny_model: Generator) -> None:
    for call, message in (
        (lambda: facegan.translate(model, None), "photos"),
        (lambda: facegan.translate(model, []), "give a photo"),
        (lambda: facegan.translate(model, np.zeros(3)), "pictures"),
        (lambda: facegan.translate(model, pictures(1), whole="yes"), "whole must be True or False"),
        (lambda: facegan.translate(model, pictures(1), steps=2.5), "steps must be a whole number"),
        (lambda: facegan.translate(model, pictures(1), out=7), "out"),
        (lambda: facegan.translate(tiny_model, pictures(1)), "this is a generator"),
        (lambda: facegan.translate(sketches, np.full((1, 90, 90, 3), 7, np.uint8)), "align=False takes"),
    ):
        with pytest.raises(FaceganError) as caught:
            call()
        assert message in str(caught.value) and "\n" not in str(caught.value)


def test_an_input_that_is_not_known_here() -> None:
    odd = translator(input="tapestry")
    with pytest.raises(InputError, match="the kind 'tapestry', which is unknown here"):
        facegan.translate(odd, pictures(1))
    np.testing.assert_array_equal(
        facegan.translate(odd, pictures(1), ready=True).images, odd.translate(pictures(1))
    )
