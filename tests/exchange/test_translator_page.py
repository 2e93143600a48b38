"""A translator's page, opened from its file without a network: drawn on, with photos, and with a camera."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from browsers import drag
from PIL import Image
from playwright.sync_api import Browser, Page
from test_page import browser, levels, opened, pixels, saved  # noqa: F401
from test_translator_out import LIGHT, UNET, translator

import facegan
from facegan.exchange.page_out import blob
from facegan.exchange.translator_out import Way, compared_pictures
from facegan.marks import COMPOSITE, read_mark
from facegan.translator import Translator


@pytest.fixture(scope="module")
def sketches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Translator, Path]:
    """A translator of drawings, and its page."""
    model = translator("pix2pix", {**UNET, "norm": "batch"}, input="edges")
    path = tmp_path_factory.mktemp("page") / "t.html"
    done = facegan.export_model(model, path)
    assert done.parity and done.parity.levels <= 1 and done.size < 16 * 2**20
    assert b"<script type" in path.read_bytes() and len(blob(path.read_bytes(), "translate")) > 10_000
    return model, path


def settled(view: Page) -> np.ndarray:
    view.wait_for_timeout(100)
    while view.evaluate("stale || drawing"):
        view.wait_for_timeout(20)
    return pixels(view, "document.getElementById('large').getContext('2d').getImageData(0, 0, ...SIZE).data")


def until(view: Page, condition: str) -> None:
    """Wait for a condition; the page's policy forbids Playwright's own way."""
    for _ in range(1500):
        if view.evaluate(condition):
            return
        view.wait_for_timeout(20)
    pytest.fail(f"{condition} stays false")


def given(view: Page) -> np.ndarray:
    return pixels(view, "inputPixels()")


@pytest.mark.parametrize("width", [1280, 390])
def test_drawing_on_the_page(
    width: int,
    sketches: tuple[Translator, Path],
    browser: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    model, path = sketches
    examples = compared_pictures(Way(model, "forward"), 4)
    with opened(browser, path, width) as view:
        assert "reproduces the 4 embedded pictures" in view.inner_text("#status")
        assert levels(settled(view), model.translate(examples[:1])[0]) <= 1
        view.get_by_label("Example 3").click()
        assert levels(settled(view), model.translate(examples[2:3])[0]) <= 1
        assert np.array_equal(given(view), examples[2])

        view.click("#clear")
        assert (given(view) == 255).all()
        view.locator("#pad").scroll_into_view_if_needed()
        drag(view.locator("#pad"), (0.2, 0.5), (0.7, 0.5))
        made, drawn = settled(view), given(view)
        assert 0 < (drawn < 128).mean() < 0.1 and (drawn[14:18, 8:20] < 160).any(0).all(), "a line across"
        assert levels(made, model.translate(drawn[None])[0]) <= 1
        (tmp_path / "saved.png").write_bytes(saved(view, "save"))
        file = Image.open(tmp_path / "saved.png")
        assert levels(np.asarray(file), made) == 0
        mark = read_mark(tmp_path / "saved.png")
        assert mark and mark.source == COMPOSITE and mark.model == model.hash
        view.keyboard.press("u")
        settled(view)
        assert (given(view) == 255).all(), "the line is taken back"


def test_photos_and_a_camera(browser: Browser, tmp_path: Path) -> None:  # noqa: F811
    """Grey inputs are made on the page; the camera is Chromium's made-up one."""
    model = translator("pix2pix", LIGHT, input="grey")
    path = facegan.export_model(model, tmp_path / "t.html").path
    colours = np.zeros((64, 128, 3), np.uint8)
    colours[:, 32:96] = (200, 60, 20)  # the middle, which is taken
    colours[32:, 64:] = (20, 90, 220)
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG")
    with opened(browser, path) as view:
        view.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
        until(view, "state.photo")
        made, seen = settled(view), given(view)
        assert levels(made, model.translate(seen[None])[0]) <= 1
        assert (seen == seen[..., :1]).all() and levels(seen[4, 4], np.full(3, 97)) <= 1
        assert levels(seen[28, 28], np.full(3, 84)) <= 1
        view.uncheck("#derive")
        settled(view)
        assert levels(given(view)[4, 4], np.array((200, 60, 20))) <= 1
        view.set_input_files("#file", {"name": "b.png", "mimeType": "image/png", "buffer": b"no picture"})
        view.wait_for_selector("#status.bad")
        assert "b.png is no picture that this browser can read" in view.inner_text("#status")
        view.evaluate(
            """navigator.mediaDevices.getUserMedia = async () => {
              const film = document.createElement('canvas');
              Object.assign(film, {width: 64, height: 48});
              const paper = film.getContext('2d');
              setInterval(() => { paper.fillStyle = '#30c060'; paper.fillRect(0, 0, 64, 48); }, 30);
              return film.captureStream(30);
            }"""
        )
        view.check("#derive")
        view.click("#camera")
        until(view, "state.camera && Math.abs(inputPixels()[0] - 138) < 8")
        view.click("#camera")
        assert view.get_attribute("#camera", "aria-pressed") == "false"
        assert levels(settled(view), model.translate(given(view)[None])[0]) <= 1
