"""The view of training in Chromium: a recipe is chosen, and a run is watched, stopped and gone on with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from studio_browser import name_run, opened
from studio_server import SMALL_TRAINING, Server, running

from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.images import save_png
from facegan.recipes.table import recipe

AXE = Path(__file__).parents[2] / ".ci/page/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio with a dataset, and with two runs as a command line leaves them."""
    root = tmp_path_factory.mktemp("page") / "project"
    photos = root.parent / "photos"
    write_portraits(photos, 40, 0, size=32)
    data = prepare(
        [photos], root / "datasets/faces", crop="none", size=32, attributes=photos / "attributes.csv"
    )
    for name, better, length in (("slow", 1.0, 40), ("fast", 2.0, 20)):
        write_run(root / "runs" / name, data.content_hash, better=better, length=length)
    with running(root) as found:
        yield found


def write_run(folder: Path, content_hash: str, *, better: float, length: int) -> None:
    """A run folder with statistics, sheets and a warning."""
    (folder / "samples").mkdir(parents=True)
    config = {**recipe("faces-tiny-32").to_dict(), "kimg": 60.0, "flip": better > 1}
    config["dataset"] = {"name": "faces", "path": "datasets/faces", "content_hash": content_hash, "count": 40}
    (folder / "config.json").write_text(json.dumps(config))
    rows = []
    for kimg in range(1, length + 1):
        row = {"images_seen": kimg * 1000, "kimg": kimg, "seconds": kimg * 9.0, "images_per_second": 111.0}
        row |= {"loss_g": 1.5 + 1 / kimg, "loss_d": 0.7, "accuracy_real": 0.8, "accuracy_fake": 0.75}
        if kimg % 4 == 0:
            row |= {"quality": 100 / kimg / better, "quality_floor": 2.0, "diversity": 0.9, "copied": 0.04}
        rows.append(json.dumps(row))
    (folder / "stats.jsonl").write_text("\n".join(rows) + "\n")
    text = (
        "watchdog: the samples lose their variety: they differ 40% as much; try a higher --r1-gamma (now 0.5)"
    )
    (folder / "events.jsonl").write_text(json.dumps({"images_seen": 8000, "text": text}) + "\n")
    rng = np.random.default_rng(length)
    for kimg in range(0, length + 1, 4):
        save_png(folder / f"samples/{kimg:06d}kimg.png", rng.integers(0, 256, (64, 64, 3), np.uint8))


