"""``facegan attack`` and ``facegan layers`` as a user meets them."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
from PIL import Image

from facegan.cli.attack import PRESETS
from facegan.cli.main import main
from facegan.images import read_image_file, save_png

CLASSIFIER = """
import torch
from torch import nn
class Net(nn.Module):
    input_size, mean, std = 16, (0.5,) * 3, (0.25,) * 3
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8 * 14 * 14, 4)
    def forward(self, x):
        return self.head(self.conv(x).relu().flatten(1))
def load():
    torch.manual_seed(1)
    return Net()
def labels():
    return ["cat, house cat", "dog", "African elephant, Loxodonta africana", "bus"]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with net.py and two photos of different shapes; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CLASSIFIER)
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a", (40, 60)), ("b", (33, 21))):
        picture = rng.integers(60, 200, (4, 4, 3), np.uint8)
        Image.fromarray(picture).resize(size[::-1], Image.Resampling.BICUBIC).save(f"photos/{name}.png")
    return tmp_path


def classes(file: str) -> int:
    """What the network says of a file, by other ways than the package's."""
    scope: dict = {}
    exec(Path("net.py").read_text(), scope)
    x = torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    x = torch.nn.functional.interpolate(x, (16, 16), mode="bilinear", antialias=True)
    return int(scope["load"]()((x - 0.5) / 0.25).argmax())


