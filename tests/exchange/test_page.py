"""An exported page, opened from its file in Chromium without a network, draws what the model draws."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import pytest
import torch
from browsers import chromium
from PIL import Image
from playwright.sync_api import Browser, Page
from untrained import model_of

import facegan
from facegan import marks
from facegan.cli.main import main
from facegan.errors import InputError, ModelError
from facegan.exchange import exporting
from facegan.exchange.page_out import blob
from facegan.exchange.parity import Parity
from facegan.generator import Generator, Latent
from facegan.latent.directions import Directions, kept_directions
from facegan.latent.expressions import arithmetic
from facegan.latent.interpolation import slerp
from facegan.marks import Mark, read_mark


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1280, link: str = "") -> Iterator[Page]:
    """Give the page once it has tested itself; nothing may be asked of the network, nor go wrong."""
    context = browser.new_context(viewport={"width": width, "height": 844}, offline=True)
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url.split("#")[0]))
    context.route(re.compile("^https?:"), lambda route: route.abort())
    view, wrong = context.new_page(), []
    view.on("pageerror", lambda error: wrong.append(str(error)))
    view.on("console", lambda said: "willReadFrequently" in said.text or wrong.append(said.text))  # of us
    view.goto(path.as_uri() + link)
    view.wait_for_selector("#status.good, #status.bad", timeout=120_000)
    yield view
    assert view.evaluate("document.documentElement.scrollWidth") <= width, "it scrolls sideways"
    context.close()
    assert not wrong and asked == [path.as_uri()]


def pixels(view: Page, script: str) -> np.ndarray:
    """Return uint8 H,W,3 of a script's RGBA values."""
    text = view.evaluate(f"(async () => btoa(String.fromCharCode(...await ({script}))))()")
    width, height = view.evaluate("SIZE")
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]


def shown(view: Page, title: str) -> np.ndarray:
    """Return the large picture once it is that of ``title``."""
    view.wait_for_selector(f"#large[data-title='{title}']")
    view.wait_for_timeout(50)
    while view.evaluate("stale || drawing"):
        view.wait_for_timeout(20)
    return pixels(view, "document.getElementById('large').getContext('2d').getImageData(0, 0, ...SIZE).data")


def saved(view: Page, button: str) -> bytes:
    with view.expect_download(timeout=120_000) as download:
        view.click(f"#{button}:enabled", timeout=120_000)
    return download.value.path().read_bytes()


def levels(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b).max())


def slide(view: Page, label: str, value: float) -> None:
    view.get_by_label(label, exact=True).evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", value
    )


# --- the bundled model ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def celeba64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "faces.html"
    assert main(["export", "celeba64", "--out", str(path)]) == 0
    return path


