"""Progress from Python: bars where lines can be rewritten, else a line now and then; silence on request."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import warm

import facegan
from facegan import bars
from facegan.generator import Generator


class Stream(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self.terminal, self.kind = terminal, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.kind

    def isatty(self) -> bool:
        return self.terminal


@pytest.fixture()
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which tests move."""
    now = [0.0]
    monkeypatch.setattr(bars.time, "monotonic", lambda: now[0])
    return now


def steps(bar: bars.Bar, clock: list[float], seconds: float, count: int = 10) -> None:
    for done in range(1, count + 1):
        clock[0] += seconds / count
        bar("read", done, count)
    bar.close()


def test_on_a_terminal_one_line_is_rewritten(clock: list[float]) -> None:
    stream = Stream(True)
    steps(bars.Bar(stream), clock, 10.0)
    text = stream.getvalue()
    assert text.count("\r") == 10 and text.count("\n") == 1 and text.endswith("\n")
    assert "read:  ████████████░░░░░░░░░░░░  50%  5 of 10  left 0:0" in text and "100%  10 of 10" in text


def test_elsewhere_a_line_now_and_then(clock: list[float]) -> None:
    stream = Stream(False)
    steps(bars.Bar(stream), clock, 100.0)
    lines = stream.getvalue().splitlines()
    assert (
        "\r" not in stream.getvalue()
        and 4 <= len(lines) <= 6
        and lines[0].startswith("read:  2 of 10  left ")
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_done_at_once_needs_no_bar(terminal: bool, clock: list[float]) -> None:
    stream = Stream(terminal)
    steps(bars.Bar(stream), clock, 0.4)
    assert stream.getvalue() == ""


def test_without_unicode_and_without_a_total(clock: list[float]) -> None:
    stream = Stream(True, "ascii")
    steps(bars.Bar(stream), clock, 10.0)
    assert "############............" in stream.getvalue() and stream.getvalue().isascii()
    bar, clock[0] = bars.Bar(stream), 99.0
    bar("read", 1234, None)
    assert stream.getvalue().rstrip("\x1b[K").endswith("read: 1,234")


def test_a_stream_that_is_gone_stops_nothing(clock: list[float]) -> None:
    stream = Stream(True)
    bar = bars.Bar(stream)
    stream.close()
    steps(bar, clock, 10.0)


@pytest.mark.parametrize(
    ("said", "variable", "expected"),
    [
        (None, None, True),
        (None, "0", False),
        (None, "off", False),
        (None, "1", True),
        (False, "1", False),
        (True, "0", True),
    ],
)
def test_silence_on_request(
    said: bool | None, variable: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "_wanted", None)
    monkeypatch.delenv(bars.VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(bars.VARIABLE, variable)
    if said is not None:
        facegan.set_progress(said)
    assert bars.wanted() == expected
    with bars.silence():
        assert not bars.wanted()
    assert bars.wanted() == expected
    with bars.shown(lambda *_: 7) as told:  # a callback of one's own always counts
        assert told() == 7


def test_a_notebooks_kernel_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not bars.in_notebook()
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(
        sys.modules, "IPython", type("Module", (), {"get_ipython": staticmethod(lambda: shell)})
    )
    assert bars.in_notebook() and bars.Bar(Stream(False)).live


SCRIPT = """
import sys, facegan
from facegan import bars
from facegan.demo.portraits import write_portraits
bars._PATIENCE, bars.EVERY = 0.0, 0.0
write_portraits("photos", 24, 0, size=32)
data = facegan.prepare("photos", "data", crop="none", size=32, workers=1)
small = {"generator.width": 0.25, "discriminator.width": 0.25}
run = facegan.train(data, out="run", device="cpu", kimg=0.032, quality_count=0, grid_count=1, **small)
model = facegan.load(run)
facegan.evaluate(model.sample(12), data, "pixels", metrics=["fid"], floor=False)
facegan.invert(model.sample(1), model, steps=2, loss="mse=1")
print("own callbacks", file=sys.stderr)
facegan.evaluate(model.sample(12), data, "pixels", metrics=["fid"], floor=False, on_progress=lambda *a: None)
"""


@pytest.mark.parametrize("quiet", [False, True])
def test_every_long_function_shows_itself(quiet: bool, tmp_path: Path) -> None:
    env = {**os.environ, bars.VARIABLE: "0" if quiet else "1"}
    done = warm.run(["-c", SCRIPT], capture_output=True, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    before, _, after = done.stderr.partition("own callbacks\n")
    assert after == "" and done.stdout == ""
    for start in ("prepare data: read", "training (images):", "features of pictures:", "invert 1 photo:"):
        assert (start in before) == (not quiet), done.stderr


# --- what shows itself -------------------------------------------------------------------------------


def test_dir_is_the_public_list() -> None:
    assert dir(facegan) == sorted(facegan.__all__)
    assert set(facegan._PUBLIC) | facegan._MODULES | {"__version__"} == set(facegan.__all__)
    assert dir(facegan.pixels) == sorted(facegan.pixels.__all__)


def test_pictures_show_themselves(tiny_model: Generator, tmp_path: Path) -> None:
    from facegan.images import read_image

    pictures = tiny_model.sample(5)
    sheet = facegan.show(pictures, columns=3)
    shown = read_image(sheet._repr_png_())
    assert shown.shape == sheet.image.shape == (2 * 322 + 2, 3 * 322 + 2, 3)  # ten times 32 px, 2 px between
    np.testing.assert_array_equal(shown[2:322:10, 2:322:10], pictures[0])
    np.testing.assert_array_equal(facegan.show(pictures / 255, columns=3).image, sheet.image)
    assert repr(sheet) == "<Sheet of 5 pictures, 968x646 px; save(FILE) writes it>"
    assert facegan.show(pictures[0]).image.shape == (1024, 1024, 3)
    for name, model in (("marked.png", tiny_model), ("plain.jpg", None)):
        facegan.show(pictures, model=model).save(tmp_path / name)
        mark = facegan.read_mark(tmp_path / name)
        assert (mark and mark.model) == (model and model.hash)
    with pytest.raises(facegan.FaceganError, match="model must be a loaded model, not 'celeba64'"):
        facegan.show(pictures, model="celeba64")
    sheet.save(tmp_path / "sheet.png")
    np.testing.assert_array_equal(read_image((tmp_path / "sheet.png").read_bytes()), sheet.image)
    for wrong in (np.zeros((2, 3)), "faces.png", np.zeros((0, 8, 8, 3)), None):
        with pytest.raises(facegan.FaceganError, match="pictures are uint8 or floats"):
            facegan.show(wrong)


def test_no_object_prints_as_an_address(tiny_model: Generator, tmp_path: Path) -> None:
    from facegan import latent
    from facegan.demo.portraits import write_portraits
    from facegan.metrics.feature_extractors import table

    write_portraits(tmp_path / "photos", 24, 0, size=32)
    data = facegan.prepare(tmp_path / "photos", tmp_path / "data", crop="none", size=32, workers=1)
    pictures = tiny_model.sample(12)
    measured = facegan.evaluate(pictures, data, "pixels", metrics=["fid"], floor=False)
    inverted = facegan.invert(tiny_model.sample(2), tiny_model, steps=1, loss="mse=1")
    found = latent.Directions(
        ("Smiling",),
        ("attribute",),
        tiny_model.latent.sample([0])[:, None] / 8,
        np.zeros((1, 1), np.float32),
        ("Smiling",),
        {},
        tiny_model.hash,
    )
    edited = facegan.edit(tiny_model, [1, 2], {"smiling": 1}, directions=found, hold="none")
    film = latent.film(tiny_model, tiny_model.latent.sample([0, 1]), 3, features="pixels")
    atlas = latent.atlas(tiny_model, 4, features="pixels", perplexity=1.0)
    texts = {
        repr(data): "32x32 colour (24 train)",
        repr(tiny_model): "<Generator dcgan: 32x32 colour, 64 latent dimensions",
        repr(
            latent.seed_vectors(tiny_model, range(9))
        ): "<Vectors: 9 in z (9x64): seed:0, seed:1, seed:2, seed:3, seed:4, ...",
        repr(found): "<Directions: 1 (1 attribute), of model",
        repr(edited): "<Edited: 2 faces, Smiling=+1>",
        repr(inverted): "<Inversion: 2 photos in z, mean MSE",
        repr(measured): f"<Evaluation of pictures against {data.path} (train): fid ",
        repr(measured.subject): "<Pictures pictures: 12 of 32x32, colour>",
        repr(table("pixels")): "<FeatureTable pixels-16: 768 numbers a picture, on cpu>",
        repr(film): "<Film: 3 frames, steps even to",
        repr(atlas): "<Atlas: 4 faces in 2 rows of 2, 64x64 px>",
        repr(tiny_model.latent): "Latent(kind='normal', dim=64",
    }
    for text, expected in texts.items():
        assert expected in text and " at 0x" not in text and "\n" not in text and len(text) < 200, text
    for shown in (edited, inverted, atlas):
        assert shown._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "data:image/jpeg;base64," in data._repr_html_() and "24 pictures" in data._repr_html_()
    assert "<td>FID</td>" in measured._repr_html_() and "<script" not in measured._repr_html_()
