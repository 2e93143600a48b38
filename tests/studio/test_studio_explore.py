"""The view Explore: the page draws what facegan draws, and all of it can be undone, kept and recalled."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, Route, Worker, expect
from studio_browser import levels, opened, until
from studio_server import Server, running
from untrained import model_of

import facegan
from facegan.latent.directions import Directions, directions_of
from facegan.marks import read_mark

DRAWN = "(c => c?.dataset.drawn && c.dataset.drawn === c.dataset.wanted)(document.querySelector('.large'))"
ASKED = "performance.getEntriesByType('resource').filter(one => one.name.includes('/faces')).length"
SECONDS = 240_000  # ms, for exporting a model on a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Iterator[Server]:
    """A studio with a model that takes labels, truncates, and has directions."""
    folder = tmp_path_factory.mktemp("explore")
    model = model_of("stylegan2", labelled=True)
    (folder / "models").mkdir()
    for name in ("labelled", "other"):
        model.save(folder / "models" / f"{name}.safetensors")
    for kimg in (10, 20):  # a run, whose states are of the same network
        place = folder / "runs" / "early" / "models" / f"{kimg:06d}kimg.safetensors"
        place.parent.mkdir(parents=True, exist_ok=True)
        model.save(place)
    (folder / "runs" / "early" / "config.json").write_text("{}")
    vectors = torch.randn(3, model.num_ws, model.w_dim, generator=torch.Generator().manual_seed(0))
    found = Directions(
        ("pca1", "pca2", "pca3"),
        ("pca",) * 3,
        vectors.half().float(),
        np.zeros((3, 0), np.float32),
        (),
        {},
        model.hash,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGAN_CACHE", str(folder / "cache"))
        found.save(folder / "cache" / "directions" / f"{model.hash[:32]}.safetensors")
        with running(folder, exported=exported) as started:
            for name in ("labelled", "celeba64"):
                found = started.ask("POST", f"/api/explore/{name}/prepare", {}, seconds=SECONDS / 1000)
                assert found.json() == {"runs": True}
            yield started


def settled(page: Page, by: str = "page") -> np.ndarray:
    """Return the large picture, uint8 H,W,3, once it is the one that is wanted, and drawn by ``by``."""
    until(page, f"{DRAWN} && document.querySelector('.large').dataset.by.includes('{by}')", SECONDS / 1000)
    text = page.evaluate(
        """() => { const c = document.querySelector('.large');
        const {data} = c.getContext('2d').getImageData(0, 0, c.width, c.height);
        return btoa(String.fromCharCode(...data)); }"""
    )
    width, height = page.evaluate(
        "[document.querySelector('.large').width, document.querySelector('.large').height]"
    )
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3]


def slide(page: Page, label: str, value: float) -> None:
    page.get_by_label(label, exact=True).evaluate(
        """(input, value) => {
            input.value = value;
            input.dispatchEvent(new Event('input', {bubbles: true}));
        }""",
        value,
    )


def served(server: Server, model: str, *faces: dict[str, Any], **look: Any) -> list[np.ndarray]:
    """Return pictures as the server draws them."""
    looks = [{"face": face, **look} for face in faces]
    found = server.ask("POST", f"/api/explore/{model}/faces", {"looks": looks})
    assert found.status == 200, found.content
    images = (base64.b64decode(image) for image in found.json()["images"])
    return [np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for image in images]


def restored(settings: dict[str, str]) -> dict[str, str]:
    """Return the state of an address that opens a result with its settings."""
    return {"action": "explore", "settings": json.dumps(settings)}


SEED = {"seed": 5}
SUM = {
    "sum": [
        {"sign": 1, "members": [{"seed": 1}, {"seed": 2}]},
        {"sign": -1, "members": [{"seed": 3}]},
        {"sign": 1, "members": [SEED]},
    ]
}
BETWEEN = {"between": [SUM, {"seed": 7}], "at": 0.25}
MIXED = {"base": {"seed": 1}, "style": BETWEEN, "kind": "layers", "numbers": [0, 1]}
LOOKS = {
    "seed": ("seed=5", SEED),
    "sum": ("face=(1,2-3%2B5)", SUM),
    "between": ("face=((1,2-3%2B5)~7@0.25)", BETWEEN),
    "layers": ("face=(1%25((1,2-3%2B5)~7@0.25):l0-1)", MIXED),
    "sum of mixed": (
        "face=((1%25((1,2-3%2B5)~7@0.25):l0-1)-3%2B7)",
        {
            "sum": [
                {"sign": 1, "members": [MIXED]},
                {"sign": -1, "members": [{"seed": 3}]},
                {"sign": 1, "members": [{"seed": 7}]},
            ]
        },
    ),
}


@pytest.mark.parametrize("name", LOOKS)
def test_an_address_is_the_same_face_in_page_server_and_python(
    name: str, server: Server, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With moves, truncation and labels on top; the shown Python draws it as well."""
    address, point = LOOKS[name]
    more = "&moves=pca1:1.5,pca3:-2&truncation=0.7&labels=1,1"
    with opened(browser, server, f"#/explore/labelled?{address}{more}") as page:
        shown = settled(page)
        page.get_by_role("tab", name="Python").click()
        script = page.locator(".command code").inner_text()
        asked = page.evaluate(ASKED)
        slide(page, "pca component 1", 0.5)
        settled(page)
        assert page.evaluate(ASKED) == asked <= 1, "the server draws until the engine has started"
    face = {"point": point, "moves": {"pca1": 1.5, "pca3": -2}}
    expected, other = served(server, "labelled", face, {"point": {"seed": 6}}, truncation=0.7, labels=[1, 1])
    assert levels(shown, expected) <= 1 < levels(expected, other)
    (tmp_path / "models").symlink_to(server.folder / "models")
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    assert levels(np.asarray(Image.open(tmp_path / "face.png")), expected) <= 1


