"""My photo: faces are found in a photo, one is searched in a model, changed, kept and taken home."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect
from safetensors.numpy import load
from studio_browser import drop, levels, opened, pixels
from studio_server import Server

import facegan
from facegan.files import SAMPLES
from facegan.latent.directions import kept_directions
from facegan.latent.editing import at_home
from facegan.marks import read_mark
from facegan.vectors import load_vectors

ASTRONAUT = Image.open(SAMPLES / "astronaut.jpg")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo of two faces, the larger one at the right."""
    photo = Image.new("RGB", (900, 512), "white")
    photo.paste(ASTRONAUT.resize((320, 320)), (20, 100))
    photo.paste(ASTRONAUT, (380, 0))
    path = tmp_path_factory.mktemp("photos") / "two.png"
    photo.save(path)
    return path


@pytest.fixture(scope="module")
def face(server: Server) -> dict[str, Any]:
    """A finished search of a few steps."""
    done = server.wait(server.start("invert", photo="sample:astronaut", model="celeba64", steps=4))
    assert done["state"] == "done", done
    return done


def bring(server: Server, path: Path) -> str:
    return str(
        server.ask("POST", "/api/uploads", path.read_bytes(), {**server.headers, "X-Name": path.name}).json()[
            "id"
        ]
    )


def file(server: Server, done: dict[str, Any], role: str) -> bytes:
    number = [one["role"] for one in done["result"]["files"]].index(role)
    return server.ask("GET", f"/api/results/{done['id']}/file/{number}").content


def picture(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_faces_are_found_the_largest_first(server: Server, two: Path) -> None:
    found = server.ask("POST", "/api/photo/faces", {"photo": bring(server, two), "model": "celeba64"}).json()
    assert (found["width"], found["height"]) == (900, 512)
    (right, left) = found["faces"]
    assert (right["number"], left["number"]) == (1, 2) and right["box"][0] > 0.5 > left["box"][0] + left[
        "box"
    ][2]
    assert right["box"][3] > left["box"][3] > 0.05
    cat = server.ask("POST", "/api/photo/faces", {"photo": "sample:chelsea", "model": "celeba64"}).json()
    assert (cat["faces"], cat["why"], cat["whole"]) == ([], "no face", "")


def test_a_face_is_found_while_one_watches(server: Server, face: dict[str, Any]) -> None:
    events = server.events(face["id"])
    kinds = {event["kind"] for event in events}
    assert {"progress", "live", "picture", "done"} <= kinds
    shown = server.ask("GET", f"/api/jobs/{face['id']}/live")
    assert shown.headers["content-type"] == "image/png" and picture(shown.content).shape == (64, 64, 3)
    result = face["result"]
    assert (result["model"], result["stopped"], result["tuned"]) == ("celeba64", False, False)
    assert result["errors"]["mse"] < 0.2
    assert face["command"] == (
        f"facegan invert sample:astronaut --model celeba64 --steps 4 --paths none --out results/{face['id']}"
    )
    assert picture(file(server, face, "photo")).shape == (64, 64, 3)
    assert not (server.folder / "results" / face["id"]).exists(), "its files have moved beside the others"


def test_sliders_are_the_models_directions(server: Server, face: dict[str, Any], tmp_path: Path) -> None:
    address = f"/api/photo/{face['id']}"
    found = server.get(address)
    assert found["known"] and found["directions"][0]["name"] == "Smiling" and found["model"] == "celeba64"
    moves = {"Smiling": 2.0, "Young": -1.0}
    drawn = server.ask("POST", f"{address}/image", {"moves": moves})
    (tmp_path / "face.png").write_bytes(drawn.content)
    mark = read_mark(tmp_path / "face.png")
    assert mark is not None and mark.details["edits"] == "Smiling +2, Young -1"
    model = facegan.load("celeba64")
    known = kept_directions(model)
    assert known is not None
    w = known.move(_place(server, face, model, tmp_path), moves)
    assert levels(picture(drawn.content), model.images(w)[0]) <= 1

    query = f"?moves={quote(json.dumps(moves))}"
    saved = server.ask("GET", f"{address}/file/png{query}").content
    assert np.array_equal(picture(saved), picture(drawn.content))
    (tmp_path / "saved.png").write_bytes(saved)
    recalled = server.ask("POST", "/api/recall", {"upload": bring(server, tmp_path / "saved.png")}).json()
    settings = {"face": face["id"], "edits": "Smiling=2, Young=-1"}
    assert recalled["job"] == {"action": "edit", "settings": settings} and recalled["model"] == "celeba64"
    for kind in ("npz", "safetensors"):
        saved = server.ask("GET", f"{address}/file/{kind}{query}")
        assert f'filename="face.{kind}"' in saved.headers["content-disposition"]
        (tmp_path / f"face.{kind}").write_bytes(saved.content)
    found = load_vectors(tmp_path / "face.npz", w_shape=(model.num_ws, model.w_dim))
    assert found.model_hash == model.hash and torch.allclose(found.z, w, atol=1e-5)
    assert np.allclose(load((tmp_path / "face.safetensors").read_bytes())["w"], w.numpy(), atol=1e-5)


def _place(server: Server, face: dict[str, Any], model: facegan.Generator, folder: Path) -> torch.Tensor:
    (folder / "found.npz").write_bytes(file(server, face, "vectors"))
    z = load_vectors(folder / "found.npz", model.latent.dim, (model.num_ws, model.w_dim)).z
    return at_home(model, model.map(z).cpu())


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("smiling", {"Smiling": 1.5}),
        ("slightly older, without glasses=2", {"Young": -0.75, "Eyeglasses": -2.0}),
        ("less happy", {"Smiling": -1.5}),
        ("pca1=-3", {"pca1": -3.0}),
    ],
)
def test_words_are_strengths(
    server: Server, face: dict[str, Any], text: str, moves: dict[str, float]
) -> None:
    found = server.ask("POST", f"/api/photo/{face['id']}/words", {"text": text})
    assert found.json() == {"moves": moves}