def test_the_bundled_model(
    celeba64: Path, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert celeba64.stat().st_size < 16 * 2**20
    model = facegan.load("celeba64")
    found = kept_directions(model)
    assert found is not None
    z = model.latent.sample([12, 3, 100_007])
    with opened(browser, celeba64, link="#seed=3&Smiling=1.5") as view:
        assert "Seeds are the same pictures" in view.inner_text("#status")
        edited = model.images(found.move(model.map(z), {"Smiling": 1.5}))
        assert levels(shown(view, "Seed 3"), edited[1]) <= 1, "the link's seed and edit"
        assert view.locator(".tile").count() == 24 and view.get_by_label("truncation").count() == 0

        view.click("[data-seed='12']")
        plain = model.images(z)
        assert levels(shown(view, "Seed 12"), plain[0]) <= 1
        slide(view, "smiling", 1.5)
        assert levels(shown(view, "Seed 12"), edited[0]) <= 1 < levels(edited[0], plain[0])
        view.select_option("#more", label="pca component 2")
        slide(view, "pca component 2", -2)
        both = model.images(found.move(model.map(z[:1]), {"Smiling": 1.5, "pca2": -2.0}))[0]
        assert levels(shown(view, "Seed 12"), both) <= 1
        file = Image.open(io.BytesIO(saved(view, "save")))
        assert levels(np.asarray(file), both) <= 1
        Path("saved.png").write_bytes(saved(view, "save"))
        mark = read_mark("saved.png")
        about = {"edits": "smiling +1.5, pca component 2 -2.0", "seed": "12", "truncation": "1"}
        assert mark == Mark({**about, "model": model.hash})
        assert file.info["Description"] == "celeba64, Seed 12 smiling +1.5, pca component 2 -2.0"
        assert view.url.endswith("#seed=12&Smiling=1.5&pca2=-2")

        view.fill("#seed", "100007")
        view.keyboard.press("Enter")
        assert levels(shown(view, "Seed 100007"), plain[2]) <= 1
        assert view.get_by_label("smiling", exact=True).input_value() == "0"
        view.focus(".tile[aria-selected=true]")
        view.keyboard.press("ArrowLeft")
        assert levels(shown(view, "Seed 100006"), model.sample([100_006])[0]) <= 1

        view.set_viewport_size({"width": 1280, "height": 1500})  # all in view, since scrolling ends a drag
        view.drag_and_drop(".tile >> nth=9", ".slot >> nth=1")
        view.wait_for_selector(".slot.full >> text='Seed 99993'")
        view.drag_and_drop(".tile >> nth=8", "#film")
        view.wait_for_selector("#strip [title='Seed 99992']")


LATENTS = [
    Latent("normal", 48, 0.5, 2.0),
    Latent("sphere", 21),
    Latent("uniform", 100),
    Latent("truncated", 120, 0.5, 2.0),
    Latent("normal", 7),
]


def test_seeds_are_the_same_latents(celeba64: Path, browser: Browser) -> None:
    """Of every prior, in rows of 16 with a rest and without, and one by one below 16."""
    seeds = [0, 5, 2**33 + 1]
    with opened(browser, celeba64) as view:
        for latent in LATENTS:
            script = (
                f"{seeds}.map(seed => [...shaped(randn(seed, {latent.dim}), {json.dumps(vars(latent))})])"
            )
            np.testing.assert_allclose(view.evaluate(script), latent.sample(seeds), rtol=0, atol=1e-5)


def test_a_film_and_arithmetic_on_a_phone(celeba64: Path, browser: Browser, tmp_path: Path) -> None:
    model = facegan.load("celeba64")
    z = model.latent.sample([0, 1, 2])
    with opened(browser, celeba64, width=390) as view:
        for seed in range(3):
            view.click(f"[data-seed='{seed}']")
            view.click(f"[data-slot='{seed}']")
            if seed < 2:
                view.keyboard.press("f")
        view.click(".result.full")
        expected = model.images(arithmetic("1 - 2 + 3", z, rescale=model.latent)[None])[0]
        assert levels(shown(view, "0 − 1 + 2"), expected) <= 1

        view.select_option("#scale", "1")
        (tmp_path / "film.png").write_bytes(saved(view, "apng"))
        mark = Mark({"points": "Seed 0, Seed 1", "truncation": "1", "model": model.hash})
        assert read_mark(tmp_path / "film.png") == mark
        film = Image.open(tmp_path / "film.png")
        assert film.n_frames == 40 and film.info["duration"] == 50
        film.seek(7)
        expected = model.images(slerp(z[0], z[1], 7 / 20)[None])[0]
        assert levels(np.asarray(film.convert("RGB")), expected) <= 1
        view.select_option("#scale", "4")
        (tmp_path / "film.gif").write_bytes(saved(view, "gif"))
        assert read_mark(tmp_path / "film.gif") == mark
        gif = Image.open(tmp_path / "film.gif")
        assert gif.n_frames == 40 and gif.size == (256, 256) and gif.info["loop"] == 0
        gif.seek(7)
        large = np.asarray(Image.fromarray(expected).resize((256, 256), Image.Resampling.BICUBIC))
        assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - large).mean() < 4
        (tmp_path / "film.webm").write_bytes(saved(view, "video"))
        with av.open(str(tmp_path / "film.webm")) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            tags = dict(video.metadata)
        assert tags["DIGITAL_SOURCE_TYPE"] == marks.SOURCE_TYPES + marks.GENERATED
        assert json.loads(tags["FACEGAN_MARK"])["model"] == model.hash
        assert len(frames) > 10 and frames[0].shape == (256, 256, 3)


# --- other models -------------------------------------------------------------------------------------------


