"""Pixels: attacks, dreams and styles, with pictures of the work in progress, stopped and kept."""

from __future__ import annotations

import io
import shlex
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect
from studio_browser import opened
from studio_server import Server

import facegan
from facegan.classifiers.face_classes import face_window
from facegan.files import SAMPLES

SMALL = {"model": "faces", "layers": "body.2", "octaves": 1, "steps": 3, "size": 64}


def kept(server: Server, done: dict[str, Any], role: str) -> np.ndarray:
    assert done["state"] == "done", done
    number = [one["role"] for one in done["result"]["files"]].index(role)
    content = server.ask("GET", f"/api/results/{done['id']}/file/{number}").content
    return np.asarray(Image.open(io.BytesIO(content)))


def test_what_a_classifier_sees(server: Server) -> None:
    known = [row["id"] for row in server.get("/api/classifiers")["classifiers"]]
    assert known[0] == "faces"
    classes = server.get("/api/classifiers/faces/classes")["classes"]
    assert len(classes) == 8 and "smiling face with eyeglasses" in classes
    look = server.ask("POST", "/api/classifiers/faces/look", {"photo": "sample:officer"}).json()
    photo = np.asarray(Image.open(SAMPLES / "officer.jpg"))
    (found,) = facegan.attack(photo, steps=1)
    assert [(row["class"], round(row["probability"], 4)) for row in look["rows"]] == [
        (index, round(p, 4)) for index, p in found.before
    ]
    top, left, high, wide = face_window(photo) or (0, 0, 0, 0)
    height, width = photo.shape[:2]
    assert look["window"] == pytest.approx([left / width, top / height, wide / width, high / height])
    cat = server.ask("POST", "/api/classifiers/faces/look", {"photo": "sample:chelsea"}).json()
    assert cat["window"] is None and cat["faces"]


def test_an_attack_is_what_the_command_makes(server: Server) -> None:
    settings = {"photo": "sample:officer", "target": "smiling face", "levels": 8, "confidence": 0.9}
    done = server.wait(server.start("attack", **settings))
    about = done["result"]
    assert done["command"] == (
        "facegan attack sample:officer --target 'smiling face' --epsilon 8/255 --confidence 0.9 "
        f"--out results/{done['id']}.png"
    )
    (wanted,) = facegan.attack("sample:officer", "smiling face", epsilon="8/255", confidence=0.9)
    assert (about["success"], about["levels"]) == (wanted.success, round(wanted.linf * 255)) == (True, 8)
    assert about["after"][0]["name"] == "smiling face" != about["before"][0]["name"]
    photo, changed = kept(server, done, "photo"), kept(server, done, "picture")
    assert np.array_equal(photo, wanted.original) and np.array_equal(changed, wanted.image)
    assert kept(server, done, "difference").shape == photo.shape
    assert "live" in {event["kind"] for event in server.events(done["id"])}


def test_dreams_and_styles(server: Server) -> None:
    dream = server.wait(server.start("dream", photo="sample:chelsea", **SMALL))
    assert dream["command"].startswith("facegan dream sample:chelsea --layers body.2 --octaves 1 --steps 3")
    wanted = facegan.dream("sample:chelsea", layers=("body.2",), octaves=1, steps=3, size=64)
    assert np.array_equal(kept(server, dream, "picture"), wanted.image)
    noise = server.wait(server.start("dream", classes="smiling face", steps=2))
    assert noise["result"]["names"] == ["smiling face"] and not noise["result"]["stopped"]
    styles = ["sample:strokes", "sample:waves"]
    paint = server.wait(server.start("stylize", photo="sample:officer", styles=styles, size=64, steps=2))
    picture = kept(server, paint, "picture")
    wanted = facegan.stylize("sample:officer", styles, size=64, steps=2)
    assert np.array_equal(picture, wanted.image) and max(picture.shape) == 64


def test_a_dream_that_is_stopped_is_kept(server: Server) -> None:
    job = server.start("dream", photo="sample:chelsea", **{**SMALL, "steps": 2000, "size": 256})
    while server.ask("GET", f"/api/jobs/{job}/live").status != 200:
        assert server.listed("jobs", job)["state"] in ("queued", "running")
        time.sleep(0.2)
    server.ask("POST", f"/api/jobs/{job}/stop")
    done = server.wait(job)
    assert done["result"]["stopped"] and len(done["result"]["curve"]) < 2000
    assert max(kept(server, done, "picture").shape) == 256


