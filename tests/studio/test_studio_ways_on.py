"""Every view has a way on: links lead to their items, the focus goes along, and mistakes leave a choice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from studio_browser import opened
from studio_server import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio with a dataset that lost its pictures, results, and a model of another version."""
    folder = tmp_path_factory.mktemp("ways") / "project"
    for name in ("datasets/x", "results", "models"):
        (folder / name).mkdir(parents=True)
    (folder / "datasets/x/dataset.json").write_text('{"size": [48, 32], "counts": {"train": 1}}')
    Image.new("RGB", (64, 64), "teal").save(folder / "results/made.png")
    files = [{"name": "made.png", "role": "picture", "bytes": 1}]
    for name, action, settings in (
        ("drawn", "generate", {"model": "celeba64", "points": "seed:7"}),
        ("translated", "translate", {"model": "glasses64"}),
        ("gone-on", "train", {"run": "early", "kimg": 5}),
    ):
        about = {"id": name, "title": name, "action": action, "settings": settings, "files": files}
        (folder / "results" / f"{name}.json").write_text(
            json.dumps({**about, "made": "2026-12-01T10:00:00+0000"})
        )
    newer = {"facegan": json.dumps({"format": 99, "image_shape": [3, 64, 64]})}
    head = json.dumps({"__metadata__": newer}).encode()
    (folder / "models/newer.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    with running(folder) as found:
        yield found


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page on a phone; the server refuses what cannot be read, which the browser's log tells."""
    with opened(browser, server, width=390, expected="Failed to load resource") as found:
        yield found


def go(page: Page, server: Server, place: str) -> None:
    page.goto(f"{server.address}/#/{place}")


def test_home_leads_to_each_kind_of_item(page: Page, server: Server) -> None:
    datasets = page.get_by_role("region", name="Datasets")
    expect(datasets).to_contain_text("1 picture, 32 × 48 px (width × height)")
    datasets.get_by_role("link", name="x", exact=True).click()
    expect(page.get_by_role("heading", name="x", exact=True)).to_be_visible()
    expect(page.get_by_text("These photos are not here")).to_have_count(0)
    go(page, server, "home")
    page.get_by_role("region", name="Models").get_by_role("link", name="glasses64").click()
    expect(page.get_by_label("Translator", exact=True)).to_have_value("glasses64")


def test_what_is_opened_begins_at_its_top_with_the_focus(page: Page, server: Server) -> None:
    go(page, server, "history")
    page.get_by_role("link", name="drawn").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="All results")).to_be_visible()
    expect(page.locator("main")).to_be_focused()
    assert page.evaluate("scrollY") == 0
    go(page, server, "pixels")
    page.get_by_role("tab", name="Attack").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Dream")).to_be_focused()


def test_a_model_of_another_version_leaves_the_choice_of_others(page: Page, server: Server) -> None:
    go(page, server, "explore/newer")
    expect(page.get_by_role("alert")).to_contain_text("is facegan up to date?")
    page.get_by_label("Model", exact=True).select_option("celeba64")
    expect(page.get_by_role("alert")).to_have_count(0)
    go(page, server, "photo?job=of-another-time")  # a search that is listed no more
    page.get_by_role("button", name="Use the sample astronaut").click()
    page.get_by_label("Model", exact=True).select_option("newer")
    expect(page.get_by_role("alert")).to_contain_text("is facegan up to date?")
    page.get_by_label("Model", exact=True).select_option("celeba64")
    expect(page.get_by_role("button", name="Find this face in the model")).to_be_visible()


def test_earlier_results_open_where_they_were_made(page: Page, server: Server) -> None:
    go(page, server, "translate")
    page.get_by_role("button", name="Open what was made").click()
    expect(page.get_by_alt_text("Input and result")).to_be_visible()
    go(page, server, "history/gone-on")
    page.get_by_role("link", name="Open with these settings").click()
    expect(page).to_have_url(f"{server.address}/#/train/early")