def test_labels_truncation_and_directions_of_ones_own(tmp_path: Path, browser: Browser) -> None:
    model = model_of("stylegan2", labelled=True)
    vectors = torch.randn(8, model.num_ws, model.w_dim, generator=torch.Generator().manual_seed(0)).half()
    names = tuple(f"pca{i}" for i in range(1, 9))
    effects = np.zeros((8, 0), np.float32)
    own = Directions(names, ("pca",) * 8, vectors.float(), effects, (), {}, model.hash)
    own.save(tmp_path / "own.safetensors")
    done = facegan.export_model(model, tmp_path / "a.html", directions=tmp_path / "own.safetensors")
    assert done.parity is not None and done.parity.levels <= 1
    graph = onnx.load_from_string(blob(done.path.read_bytes(), "synthesize")).graph
    assert onnx.TensorProto.FLOAT16 in {tensor.data_type for tensor in graph.initializer}
    z = model.latent.sample([5])
    with opened(browser, done.path) as view:
        assert "Seeds are the same pictures" in view.inner_text("#status")
        assert view.get_by_label("smiling").is_checked() is bool(model.label_row[0])
        view.click("[data-seed='5']")
        view.get_by_label("smiling").click()
        view.get_by_label("male").set_checked(True)
        slide(view, "truncation", 0.6)
        slide(view, "pca component 1", 2)
        told = model.tell({"smiling": int(not model.label_row[0]), "male": 1})
        expected = told.images(own.move(told.map(z, truncation=0.6), {"pca1": 2.0}))[0]
        assert levels(shown(view, "Seed 5"), expected) <= 1 < levels(expected, model.sample([5])[0])
        link = view.url.split("#")[1]
    with opened(browser, done.path, link=f"#{link}") as view:
        assert levels(shown(view, "Seed 5"), expected) <= 1


def test_the_page_tests_itself(tmp_path: Path, browser: Browser) -> None:
    """Also of grey pictures and uniform latents; and it says so where it draws something else."""
    model = model_of("vanilla", latent=Latent("uniform", 7, 0.0, 3**-0.5), channels=1)
    page = facegan.export_model(model, tmp_path / "a.html").path
    with opened(browser, page) as view:
        assert "reproduces the 8 embedded pictures" in view.inner_text("#status")
        assert view.get_by_label("truncation").count() == model.truncates
        assert view.is_visible("#change") == model.truncates, "there are no directions"
    tests = told(page)["tests"]
    swapped = page.read_text().replace(tests[7]["png"], tests[6]["png"])
    page.write_text(swapped)
    with opened(browser, page) as view:
        assert re.search(r"other pictures than the model: up to \d+ of 255", view.inner_text("#status.bad"))


def told(page: Path) -> dict[str, Any]:
    """Return what the page's script knows."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.S)
    assert found
    return json.loads(found[1])


# --- without a browser ----------------------------------------------------------------------------------


def test_the_runtime_is_the_pinned_one_and_licences_are_inside(celeba64: Path) -> None:
    root = Path(__file__).parents[2]
    version = re.search(r'VERSION = "(.*)"', (root / ".ci" / "onnxruntime_web.py").read_text())
    assert version
    page = celeba64.read_bytes()
    assert f"ONNX Runtime Web v{version[1]}".encode() in blob(page, "runtime")[:100]
    assert blob(page, "wasm").startswith(b"\0asm")
    assert b"MIT License" in blob(page, "notices") and len(blob(page, "notices")) > 300_000


def test_weights_are_float32_where_halving_them_shows(
    tiny_model: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = replace(
        exporting.WRITERS[".html"],
        write=lambda _, weights, **__: weights.encode(),
        run=lambda content: content,
    )
    monkeypatch.setitem(exporting.WRITERS, ".html", stub)
    monkeypatch.setattr(
        exporting, "measure_parity", lambda *given: Parity(3 - 2 * (given[2] == b"float32"), 0.1)
    )
    assert facegan.export_model(tiny_model, tmp_path / "a.html").path.read_bytes() == b"float32"
    with pytest.raises(ModelError, match=r"nothing written, since .* by 3 levels"):
        facegan.export_model(tiny_model, tmp_path / "b.html", weights="float16")
    assert not (tmp_path / "b.html").exists()


def test_directions_of_another_model_are_refused(tiny_model: Generator, tmp_path: Path) -> None:
    found = kept_directions(facegan.load("celeba64"))
    assert found is not None
    with pytest.raises(InputError, match="of another model"):
        facegan.export_model(tiny_model, tmp_path / "a.html", directions=found)
    assert not list(tmp_path.iterdir())