def test_the_first_picture_is_there_before_the_engine(server: Server, browser: Browser) -> None:
    """It comes with what the server says of the model. The modules of the page are asked for at once."""
    about = server.get("/api/explore/celeba64")
    sent = np.asarray(Image.open(io.BytesIO(base64.b64decode(about["first_picture"]))).convert("RGB"))
    assert levels(sent, facegan.load("celeba64").sample([0])[0]) == 0
    with opened(browser, server, "#/explore/celeba64") as page:
        page.reload()  # the address as somebody opens it, not as a step from the first view
        assert levels(settled(page, by=""), sent) <= 1
        assert levels(settled(page), sent) <= 1 and not page.evaluate(ASKED)
        marks = page.evaluate("performance.getEntriesByType('mark').map(one => one.name)")
        assert marks == ["first picture", "first picture of the page"]
        asked = page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)")
    names = [name for name in asked if name.endswith(".js")]
    assert names and all(name.startswith("/page/@") for name in names)
    known = re.sub("/page/@[0-9a-f]+/", "", server.ask("GET", "/").content.decode())
    late = {name.split("/", 3)[3] for name in names} - set(re.findall(r"[\w/]+\.js", known))
    worker = {"explore/worker.js", "runtime.js", "engine/engine.js", "engine/latents.js"}
    assert late == worker, "these wait for another module"


def test_the_server_draws_until_it_has_exported_the_model(server: Server, browser: Browser) -> None:
    with opened(browser, server, "#/explore/other?seed=5") as page:
        plain = settled(page, by="server")
        assert page.evaluate(ASKED)
        assert levels(plain, served(server, "other", {"point": SEED})[0]) == 0
        for step in range(1, 400):  # a slider that is moved from time to time
            slide(page, "pca component 1", step / 200)
            settled(page, by="")
            if page.locator(".large").get_attribute("data-by") == "page":
                break
            page.wait_for_timeout(500)
        before = page.evaluate(ASKED)
        slide(page, "pca component 1", 2)
        moved = served(server, "other", {"point": SEED, "moves": {"pca1": 2}})[0]
        assert levels(settled(page), moved) <= 1 < levels(moved, plain)
        assert page.evaluate(ASKED) == before, "the page draws by itself now"


