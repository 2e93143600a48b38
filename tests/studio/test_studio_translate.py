"""Translate: a drawing goes through the model while it is drawn, photos become inputs, results are kept."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import onnxruntime
import pytest
from browsers import drag
from PIL import Image
from playwright.sync_api import Browser, expect
from studio_browser import levels, opened, pixels, until
from studio_server import Server, running

import facegan
from facegan.data.inputs import derive
from facegan.files import SAMPLES
from facegan.images import png_bytes
from facegan.translator import Translator

sys.path.insert(0, str(Path(__file__).parents[1] / "translation"))
from untrained_translators import translator

SIDE = 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("translate") / "project"
    (folder / "models").mkdir(parents=True)
    translator("pix2pix", SIDE, input="edges", crop="aligned").save(folder / "models" / "faces.safetensors")
    translator("cyclegan", SIDE, crop="aligned").save(folder / "models" / "glasses.safetensors")
    with running(folder) as found:
        yield found


def model(server: Server, name: str = "faces") -> Translator:
    found = facegan.load(server.folder / "models" / f"{name}.safetensors")
    assert isinstance(found, Translator)
    return found


def picture(content: bytes | str) -> np.ndarray:
    content = base64.b64decode(content) if isinstance(content, str) else content
    return np.asarray(Image.open(io.BytesIO(content)))


def drawing() -> np.ndarray:
    sheet = np.full((SIDE, SIDE, 3), 255, np.uint8)
    sheet[8:24, 16] = sheet[20, 8:24] = 0
    return sheet


def test_what_a_translator_takes(server: Server) -> None:
    faces, glasses = server.get("/api/translators/faces"), server.get("/api/translators/glasses")
    assert (faces["image_shape"], faces["directions"], faces["input"]) == ([3, 32, 32], ["forward"], "edges")
    assert faces["whole"] and faces["known"] and faces["said"].startswith("Draw a face")
    assert (glasses["directions"], glasses["input"]) == (["a-to-b", "b-to-a"], "")


@pytest.mark.parametrize(("name", "direction"), [("faces", "forward"), ("glasses", "b-to-a")])
def test_server_and_graph_make_what_the_model_makes(server: Server, name: str, direction: str) -> None:
    wanted = model(server, name).translate(drawing()[None], direction)[0]
    asked = {"png": base64.b64encode(png_bytes(drawing())).decode(), "direction": direction}
    drawn = server.ask("POST", f"/api/translators/{name}/picture", asked)
    assert np.array_equal(picture(drawn.content), wanted)
    graph = server.ask("GET", f"/api/translators/{name}/graph?direction={direction}")
    assert [
        file.name[-len(direction) - 5 :]
        for file in (server.folder / ".studio" / "graphs").glob(f"*{direction}.onnx")
    ] == [f"{direction}.onnx"]
    session = onnxruntime.InferenceSession(graph.content, providers=["CPUExecutionProvider"])
    given = (drawing().transpose(2, 0, 1)[None] / 127.5 - 1).astype(np.float32)
    made = np.clip(np.rint((session.run(None, {"pictures": given})[0][0] + 1) * 127.5), 0, 255)
    assert levels(made.transpose(1, 2, 0), wanted) <= 1


def test_a_photo_becomes_the_input(server: Server) -> None:
    found = server.ask("POST", "/api/translators/faces/input", {"photo": "sample:officer"}).json()
    done = facegan.translate(model(server), "sample:officer")
    assert np.array_equal(picture(found["input"]), done.inputs[0])
    assert np.array_equal(derive("edges", picture(found["photo"])[None])[0], done.inputs[0])


def test_photos_and_drawings_are_kept(server: Server, tmp_path: Path) -> None:
    done = server.wait(
        server.start("translate", photo="sample:officer", model="glasses", direction="b-to-a", steps=3)
    )
    assert done["command"] == (
        "facegan translate models/glasses.safetensors sample:officer --direction b-to-a --steps 3 "
        f"--out results/{done['id']}.png"
    )
    own, out = model(server, "glasses"), tmp_path / "own.png"
    facegan.translate(own, "sample:officer", "b-to-a", steps=3, out=out)
    for role, file in (("figure", out), ("picture", tmp_path / "own-result.png")):
        assert np.array_equal(picture(kept(server, done, role)), picture(file.read_bytes()))
    whole = server.wait(server.start("translate", photo="sample:officer", model="faces", whole=True))
    before, after = picture(kept(server, whole, "photo")), picture(kept(server, whole, "picture"))
    assert before.shape == after.shape == np.asarray(Image.open(SAMPLES / "officer.jpg")).shape
    changed = (before != after).any(-1)
    assert 0 < changed.mean() < 0.5, "only the face changes"

    headers = {**server.headers, "X-Name": "drawing.png"}
    sent = server.ask("POST", "/api/uploads", png_bytes(drawing()), headers).json()["id"]
    drawn = server.wait(server.start("translate", photo=sent, model="faces", ready=True))
    facegan.translate(model(server), drawing(), ready=True, out=out)
    assert np.array_equal(
        picture(kept(server, drawn, "picture")), picture((tmp_path / "own-result.png").read_bytes())
    )


def kept(server: Server, done: dict[str, Any], role: str) -> bytes:
    assert done["state"] == "done", done
    number = [one["role"] for one in done["result"]["files"]].index(role)
    return server.ask("GET", f"/api/results/{done['id']}/file/{number}").content


def test_mistakes_are_one_sentence(server: Server) -> None:
    small = base64.b64encode(png_bytes(drawing()[:16])).decode()
    for path, asked, sentence in (
        ("faces/picture", {"png": "?"}, "png must be a picture in base64"),
        ("faces/picture", {"png": base64.b64encode(b"text").decode()}, "the drawing"),
        ("faces/picture", {"png": small}, "the drawing must have 32x32 px"),
        ("faces/input", {"photo": "sample:chelsea"}, "chelsea: no face; choose another photo"),
        ("faces/input", {"photo": "/etc/passwd"}, "there is no upload"),
        ("celeba64/input", {"photo": "sample:officer"}, "choose a translator"),
        ("nothing/input", {"photo": "sample:officer"}, "no model 'nothing'"),
    ):
        found = server.ask("POST", f"/api/translators/{path}", asked)
        assert found.status in (400, 404) and sentence in found.error, found.error
    later = server.folder / "models" / "later.safetensors"
    content = (server.folder / "models" / "faces.safetensors").read_bytes()
    later.write_bytes(content.replace(b'\\"format\\":1', b'\\"format\\":9', 1))
    found = server.ask("GET", "/api/translators/later")
    assert found.status == 400 and found.error.startswith("models/later.safetensors: "), found.error
    plain = server.ask("POST", "/api/translators/faces/input", {"photo": "sample:chelsea", "align": False})
    assert plain.status == 200
    assert server.ask("GET", "/api/translators/faces/graph?direction=../x").status == 404
    for settings, sentence in (
        ({"photo": "sample:officer", "model": "celeba64"}, "choose a translator"),
        (
            {"photo": "sample:officer", "model": "faces", "whole": True, "ready": True},
            "leave one of them out",
        ),
        ({"photo": "sample:officer", "model": "faces", "steps": 1}, "from 2 to 25"),
    ):
        found = server.ask("POST", "/api/preview", {"action": "translate", "settings": settings})
        assert found.status == 400 and sentence in found.error


# --- the page ----------------------------------------------------------------------------------------

UP_TO_DATE = """(([sheet, result]) => sheet.dataset.version === result.dataset.version)(
  ['.paper canvas', 'canvas.face-picture'].map(one => document.querySelector(one)))"""

# Moves the pen forty times at once; returns how many pictures come of it.
BURST = """async () => {
  const [sheet, result] = ['.paper canvas', 'canvas.face-picture'].map(one => document.querySelector(one));
  const box = sheet.getBoundingClientRect();
  sheet.setPointerCapture = () => {};
  let pictures = 0;
  const observer = new MutationObserver(() => { pictures += 1; });
  observer.observe(result, {attributes: true, attributeFilter: ['data-version']});
  const send = (kind, x) => sheet.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, bubbles: true, button: 0, clientX: box.left + x, clientY: box.top + 20}));
  send('pointerdown', 0);
  for (let i = 1; i <= 40; i++) send('pointermove', i);
  send('pointerup', 40);
  const wait = time => new Promise(resolve => setTimeout(resolve, time));
  while (sheet.dataset.version !== result.dataset.version) await wait(20);
  await wait(200);
  return pictures;
}"""


def test_a_face_while_one_draws(browser: Browser, server: Server) -> None:
    network = model(server)
    refused = "status of 400 (Bad Request) at /api/translators/faces/input"  # a cat has no face
    with opened(browser, server, "#/translate/faces", width=1280, expected=refused) as page:
        sheet, result = page.locator(".paper canvas"), page.locator("canvas.face-picture")
        expect(page.locator("[data-took]")).to_contain_text("in this page", timeout=180_000)
        empty = pixels(result)
        white = np.full((1, SIDE, SIDE, 3), 255, np.uint8)
        assert levels(empty, network.translate(white)[0]) <= 1
        drag(sheet, (0.3, 0.3), (0.7, 0.6))
        until(page, UP_TO_DATE)
        assert pixels(sheet).min() < 50 and levels(pixels(result), empty) > 1
        assert page.evaluate(BURST) <= 3, "of the moves that come while a picture is made, the newest counts"
        until(page, UP_TO_DATE)
        assert result.get_attribute("data-by") == "page"
        for _ in range(2):
            page.keyboard.press("Control+z")
        until(page, UP_TO_DATE)
        assert pixels(sheet).min() == 255 and levels(pixels(result), empty) == 0

        page.get_by_role("button", name="Use the sample officer").click()
        expect(page.locator(".command code")).to_contain_text(
            "translate models/faces.safetensors sample:officer"
        )
        page.wait_for_timeout(500)
        wanted = facegan.translate(network, "sample:officer")
        assert levels(pixels(result), wanted.images[0]) <= 1
        page.get_by_role("slider", name="How much of the change").fill("0")
        page.wait_for_timeout(200)
        assert levels(pixels(result), wanted.inputs[0]) == 0
        page.get_by_role("button", name="Use the sample chelsea").click()
        expect(page.get_by_role("alert")).to_contain_text("chelsea: no face")
        page.get_by_role("button", name="Take the picture as it is").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        page.get_by_role("button", name="Keep this picture").click()
        expect(page.get_by_alt_text("Input and result")).to_be_visible()
        settings = {"photo": "sample:officer", "model": "faces", "steps": 4}
        state = f"action=translate&settings={quote(json.dumps(settings))}"
        page.goto(f"{server.address}/#/translate/faces?{state}")
        expect(page.locator(".command code").first).to_contain_text(
            "sample:officer --direction forward --steps 4"
        )


def test_a_project_without_one_says_how_to_get_one_of_its_own(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "project") as server, opened(browser, server, "#/translate", width=390) as page:
        expect(page.get_by_label("Translator", exact=True)).to_have_value("glasses64")
        expect(page.get_by_role("heading", name="A translator that takes drawings")).to_be_visible()
        expect(page.get_by_text("takes photos, not drawings")).to_be_visible()
        expect(page.get_by_role("heading", name="What goes in")).to_be_visible()
        page.get_by_role("button", name="train a translator that takes drawings").click()
        expect(page.get_by_role("link", name="Bring photos")).to_be_in_viewport()
        expect(page.get_by_text("pix2pix-64")).to_be_visible()
        expect(page.get_by_role("link", name="Bring photos")).to_have_attribute("href", "#/photos")
        (server.folder / "datasets" / "faces").mkdir(parents=True)
        (server.folder / "datasets" / "faces" / "dataset.json").write_text(
            '{"size": [64, 64], "channels": 3}'
        )
        page.reload()
        link = page.get_by_role("link", name="Train a translator")
        expect(link).to_have_attribute("href", re.compile("#/train.*recipe=pix2pix-64.*dataset=faces.*edges"))
