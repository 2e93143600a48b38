"""dream and stylize as a user calls them, and every mistake in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import warm
from PIL import Image

from facegan.cli.main import main
from facegan.marks import Mark

NET = """
import torch
from torch import nn
input_size, mean, std, labels = 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), ["cat", "dog", "owl", "fox"]
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3, padding=1)
        self.b = nn.Conv2d(6, 8, 3, 2, padding=1)
        self.c = nn.Conv2d(8, 4, 3, 2, padding=1)
    def forward(self, x):
        return self.c(self.b(self.a(x).relu()).relu()).mean((2, 3))
def load():
    torch.manual_seed(0)
    return Net().eval()
"""
MODEL = ("--model", "net.py:load")
QUICK = ("--layers", "b", "--steps", "2", "--octaves", "2")
STYLE = ("--layers", "a", "b", "--content-layers", "b", "--size", "64", "--first-size", "45", "--steps", "3")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    y, x = np.mgrid[:60, :80]
    Image.fromarray(np.stack([x * 3, y * 4, x + y], -1).astype(np.uint8)).save("photo.jpg")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)).save("style.png")
    (tmp_path / "text.png").write_text("this is no picture")


def facegan(*argv: object) -> None:
    assert main([str(a) for a in argv]) == 0


def test_a_dream_with_pictures_curve_and_film(capsys: pytest.CaptureFixture[str]) -> None:
    facegan("dream", "photo.jpg", *MODEL, *QUICK, "--every", 1, "--film", "film.gif", "--curve", "curve.png")
    assert "b, 2 octaves up to 80x60 px, loss" in capsys.readouterr().out
    made = Image.open("photo-dream.png")
    assert made.size == (80, 60) and made.info["dream"] == "b" and made.info["model"] == "net.py:load"
    assert sorted(p.name for p in Path("photo-dream-steps").iterdir()) == [
        f"{i:06d}.png" for i in (1, 2, 3, 4)
    ]
    film = Image.open("film.gif")
    assert (film.n_frames, film.size) == (4, (80, 60)) and Image.open("curve.png").width > 300


def test_a_picture_at_each_octave() -> None:
    facegan("dream", "photo.jpg", *MODEL, *QUICK, "--pictures", "kept", "--out", "d.jpg", "--quiet")
    assert [Image.open(p).size for p in sorted(Path("kept").iterdir())] == [(57, 43), (80, 60)]
    made = Image.open("d.jpg")
    assert made.format == "JPEG" and b"dream: b" in made.info["comment"]


def test_noise_and_zoom() -> None:
    facegan("dream", *MODEL, "--layers", "b:0-2", "--classes", "owl", "--steps", 3, "--size", 32)
    assert Image.open("dream.png").size[0] == 2 * (32 + 4) + 4
    facegan(
        "dream",
        "photo.jpg",
        *MODEL,
        *QUICK,
        "--zoom",
        1.1,
        "--frames",
        3,
        "--between",
        1,
        "--fps",
        60,
        "--film",
        "z.webp",
    )
    assert Image.open("z.webp").n_frames == 5


def test_a_flight_that_is_interrupted_while_a_frame_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The film ends with it, and is whole; the tutorial's settings fly, too."""
    from facegan import video

    write = video.write_film

    def pressed(path: str, frames: Iterator[np.ndarray], fps: float, *, mark: Mark) -> int:
        def counted() -> Iterator[np.ndarray]:
            for i, frame in enumerate(frames):
                if i == 1:
                    os.kill(os.getpid(), signal.SIGINT)
                yield frame

        return write(path, counted(), fps, mark=mark)

    monkeypatch.setattr(video, "write_film", pressed)
    before = signal.getsignal(signal.SIGINT)
    argv = ["dream", "photo.jpg", "--preset", "tutorial", *MODEL, *QUICK, "--zoom", "1.1", "--frames", "9"]
    assert main([*argv, "--film", "z.webp"]) == 130
    assert Image.open("z.webp").n_frames == 2 and signal.getsignal(signal.SIGINT) is before