def test_the_bundled_model_is_changed_undone_kept_and_recalled(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    model = facegan.load("celeba64")
    with opened(browser, server, "#/explore/celeba64?seed=12", height=1600) as page:
        plain = settled(page)
        assert levels(plain, model.sample([12])[0]) <= 1
        slide(page, "smiling", 1.5)
        smiling = settled(page)
        edited = directions_of(model).move(model.map(model.latent.sample([12])), {"Smiling": 1.5})
        assert levels(smiling, model.images(edited)[0]) <= 1 < levels(smiling, plain)
        page.wait_for_url("**/#/explore/celeba64?seed=12&moves=Smiling%3A1.5")
        page.wait_for_selector("text=facegan edit celeba64 seed:12 smiling=+1.5 --hold none")

        with page.expect_download() as download:
            page.get_by_role("button", name="Download as PNG").click()
        file = download.value.path()
        mark = read_mark(file)
        assert mark is not None and mark.model == model.hash and mark.seed == "12"
        assert (
            mark.details["edits"] == "smiling +1.5"
            and mark.command == "facegan edit celeba64 seed:12 smiling=+1.5 --hold none"
        )
        assert mark.details["recall"] == "explore?seed=12&moves=Smiling%3A1.5"
        assert levels(np.asarray(Image.open(file)), smiling) == 0
        brought = server.ask("POST", "/api/uploads", file.read_bytes(), {**server.headers, "X-Name": "a.png"})
        found = server.ask("POST", "/api/recall", {"upload": brought.json()["id"]}).json()
        assert (found["view"], found["model"]) == ("explore", "celeba64")
        assert found["state"] == {"seed": "12", "moves": "Smiling:1.5"}

        page.get_by_role("button", name="Keep").click()
        page.wait_for_selector("text=Kept in the project")
        (result,) = server.get("/api/project")["results"]
        settings = {"model": "celeba64", "seed": "12", "moves": "Smiling:1.5"}
        assert (result["action"], result["settings"]) == ("explore", settings)
        kept = server.ask("GET", f"/api/results/{result['id']}/file/0").content
        assert levels(np.asarray(Image.open(io.BytesIO(kept))), smiling) <= 1
        saved = facegan.latent.load_vectors(
            server.folder / "results" / f"{result['id']}.npz", w_shape=(model.num_ws, model.w_dim)
        )
        assert levels(model.images(saved)[0], smiling) <= 1
        point = {"vector": result["id"], "number": 0}
        assert levels(served(server, "celeba64", {"point": point})[0], smiling) <= 1

        page.keyboard.press("Control+z")
        assert levels(settled(page), plain) == 0
        page.get_by_role("button", name="Redo").click()
        assert levels(settled(page), smiling) == 0
        page.goto(f"{server.address}/#/explore/celeba64?{urlencode(restored(settings))}")
        assert levels(settled(page), smiling) == 0
        page.goto(f"{server.address}/#/explore/celeba64?face=v{result['id']}.0")
        assert levels(settled(page), smiling) <= 1


def test_faces_are_added_by_dragging_keys_and_words(server: Server, browser: Browser) -> None:
    with opened(
        browser,
        server,
        "#/explore/celeba64?seed=0&tool=sum",
        height=1800,
        expected="status of 400 (Bad Request) at /api/explore/celeba64/moves",
    ) as page:
        settled(page)
        for seed, sign in ((0, ""), (1, "-"), (2, "+")):
            page.get_by_role("tab", name="Faces").click()
            if sign:
                page.locator(f".faces [data-seed='{seed}'] .face").press(sign)
            else:
                page.locator(f".faces [data-seed='{seed}'] .face").press("=")
        expected = served(
            server,
            "celeba64",
            {"point": {"sum": [{"sign": s, "members": [{"seed": n}]} for n, s in ((0, 1), (1, -1), (2, 1))]}},
        )[0]
        assert levels(settled(page), expected) <= 1
        page.wait_for_selector("text=facegan arithmetic celeba64 'seed:0 - seed:1 + seed:2' --norm prior")

        page.locator(".faces [data-seed='3'] .face").press("f")  # a favourite, to be dragged
        page.get_by_role("tab", name="Arithmetic").click()
        page.drag_and_drop(".tray .tile .face", "[data-slot='2']")
        point = {
            "sum": [
                {"sign": 1, "members": [{"seed": 0}]},
                {"sign": -1, "members": [{"seed": 1}]},
                {"sign": 1, "members": [{"seed": 2}, {"seed": 3}]},
            ]
        }
        assert levels(settled(page), served(server, "celeba64", {"point": point})[0]) <= 1

        page.get_by_label("Change the face by words").fill("old, no smile=1")
        page.get_by_role("button", name="Apply").click()
        until(page, "document.querySelector('.titles p')?.textContent.includes('young -1.5')")
        page.get_by_label("Change the face by words").fill("a purple cow")
        page.get_by_role("button", name="Apply").click()
        page.wait_for_selector("[role=alert] >> text=purple")

        page.get_by_label("Arithmetic by words").fill("smiling woman - woman + man")
        page.get_by_role("button", name="Compute").click()
        page.wait_for_selector("h2 >> text=smiling woman - woman + man", timeout=SECONDS)
        expected = served(server, "celeba64", {"point": {"words": "smiling woman - woman + man"}})[0]
        assert levels(settled(page), expected) <= 1


def test_favourites_stay_and_a_film_goes_through_them(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    looks = [{"face": {"point": {"seed": n}, "moves": {}}, "truncation": 1, "labels": None} for n in (4, 9)]
    headers = {"looks": looks}
    assert server.ask("PUT", "/api/explore/labelled/tray", headers).status == 200
    with opened(browser, server, "#/explore/labelled?tool=film", width=390) as page:
        settled(page)
        assert page.locator(".tray .tile").count() == 2
        slide(page, "Between the favourites", 0.5)
        half = {"point": {"between": [{"seed": 4}, {"seed": 9}], "at": 0.5}}
        expected = served(server, "labelled", half)[0]
        assert levels(settled(page), expected) <= 1
        page.get_by_label("Pace").select_option("1")
        page.get_by_role("button", name="Play it here").click()
        with page.expect_download(timeout=SECONDS) as download:
            page.get_by_role("button", name="PNG", exact=True).click(timeout=SECONDS)
        film = Image.open(download.value.path())
        assert film.n_frames == 40
        film.seek(10)
        assert levels(np.asarray(film.convert("RGB")), expected) <= 1
        mark = read_mark(download.value.path())
        assert mark is not None and mark.details["points"] == "Seed 4, Seed 9"
        page.get_by_role("button", name="Take favourite 1 out").click()
        page.wait_for_timeout(800)
    assert len(server.get("/api/explore/labelled/tray")["looks"]) == 1


def test_the_map_is_drawn_by_a_job_and_chosen_from(server: Server, browser: Browser) -> None:
    job = server.wait(server.start("atlas", model="labelled", count=36))
    assert job["state"] == "done", job["error"]
    with opened(browser, server, "#/explore/labelled?tool=map", dark=True) as page:
        settled(page)
        page.wait_for_selector(".map[data-faces='36']", timeout=SECONDS)
        page.locator(".map").click(position={"x": 300, "y": 300})
        page.locator(".map").press("0")
        page.locator(".map").press("Enter")
        page.wait_for_timeout(300)
        seed = int(page.locator(".stage .name").inner_text().removeprefix("Seed "))
        page.locator(".map").press("ArrowRight")
        until(page, f"document.querySelector('.stage .name').textContent !== 'Seed {seed}'")
        layout = json.loads((server.folder / "results" / f"{job['id']}.layout.json").read_text())
        beside = layout["seeds"][layout["seeds"].index(seed) + 1]
        assert page.locator(".stage .name").inner_text() == f"Seed {beside}"
        assert layout["columns"] == 6 and sorted(layout["seeds"]) == list(range(36))


def test_an_earlier_state_of_a_run_opens(browser: Browser, server: Server) -> None:
    with opened(browser, server, "#/explore/run~early@10kimg?seed=3") as page:
        expected = served(server, "labelled", {"point": {"seed": 3}})[0]
        assert levels(settled(page, by=""), expected) <= 1
        assert page.get_by_label("Model", exact=True).input_value() == "run~early@10kimg"


def test_a_worker_that_began_early_ends_where_the_server_draws(server: Server, browser: Browser) -> None:
    def cannot_run(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "runs": False})

    with opened(browser, server, "#/nothing") as page:
        expect(page).to_have_title(re.compile("Not found"))
        page.goto(f"{server.address}/#/404")
        page.reload()  # the view is read before the modules are there
        expect(page).to_have_title(re.compile("Not found"))
        begun: list[Worker] = []
        page.on("worker", lambda worker: begun.append(worker))
        page.route("**/api/explore/celeba64", cannot_run)
        page.goto(f"{server.address}/#/explore/celeba64?seed=0")
        page.reload()
        settled(page, "server")
        assert len(begun) == 1 and page.workers == []


def test_a_face_that_no_command_makes_has_its_python_and_a_name(server: Server, browser: Browser) -> None:
    with opened(browser, server, "#/explore/labelled?face=(1~2@0.25)&moves=pca1:-1.5") as page:
        settled(page, by="")
        command = page.get_by_role("region", name="The same without the studio")
        expect(command.locator("code")).to_contain_text("import facegan")
        expect(command.get_by_role("tab")).to_have_text(["Python"])
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as PNG").click()
        name = download.value.suggested_filename
        assert name == "stylegan2-1-to-2-25-pca-component-1-minus1-5.png"