@pytest.fixture
def view(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the studio, in the size and colours that a test asks for."""
    width, scheme = getattr(request, "param", (1440, "light"))
    # The server refuses wrong settings, and does not know a run before it begins: the browser logs both.
    with opened(
        browser, server, width=width, dark=scheme == "dark", expected="Failed to load resource"
    ) as page:
        yield page


def go(view: Page, server: Server, hash_: str) -> None:
    view.goto(f"{server.address}/{hash_}")


def test_a_training_is_chosen_started_watched_stopped_and_gone_on_with(view: Page, server: Server) -> None:
    go(view, server, "#/train")
    view.get_by_role("link", name="New training").click()
    expect(view.get_by_label("Recipe", exact=True)).to_have_value("faces-tiny-32")
    expect(view.locator("pre code")).to_contain_text("--out runs/faces-faces-tiny-32")
    view.get_by_label(re.compile("Search all")).fill("learning rate")
    expect(view.get_by_label("LR, generator")).to_be_visible()
    view.get_by_label(re.compile("Search all")).fill("")
    view.get_by_label("Batch").fill("0")
    expect(view.get_by_role("alert")).to_contain_text("“batch” must be at least 1, not 0")
    view.get_by_role("button", name="Show this setting").click()
    expect(view.get_by_label(re.compile("Search all"))).to_have_value("batch")
    view.get_by_label(re.compile("Search all")).fill("")
    expect(view.get_by_role("button", name="Start the training")).to_be_disabled()
    view.get_by_label("Batch").fill("8")
    expect(view.locator("pre code")).to_contain_text("--batch 8")
    view.get_by_role("button", name="Smiling").click()
    expect(view.locator("pre code")).to_contain_text("--condition Smiling")
    changes = json.dumps(SMALL_TRAINING)
    go(view, server, f"#/train?new=1&dataset=faces&recipe=faces-tiny-32&changes={changes}&n=2")
    view.reload()
    expect(view.locator("pre code")).to_contain_text("--generator.width 0.125")
    name_run(view, "mine")
    view.get_by_role("button", name="Start the training").click()
    expect(view.get_by_role("heading", name="mine")).to_be_visible()
    expect(view.get_by_alt_text(re.compile("Samples of mine"))).to_be_visible(timeout=60_000)
    expect(view.locator(".state.running")).to_be_visible()
    expect(view.get_by_text("images/s").first).to_be_visible(timeout=30_000)
    view.get_by_role("button", name="Stop", exact=True).click()
    go_on = view.get_by_role("button", name="Go on", exact=True)
    expect(go_on).to_be_visible(timeout=60_000)
    go_on.click()
    stop = view.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_visible(timeout=30_000)
    stop.click()
    expect(go_on).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("view", [(1440, "light"), (390, "dark")], indirect=True)
def test_a_run_shows_samples_curves_and_warnings_in_plain_words(view: Page, server: Server) -> None:
    go(view, server, "#/train/slow")
    expect(view.get_by_alt_text("Samples of slow after 40,000 pictures")).to_be_visible()
    warning = view.locator(".warning")
    expect(warning).to_contain_text("After 8,000 pictures: The samples lose their variety: they differ 40%")
    expect(warning).to_contain_text("try a higher “r1 gamma” (now 0.5).")
    slider = view.get_by_label(re.compile("samples$|^Samples"))
    slider.focus()
    slider.press("ArrowLeft")
    expect(view.get_by_alt_text("Samples of slow after 36,000 pictures")).to_be_visible()
    chart = view.get_by_role("region", name="Quality")
    chart.get_by_role("img").focus()
    chart.get_by_role("img").press("ArrowRight")
    expect(chart.get_by_role("img")).to_have_attribute("aria-label", re.compile("at 1 thousand pictures"))
    chart.get_by_role("button", name="Quality: show the numbers").click()
    expect(chart.get_by_role("row").nth(1)).to_have_text("425")  # after 4 kimg: 100 / 4
    view.get_by_role("tab", name="Time").click()
    expect(chart.get_by_role("columnheader").first).to_have_text("minutes")
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"


def test_runs_are_compared(view: Page, server: Server) -> None:
    go(view, server, "#/train")
    for name in ("slow", "fast"):
        view.get_by_role("button", name=f"Compare {name}").click()
    view.get_by_role("link", name="Compare 2 runs").click()
    expect(view.get_by_alt_text("Samples of fast after 20,000 pictures")).to_be_visible()
    legend = view.get_by_role("region", name="Quality").locator(".legend")
    expect(legend).to_contain_text("slow 2.5")
    expect(legend).to_contain_text("fast 2.5")
    expect(view.get_by_role("region", name="Settings that differ", exact=True)).to_contain_text("flip")


def test_a_look_ahead_fills_the_view(view: Page, server: Server) -> None:
    changes = json.dumps({name: value for name, value in SMALL_TRAINING.items() if name != "kimg"})
    go(view, server, f"#/train?new=1&dataset=faces&recipe=faces-tiny-32&changes={changes}")
    view.get_by_role("button", name="Recommend settings").click()
    table = view.get_by_role("region", name="Recommended settings")
    expect(table).to_contain_text("augmentation", timeout=90_000)
    expect(view.get_by_text("40 training pictures are few")).to_be_visible()
    view.get_by_role("button", name="Use these settings").click()
    expect(view.locator("pre code").last).to_contain_text("--augment ada")


@pytest.mark.parametrize("view", [(1440, "dark"), (390, "light")], indirect=True)
def test_curves_and_warnings_are_accessible(view: Page, server: Server) -> None:
    """The other views are looked at in test_studio_flows.py."""
    if not AXE.is_file():
        pytest.skip("needs node and the modules of .ci/page")
    go(view, server, "#/train/slow")
    expect(view.locator(".warning")).to_be_visible()
    view.evaluate(AXE.read_text())
    found: Any = view.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "it has looked"
    serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == [], json.dumps(serious, indent=1)[:3000]