def test_an_edit_is_kept(server: Server, face: dict[str, Any], tmp_path: Path) -> None:
    settings = {"face": face["id"], "edits": "smiling=2, young=-1", "hold": False}
    done = server.wait(server.start("edit", **settings))
    assert done["state"] == "done", done
    assert [one["role"] for one in done["result"]["files"]] == ["picture", "strip", "vectors"]
    assert done["result"]["strengths"] == {"Smiling": 2.0, "Young": -1.0}
    words = f"facegan edit celeba64 results/{face['id']}.vectors.npz 'smiling=2, young=-1' --hold none"
    assert done["command"] == f"{words} --out results/{done['id']}.png"
    (tmp_path / "edited.npz").write_bytes(file(server, done, "vectors"))
    model = facegan.load("celeba64")
    known = kept_directions(model)
    assert known is not None
    wanted = known.move(_place(server, face, model, tmp_path), {"Smiling": 2.0, "Young": -1.0})
    found = load_vectors(tmp_path / "edited.npz", model.latent.dim, (model.num_ws, model.w_dim))
    assert torch.allclose(model.map(found.z), wanted, atol=1e-4)


def test_a_search_that_is_stopped_keeps_what_it_found(server: Server) -> None:
    job = server.start("invert", photo="sample:officer", model="celeba64", preset="thorough", steps=5000)
    events = f"/api/jobs/{job}/live"
    while server.ask("GET", events).status != 200:
        assert server.listed("jobs", job)["state"] in ("queued", "running")
        time.sleep(0.2)
    server.ask("POST", f"/api/jobs/{job}/stop")
    done = server.wait(job)
    assert (done["state"], done["result"]["stopped"]) == ("done", True)
    assert server.get(f"/api/photo/{job}")["known"]


MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "no photo": ("invert", {"model": "celeba64"}, "photo: choose a picture first"),
    "an unknown photo": ("invert", {"photo": "0123456789abcdef", "model": "celeba64"}, "there is no upload"),
    "a path": ("invert", {"photo": "/etc/passwd", "model": "celeba64"}, "there is no upload"),
    "a path as a sample": ("invert", {"photo": "sample:../x", "model": "celeba64"}, "no such sample"),
    "a path as a model": ("invert", {"photo": "sample:officer", "model": "../m"}, "no model '../m'"),
    "face 0": ("invert", {"photo": "sample:officer", "model": "celeba64", "face": 0}, "face must be from 1"),
    "another setting": ("invert", {"photo": "sample:officer", "out": "/tmp"}, "there is no setting 'out'"),
    "no edit": ("edit", {"face": "?", "edits": " "}, "edits: move a slider"),
    "a face that is none": ("edit", {"face": "nothing", "edits": "smiling=1"}, "no result 'nothing'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_sentence(server: Server, face: dict[str, Any], case: str) -> None:
    action, settings, sentence = MISTAKES[case]
    settings = {**settings, "face": face["id"]} if settings.get("face") == "?" else settings
    found = server.ask("POST", "/api/preview", {"action": action, "settings": settings})
    assert found.status in (400, 404) and sentence in found.error


def test_mistakes_in_a_photo_and_in_words(server: Server, face: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture, but a text")
    notes = {"photo": bring(server, tmp_path / "notes.txt"), "model": "celeba64"}
    for path in ("/api/photo/faces", "/api/preview"):
        asked = notes if path.endswith("faces") else {"action": "invert", "settings": notes}
        assert server.ask("POST", path, asked).error.startswith("notes.txt: this is no picture")
    words = server.ask("POST", f"/api/photo/{face['id']}/words", {"text": "purple"})
    assert words.status == 400 and "'purple' is unknown" in words.error
    for moves in ({"Smiling": "much"}, {"Smiling": 1e9}, {"nothing": 1.0}, [1]):
        assert server.ask("POST", f"/api/photo/{face['id']}/image", {"moves": moves}).status == 400
    (tmp_path / "cat.jpg").write_bytes((SAMPLES / "chelsea.jpg").read_bytes())
    cat = server.wait(server.start("invert", photo=bring(server, tmp_path / "cat.jpg"), model="celeba64"))
    assert cat["state"] == "failed" and cat["error"].startswith("cat.jpg: no face; choose another photo")


# --- the page ----------------------------------------------------------------------------------------


def test_a_dropped_photo_of_two_faces(browser: Browser, server: Server, two: Path, tmp_path: Path) -> None:
    with opened(browser, server, "#/photo", width=390) as page:
        (tmp_path / "notes.txt").write_text("a text")
        zone = page.locator("[data-dropzone]")
        drop(zone, tmp_path / "notes.txt")
        expect(page.get_by_role("alert")).to_contain_text("notes.txt is no picture")
        drop(zone, two)
        expect(page.get_by_role("button", name="Face 1 of 2")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Choose face 2").click()
        expect(page.locator(".command code")).to_contain_text("--face 2")
        page.get_by_role("button", name="Another photo").click()
        page.get_by_role("button", name="Use the sample chelsea").click()
        expect(page.get_by_role("alert")).to_contain_text("No face was found in chelsea")
        page.get_by_role("switch", name="Take the picture as it is").check()
        expect(page.locator(".command code")).to_contain_text("--no-align")


def test_the_camera_takes_a_photo(browser: Browser, server: Server) -> None:
    with opened(browser, server, "#/photo", width=1280) as page:
        page.get_by_role("button", name="Camera").click()
        page.get_by_role("button", name="Take the photo").click()
        expect(page.get_by_text("camera.png", exact=True)).to_be_visible()


def test_a_face_is_changed_in_the_page(browser: Browser, server: Server, face: dict[str, Any]) -> None:
    with opened(browser, server, f"#/photo/{face['id']}", width=1280) as page:
        slider = page.get_by_role("slider", name="smiling", exact=True)
        now = page.locator(".before-after .under[src^='blob:']")
        before = pixels(now)
        slider.fill("2")
        expect(page.locator(".command code")).to_contain_text("smiling=2")
        expect(now).not_to_have_attribute("src", str(now.get_attribute("src")))
        wanted = server.ask("POST", f"/api/photo/{face['id']}/image", {"moves": {"Smiling": 2.0}}).content
        assert levels(pixels(now), picture(wanted)) <= 1 < levels(before, picture(wanted))
        page.get_by_label("Change it by words").fill("a bit older")
        page.get_by_role("button", name="Apply").click()
        expect(page.get_by_role("slider", name="young", exact=True)).to_have_value("-0.75")
        address = page.url
        page.get_by_role("button", name="Back to the found face").click()
        expect(slider).to_have_value("0")
        page.goto(address)
        expect(slider).to_have_value("2")  # an address recalls the sliders
        page.get_by_role("button", name="Keep this face").click()
        expect(page.get_by_alt_text("The way from the found face to the edit")).to_be_visible()
        page.get_by_role("button", name="Back to the found face").click()
        slider.fill("2")
        expect(page.locator("[data-took]")).to_contain_text("in this page", timeout=240_000)
        page.wait_for_timeout(300)
        assert levels(pixels(now), picture(wanted)) <= 1


def test_results_lead_back_here(browser: Browser, server: Server, face: dict[str, Any]) -> None:
    settings = {"photo": "sample:astronaut", "model": "celeba64", "preset": "thorough", "tune": True}
    state = f"action=invert&settings={quote(json.dumps(settings))}"
    with opened(browser, server, f"#/photo?{state}", width=1280) as page:
        expect(page.get_by_role("switch", name="Adapt the model to this photo")).to_be_checked()
        expect(page.locator(".command code")).to_contain_text(
            "sample:astronaut --model celeba64 --preset thorough --tune"
        )
        page.get_by_role("button", name="Another photo").click()
        expect(page.locator("[data-dropzone]")).to_be_visible()
        moves = quote(json.dumps({"smiling": 1.5, "young": -1}))
        page.goto(f"{server.address}/#/photo/{face['id']}?moves={moves}")
        expect(page.get_by_role("slider", name="smiling", exact=True)).to_have_value("1.5")
        expect(page.get_by_role("slider", name="young", exact=True)).to_have_value("-1")