def test_one_photo(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["attack", "photos/a.png", "--model", "net.py:load", "--target", "african elephant", "--epsilon"]
    assert main([*argv, "40/255", "--out", "out/seen.png"]) == 0
    out = capsys.readouterr().out
    assert "-> African elephant" in out and "out/seen.png" in out
    assert classes("out/seen.png") == 2 != classes("photos/a.png")
    made, photo = read_image_file("out/seen.png"), read_image_file("photos/a.png")
    difference = made.astype(int) - photo
    assert made.shape == photo.shape and 0 < np.abs(difference).max() <= 40
    shown = read_image_file("out/seen-difference.png").astype(int) - 128
    factor = 127 // np.abs(difference).max()
    assert np.array_equal(shown, factor * difference)
    assert read_image_file("out/seen-figure.png").shape[1] > 800
    assert Image.open("out/seen.png").text["target"] == "African elephant"


def test_a_folder_with_each_report(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["attack", "photos", "--model", "net.py:load", "--target", "bus", "--method", "fmn", "--no-figure"]
    for report in ("r.json", "r.csv", "r.html"):
        assert main([*argv, "--steps", "20", "--report", report, "--out", "made", "--batch", "2"]) == 0
    assert "2 of 2 reached" in capsys.readouterr().out
    assert sorted(p.name for p in Path("made").iterdir()) == ["a.png", "b.png"]
    assert classes("made/a.png") == classes("made/b.png") == 3
    table = json.loads(Path("r.json").read_text())
    assert table["reached"] == 2 and [p["photo"] for p in table["photos"]] == ["a.png", "b.png"]
    assert all(len(p["curve"]) == 21 for p in table["photos"])
    with open("r.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["after"] for r in rows] == ["bus", "bus"] and float(rows[0]["l2"]) > 0
    page = Path("r.html").read_text()
    assert page.count("<img") == 6 and "2 of 2 photos" in page and "://" not in page


def test_every_photo_has_a_place_of_its_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also beside others' figures, and where one of the folder cannot be read."""
    photo = Path("photos/a.png").read_bytes()
    for name in ("a-2.jpg", "a.jpg", "a-figure.png"):
        (place / "photos" / name).write_bytes(photo)
    (place / "photos" / "c.png").write_bytes(photo[:200])
    argv = ["attack", "photos", "--model", "net.py:load", "--epsilon", "40/255", "--out", "made", "--quiet"]
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert "5 of 5 reached" in out and err.count("\n") == 1 and "left out: " in err and "c.png" in err
    made = [line.rpartition(" -> ")[2] for line in out.splitlines()[:5]]
    files = [m.replace(".png", f"{kind}.png") for m in made for kind in ("", "-figure", "-difference")]
    assert sorted(str(p) for p in Path("made").iterdir()) == sorted(files) and len(set(files)) == 15
    assert all(read_image_file(m).shape == (40, 60, 3) for m in made if not m.startswith("made/b"))


def test_not_as_sure_as_asked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["attack", "photos/a.png", "--model", "net.py:load", "--target", "bus", "--epsilon", "60/255"]
    assert main([*argv, "--confidence", "0.999999", "--steps", "3", "--no-figure"]) == 1
    assert "(not as sure as 0.999999)" in capsys.readouterr().out
    assert main([*argv[:4], *argv[6:], "--confidence", "0.999999", "--steps", "3", "--no-figure"]) == 1
    assert "(not as sure as 0.999999)" in capsys.readouterr().out  # any other class


def test_ctrl_c_while_a_result_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    from facegan import images

    save, saved = images.save_png, []

    def pressed(path: Path, *more: object) -> None:
        saved.append(path)
        if len(saved) == 2:
            raise KeyboardInterrupt
        save(path, *more)

    monkeypatch.setattr(images, "save_png", pressed)
    argv = [
        "attack",
        "photos",
        "--model",
        "net.py:load",
        "--epsilon",
        "40/255",
        "--no-figure",
        "--batch",
        "2",
    ]
    assert main([*argv, "--report", "r.json"]) == 130
    assert "interrupted" in capsys.readouterr().out
    assert [p["photo"] for p in json.loads(Path("r.json").read_text())["photos"]] == ["a.png"]


def test_what_was_not_reached_has_exit_code_1(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["attack", "photos/a.png", "--model", "net.py:load", "--target", "bus", "--epsilon", "1/255"]
    assert main([*argv, "--robust", "resize", "jpeg", "--steps", "3"]) == 1
    out = capsys.readouterr().out
    assert "not reached: bus" in out and "survive jpeg" in out and "survive resize" in out


def test_size_and_preset(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The preset's settings are defaults: what is said besides wins."""
    argv = ["attack", "photos/a.png", "--preset", "tutorial", "--model", "net.py:load", "--size", "24"]
    code = main([*argv, "--epsilon", "0.3", "--step", "0.5", "--steps", "500", "--no-figure"])
    assert code == 0 and classes("a-attacked.png") == 2
    assert read_image_file("a-attacked.png").shape == (24, 24, 3)
    assert float(capsys.readouterr().out.split("-> African elephant ")[1].split("%")[0]) >= 80
    assert set(PRESETS) == {"tutorial"}


def test_the_exif_orientation_and_alpha_of_the_input(place: Path) -> None:
    picture = Image.open("photos/a.png").convert("RGBA")
    picture.putalpha(Image.new("L", picture.size, 128))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise
    picture.save("turned.png", exif=exif)
    assert main(["attack", "turned.png", "--model", "net.py:load", "--epsilon", "0.2", "--no-figure"]) == 0
    made, photo = read_image_file("turned-attacked.png"), read_image_file("photos/a.png")
    assert made.shape == (60, 40, 3), "upright"
    faded = np.rot90(255 - (255 - photo.astype(float)) * 128 / 255, -1)
    assert np.abs(made - faded).max() <= 0.2 * 255 + 1, "over white"


MISTAKES = {
    "no photo": (["none.jpg"], "none.jpg: there is no such photo"),
    "empty folder": (["empty"], "empty: no photos in this folder"),
    "text named png": (["text.png"], "not an image"),
    "class": (["photos/a.png", "--target", "elefant"], "near it: 2 African elephant"),
    "jpg": (["photos/a.png", "--out", "x.jpg"], "must end in .png"),
    "itself": (["photos/a.png", "--out", "photos/a.png"], "it would replace what is read there"),
    "folder itself": (["photos", "--out", "photos"], "holds photos that are read"),
    "figure itself": (["my-figure.png", "--out", "my.png"], "my-figure.png: it would replace what is read"),
    "one file for two": (["photos", "--out", "x.png"], "2 photos need a folder"),
    "epsilon": (["photos/a.png", "--epsilon", "four"], "--epsilon four: not a number such as"),
    "epsilon 0": (["photos/a.png", "--epsilon", "0"], "at least 1/255"),
    "epsilon x/0": (["photos/a.png", "--epsilon", "4/0"], "not a number such as"),
    "steps": (["photos/a.png", "--steps", "-3"], "--steps"),
    "size": (["photos/a.png", "--size", "-3"], "--size"),
    "input size": (["photos/a.png", "--input-size", "-3"], "--input-size"),
    "report": (["photos/a.png", "--report", "r.txt"], "--report r.txt: the name must end in"),
    "mean": (["photos/a.png", "--mean", "0.5"], "--mean takes three numbers"),
    "preset": (["photos/a.png", "--preset", "tutorail"], "--preset tutorail: there is no such preset"),
    "model": (["photos/a.png", "--model", "vgg18"], "near it: vgg19"),
    "no write": (["photos/a.png", "--out", "text.png/x.png", "--epsilon", "0.5"], "cannot be written"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "empty").mkdir()
    (place / "text.png").write_text("hello")
    (place / "my-figure.png").write_bytes((place / "photos" / "a.png").read_bytes())
    argv, message = MISTAKES[name]
    model = [] if "--model" in argv else ["--model", "net.py:load"]
    assert main(["attack", *argv, *model]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1


def test_ctrl_c_saves_the_picture_so_far(place: Path) -> None:
    argv = ["attack", "photos", "--model", "net.py:load", "--target", "bus", "--method", "gradient"]
    argv += ["--step", "1e-6", "--steps", "100000000", "--report", "r.json", "--no-figure"]
    child = warm.Popen(["-c", TELLING, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not Path("begun").exists():
        assert child.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert "interrupted" in out and "Traceback" not in err
    assert Path("attacked/a.png").is_file() and not Path("attacked/b.png").exists(), "b was not begun"
    assert [p["photo"] for p in json.loads(Path("r.json").read_text())["photos"]] == ["a.png"]


TELLING = """
import sys
from facegan import bars
from facegan.cli.main import main
def told(self, text, ends=False, said=[]):
    if not said:
        said.append(open("begun", "w"))
bars.Line.show = told
sys.exit(main(sys.argv[1:]))
"""


def test_layers(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layers", "net.py:load"]) == 0
    assert capsys.readouterr().out == "conv  8x14x14\nhead  4\n"
    assert main(["layers", "net.py:load", "--contains", "pool"]) == 2
    assert "has no such layer (it has 2)" in capsys.readouterr().err
    assert main(["layers", "squeezenet1_1", "--random-weights", "--contains", "classifier"]) == 0
    assert "classifier.1  1000x13x13\n" in capsys.readouterr().out


def test_a_real_classifier_sees_an_elephant(shared: Path, tmp_path: Path) -> None:
    """The photos and the trained network beside the checkout: reached within 4/255, checked by other ways."""
    spec = shared / "models" / "mobilenet_v1.py"
    photo = read_image_file(shared / "data" / "photos" / "officer.jpg")[:400, 100:400]
    save_png(tmp_path / "officer.png", photo)
    out = tmp_path / "elephant.png"
    argv = [
        "attack",
        str(tmp_path / "officer.png"),
        "--model",
        f"{spec}:load",
        "--target",
        "African elephant",
    ]
    assert main([*argv, "--out", str(out), "--no-figure"]) == 0
    scope: dict = {"__file__": str(spec), "__name__": "mobilenet"}
    exec(spec.read_text(), scope)
    pixels = np.array(Image.open(out))
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    x = torch.nn.functional.interpolate(x, (192, 192), mode="bilinear", antialias=True)
    assert int(scope["load"]()(x).argmax()) == 386
    assert 0 < np.abs(pixels.astype(int) - photo).max() <= 4