LAYERS = {
    "stem:3": ["stem:3"],
    "stem, body.2=0.5": ["stem", "body.2=0.5"],
    "stem:3,7,10-12=2, body.2:1": ["stem:3,7,10-12=2", "body.2:1"],
    "stem:3, 7": ["stem:3,7"],
}


@pytest.mark.parametrize("text", LAYERS)
def test_layers_of_a_dream_are_those_of_the_command(server: Server, text: str) -> None:
    settings = {"photo": "sample:officer", "layers": text}
    found = server.ask("POST", "/api/preview", {"action": "dream", "settings": settings})
    assert found.status == 200, found.error
    words = shlex.split(found.json()["command"])
    assert words[words.index("--layers") + 1 : words.index("--size")] == LAYERS[text]


MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a program": (
        "attack",
        {"photo": "sample:officer", "model": "net.py:make"},
        "model: choose one of faces",
    ),
    "a file": ("dream", {"photo": "sample:officer", "model": "/x.pt2"}, "model: choose one of faces"),
    "an address": ("attack", {"photo": "http://127.0.0.1/x.png"}, "there is no upload"),
    "method": ("attack", {"photo": "sample:officer", "method": "magic"}, "method: choose one of pgd"),
    "levels": ("attack", {"photo": "sample:officer", "levels": 0}, "levels must be from 1 to 255"),
    "robust": ("attack", {"photo": "sample:officer", "robust": ["x"]}, "robust: choose from"),
    "size": ("dream", {"photo": "sample:officer", "size": 8}, "size: choose at least 32 px"),
    "a place": ("dream", {"photo": "sample:officer", "layers": "stem, hf:3/x"}, "layers: paths and addr"),
    "an address of digits": ("dream", {"photo": "sample:officer", "layers": "hf:3x"}, "layers: paths and"),
    "octaves": ("dream", {"photo": "sample:officer", "octaves": 0}, "octaves must be from 1 to 20"),
    "styles": ("stylize", {"photo": "sample:officer", "styles": []}, "styles: choose from one to eight"),
    "a style": ("stylize", {"photo": "sample:officer", "styles": ["sample:nothing"]}, "no such sample"),
    "no photo": ("stylize", {"styles": ["sample:waves"]}, "photo: choose a picture first"),
    "a setting": ("stylize", {"photo": "sample:officer", "state": "/tmp/x"}, "no setting 'state'"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_one_sentence(server: Server, case: str) -> None:
    action, settings, sentence = MISTAKES[case]
    found = server.ask("POST", "/api/preview", {"action": action, "settings": settings})
    assert found.status in (400, 404) and sentence in found.error


def test_a_class_that_is_none_fails_in_one_sentence(server: Server) -> None:
    done = server.wait(server.start("attack", photo="sample:officer", target="flamingo"))
    assert done["state"] == "failed" and done["error"].startswith("class 'flamingo': faces has no such class")
    assert server.ask("GET", "/api/classifiers/net.py:make/classes").status == 404


def test_an_attack_in_the_page(browser: Browser, server: Server) -> None:
    with opened(browser, server, "#/pixels", width=390) as page:
        page.get_by_role("button", name="Use the sample officer").click()
        expect(page.locator(".class-bars li").first).to_contain_text("face with eyeglasses and hat")
        expect(page.locator(".face-box")).to_be_visible()
        page.get_by_label("What it should see instead").fill("smiling hat")
        page.get_by_role("button", name="smiling face with hat", exact=True).click()
        page.get_by_role("slider", name="Largest change of a value").fill("8")
        expect(page.locator(".command code")).to_contain_text("'smiling face with hat' --epsilon 8/255")
        page.get_by_role("button", name="Attack", exact=True).click()
        expect(page.get_by_role("heading", name="It now sees: smiling face with hat")).to_be_visible()
        expect(page.get_by_alt_text("The change, magnified")).to_be_visible()
        address = page.url
        page.get_by_role("tab", name="Dream").click()
        expect(page.get_by_text("Drop a photo to dream into")).to_be_visible()
        page.goto(address)  # an address recalls the result and what made it
        expect(page.get_by_role("heading", name="It now sees: smiling face with hat")).to_be_visible()
        expect(page.get_by_role("slider", name="Largest change of a value")).to_have_value("8")