def test_a_style_with_pictures_curve_and_film(capsys: pytest.CaptureFixture[str]) -> None:
    facegan(
        "stylize",
        "photo.jpg",
        "style.png",
        "photo.jpg",
        *MODEL,
        *STYLE,
        "--style-weights",
        2,
        1,
        "--every",
        3,
        "--film",
        "f.mp4",
        "--pictures",
        "kept",
        "--curve",
        "c.png",
    )
    made = Image.open("photo-style.png")
    assert made.size == (64, 48) and made.info["styles"] == "style.png, photo.jpg"
    assert [p.name for p in sorted(Path("kept").iterdir())] == ["000003.png", "000006.png", "000009.png"]
    assert Path("f.mp4").read_bytes()[4:8] == b"ftyp" and not Path("photo-style.safetensors").exists()


def test_a_film_has_a_frame_at_least_and_names_may_have_dollars() -> None:
    Path("photo.jpg").rename("cost_$5_$6.jpg")
    facegan("dream", "cost_$5_$6.jpg", *MODEL, *QUICK, "--every", 9, "--film", "f.gif", "--curve", "c.png")
    assert Image.open("f.gif").n_frames == 1 and Image.open("c.png").width > 300
    facegan("dream", *MODEL, "--layers", "b:0", "--steps", 3, "--size", 32, "--film", "n.gif")
    assert Image.open("n.gif").n_frames == 1


@pytest.mark.parametrize("command", ["dream", "stylize"])
def test_ctrl_c_saves_the_picture_so_far(command: str, tmp_path: Path) -> None:
    """A real process and a real signal; stylize then ends where an uninterrupted run ends."""
    common = {
        "dream": ["photo.jpg", *MODEL, *QUICK[:2], "--steps", "4000", "--octaves", "1"],
        "stylize": ["photo.jpg", "style.png", *MODEL, *STYLE[:-1], "150"],
    }[command]
    run = ["-m", "facegan.cli.main", command, *common, "--out", "o.png", "--every", "20"]
    process = warm.Popen(run, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(1200):
        if Path("o-steps/000020.png").exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted" in said and "Traceback" not in said, said
    made = np.asarray(Image.open("o.png"))
    assert made.ndim == 3 and made.std() > 0
    if command == "stylize":
        assert Path("o.safetensors").exists()
        assert warm.run(run, capture_output=True).returncode == 0
        facegan("stylize", *common, "--out", "whole.png", "--quiet")
        assert np.array_equal(np.asarray(Image.open("o.png")), np.asarray(Image.open("whole.png")))
        assert not Path("o.safetensors").exists()


def test_the_work_is_kept_until_the_picture_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, say: the same command goes on from the end, and the film has all its frames."""
    command = ["stylize", "photo.jpg", "style.png", *MODEL, *STYLE, "--out", "o.png", "--quiet"]
    command += ["--every", "2", "--film", "f.gif", "--curve", "c.png"]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("facegan.images.save_picture", full)
        assert main(command) == 2
    assert Path("o.safetensors").exists() and not Path("o.png").exists()
    assert main(command) == 0 and not Path("o.safetensors").exists()
    assert Path("o.png").exists() and Path("c.png").exists()
    assert Image.open("f.gif").n_frames == len(list(Path("o-steps").iterdir())) == 4


MISTAKES = {
    "dream none.jpg --model net.py:load": "none.jpg is not a file",
    "dream text.png --model net.py:load": "not an image: text.png",
    "dream photo.jpg --model net.py:load --layers z": "z: net.py:load has no such layer",
    "dream photo.jpg --model net.py:load --classes cart": "no such class; near it: 0 cat",
    "dream photo.jpg --model net.py:load --steps -1": "--steps must be 0 or more, not -1",
    "dream photo.jpg --model net.py:load --octaves 0": "--octaves must be at least 1, not 0",
    "dream photo.jpg --model net.py:load --every -2": "--every",
    "dream photo.jpg --model net.py:load --out x.bmp": "--out x.bmp: the name must end in .png or .jpg",
    "dream photo.jpg --model net.py:load --out photo.jpg": "it would replace what is read",
    "dream photo.jpg --model net.py:load --guide style.png --out style.png": "it would replace what is read",
    "dream style.png --model net.py:load --curve style.png": "--curve style.png: it would replace",
    "dream photo.jpg --model net.py:load --out x.png --curve x.png": "another result goes there",
    "dream photo.jpg --model net.py:load --out kept.png": "--out kept.png: is a folder",
    "dream photo.jpg --model net.py:load --turn 5": "go with --zoom",
    "dream photo.jpg --model net.py:load --zoom 1.1 --film x.gif --curve c.png": "leave out --out, --curve",
    "dream kept.png/000010.png --model net.py:load --every 10 --pictures kept.png": "are read lie there",
    "dream photo.jpg --model net.py:load --guide ~nobody.png --layers b": "~nobody.png",
    "dream photo.jpg --model net.py:load --layers b:1 --guide style.png": "--guide goes with whole layers",
    "stylize photo.jpg style.png --model net.py:load --masks style.png --out style.png": "would replace",
    "dream photo.jpg --model net.py:load --film x.avi": "--film x.avi: not a known kind of film",
    "dream photo.jpg --model net.py:load --film x.gif --fps 90": "--fps must be above 0 and, for .gif",
    "dream photo.jpg --model net.py:load --zoom 1.1": "--zoom flies into a photo: give PHOTO and --film",
    "dream photo.jpg --model net.py:load --zoom 9 --film x.gif": "--zoom must be 0 or 1 to 2, not 9",
    "dream --model net.py:load --guide photo.jpg": "--guide goes with a photo",
    "dream photo.jpg --model net.py:load --guide text.png --layers b": "not an image: text.png",
    "dream photo.jpg --model none.py:load": "none.py",
    "dream photo.jpg --model net.py:load --preset tutoral": "there is no such preset (there are: tutorial)",
    "dream photo.jpg --model net.py:load --stepz 3": "Unrecognized",
    "dream photo.jpg --model net.py:load --zoom 1.1 --film x.gif --turn 999": "--turn must be from -180 to",
    "dream photo.jpg --weights w.pt --random-weights": "--weights and --random-weights exclude each other",
    "stylize photo.jpg --model net.py:load": "at least one STYLE",
    "stylize photo.jpg text.png --model net.py:load": "not an image: text.png",
    "stylize photo.jpg style.png --model net.py:load --size 9999": "--size must be 0 or 32 to 2,048, not",
    "stylize photo.jpg style.png --model net.py:load --masks photo.jpg none.png": "2 masks for 1 styles",
    "stylize photo.jpg style.png --model net.py:load --masks none.png": "none.png is not a file",
    "stylize photo.jpg style.png --model net.py:load --film x.gif": "--film and --pictures need --every",
    "stylize photo.jpg style.png --model net.py:load --out style.png": "it would replace what is read",
    "stylize photo.jpg style.png --model net.py:load --optimizer sgd": "unknown (known: adam, lbfgs, plain)",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_mistakes_are_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept.png").mkdir()
    Path("kept.png/000010.png").write_bytes(Path("style.png").read_bytes())
    before = sorted(os.listdir())
    assert main(line.split()) == 2
    said = capsys.readouterr().err.strip()
    assert MISTAKES[line] in said and "\n" not in said
    assert sorted(p for p in os.listdir() if p != "__pycache__") == before


def test_the_tutorials_presets_name_the_network_and_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """VGG19's weights are not here: what is asked for is said; other options still win."""
    facegan("dream", "photo.jpg", "--preset", "tutorial", *MODEL, *QUICK, "--quiet", "--out", "t.png")
    assert "b, 2 octaves" in capsys.readouterr().out and len(list(Path("t-steps").iterdir())) == 4
    facegan(
        "stylize",
        "photo.jpg",
        "style.png",
        "--preset",
        "tutorial",
        *MODEL,
        "--layers",
        "a",
        "--content-layers",
        "b",
        "--steps",
        2,
        "--square",
        48,
        "--quiet",
    )
    assert Image.open("photo-style.png").size == (48, 48)
