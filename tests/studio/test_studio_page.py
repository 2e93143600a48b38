"""The page in a browser: views, keyboard, colours, recall of dropped pictures; no other machine is asked."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from studio_server import Server, running

WIDE, NARROW = (1440, 900), (390, 844)
expect.set_options(timeout=60_000)  # where other tests keep the cores busy, processes take long to start


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("page") / "faces", exported=exported) as found:
        folder = found.folder / "results"
        folder.mkdir()
        (found.folder / "datasets" / "x").mkdir(parents=True)
        (found.folder / "datasets" / "x" / "dataset.json").write_text(
            '{"size": [64, 64], "counts": {"test": 50}}'
        )
        Image.new("RGB", (128, 128), "teal").save(folder / "made.png")
        row = {"name": "kid", "title": "KID", "better": "lower", "reading": "A distance.", "digits": 3}
        measured = {**row, "value": 0.012, "low": 0.01, "high": 0.015, "real": 0.001}
        numbers = {"against": "datasets/x (test)", "features": "faces-1", "count": 50, "headline": "kid"}
        about: dict[str, dict[str, Any]] = {
            "made": {
                "title": "Draw faces",
                "action": "generate",
                "settings": {"model": "celeba64", "points": "seed:7"},
                "files": [{"name": "made.png", "role": "sheet", "bytes": 1}],
            },
            "measured": {
                "title": "Measure a model",
                "action": "evaluate",
                "settings": {"model": "celeba64", "dataset": "gone"},
                "result": {"subject": "celeba64", "rows": [measured], **numbers},
            },
        }
        worse = {**measured, "value": 0.02, "low": 0.018, "high": 0.024}
        about["earlier"] = {**about["measured"], "settings": {"model": "gone"}}
        about["earlier"]["result"] = {"subject": "runs/other", "rows": [worse], **numbers}
        for name, value in about.items():
            text = json.dumps({"id": name, "made": "2026-12-01T10:00:00+0000", "files": [], **value})
            (folder / f"{name}.json").write_text(text)
        yield found


@contextmanager
def opened(
    browser: Browser,
    server: Server,
    size: tuple[int, int] = WIDE,
    *,
    dark: bool = False,
    refused: bool = False,
) -> Iterator[Page]:
    """Give the page; at the end it has asked this machine alone, and nothing has gone wrong.

    ``refused`` says that the server is given settings that it refuses, which the browser tells.
    """
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
    )
    asked: set[str] = set()
    wrong: list[str] = []
    context.on("request", lambda request: asked.add(re.sub(r"^(\w+:(?://[^/]*)?).*", r"\1", request.url)))
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
    page.goto(f"{server.address}/?token={server.token}")
    expect(page.locator("main h1")).to_be_visible()
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "it scrolls sideways"
    context.close()
    if refused:
        wrong = [text for text in wrong if "status of 400" not in text]
    assert not wrong and asked <= {server.address, "blob:", "data:"}


def go(page: Page, place: str) -> None:
    page.evaluate("place => { location.hash = place; }", f"#/{place}")
    expect(page.locator("main h1")).to_be_visible()


def dropped(page: Page, content: bytes, name: str) -> None:
    """Drop a file on the page, outside of any drop zone."""
    page.evaluate(
        """([text, name]) => {
            const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, {type: "image/png"}));
            for (const kind of ["dragenter", "dragover", "drop"])
                document.querySelector("main").dispatchEvent(
                    new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        [base64.b64encode(content).decode(), name],
    )


def test_home_shows_faces_and_one_next_step(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        expect(page.get_by_alt_text("A face that celeba64 draws, seed 5")).to_be_visible(timeout=60_000)
        assert page.locator("main .button.primary").count() == 1
        assert page.locator(".home-faces img").first.evaluate("i => i.naturalWidth") == 64
        page.get_by_role("link", name="Draw faces").click()
        expect(page.get_by_role("heading", name="Draw faces")).to_be_visible()
        expect(page.locator("pre")).to_have_count(0)  # this result was written without a command


def test_the_address_leads_to_each_view_and_back(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        links = page.locator("nav.side a")
        titles = links.all_inner_texts()
        assert {"Home", "Measure & share", "Results"} <= set(titles)
        page.get_by_role("link", name="Results", exact=True).click()
        expect(page).to_have_title("Results · facegan studio")
        expect(links.filter(has_text="Results")).to_have_attribute("aria-current", "page")
        assert page.evaluate("document.activeElement.id") == "main", "screen readers begin at the view"
        page.go_back()
        expect(page).to_have_title("Home · facegan studio")
        go(page, "nowhere%/x?y")
        expect(page.get_by_text("which this studio does not have")).to_be_visible()
        go(page, "history/gone")
        expect(page.get_by_text("No such result")).to_be_visible()


def test_the_keyboard_reaches_everything(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.get_by_role("button", name="Jobs").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="Jobs")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("document.activeElement.innerText").startswith("Jobs"), "focus returns"
        go(page, "share/celeba64?tab=export")
        page.get_by_role("tab", name="Export").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Publish")).to_be_focused()
        expect(page.get_by_role("tabpanel", name="Publish")).to_be_visible()


def test_the_narrow_page_has_a_bar_and_all_views(browser: Browser, server: Server) -> None:
    with opened(browser, server, NARROW) as page:
        page.get_by_role("button", name="More").click()
        with_all = page.get_by_role("dialog", name="Views")
        with_all.get_by_role("link", name="Measure & share").click()
        expect(page.get_by_role("heading", name="Measure & share")).to_be_visible()
        expect(with_all).to_have_count(0)
        page.get_by_role("button", name="Jobs").click()
        expect(page.get_by_role("dialog", name="Jobs")).to_be_visible()


def test_the_chosen_colours_stay(browser: Browser, server: Server) -> None:
    with opened(browser, server, dark=True) as page:
        shade = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(shade)
        page.get_by_role("button", name="Colours: as the system").click()
        light = page.evaluate(shade)
        assert light != dark
        page.reload()
        expect(page.locator("main h1")).to_be_visible()
        assert page.evaluate(shade) == light
        page.get_by_role("button", name="Colours: light").click()
        assert page.evaluate(shade) == dark


def test_a_measurement_has_bars_with_their_intervals(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        go(page, "history/measured")
        row = page.locator(".measures tr", has_text="KID")
        expect(row).to_contain_text("0.010 to 0.015")
        expect(row).to_contain_text("real 0.001")
        left, width = (
            row.locator(".whisker").evaluate(f"i => parseFloat(i.style.{side})") for side in ("left", "width")
        )
        end = 0.015 * 1.08
        assert left == pytest.approx(100 * 0.010 / end, abs=0.01)
        assert width == pytest.approx(100 * 0.005 / end, abs=0.01)


def test_measurements_against_the_same_pictures_stand_beside_each_other(
    browser: Browser, server: Server
) -> None:
    with opened(browser, server) as page:
        go(page, "share/celeba64")
        fill = page.locator(".measures .fill")
        expect(fill).to_have_count(1)
        page.get_by_label("runs/other").check()
        expect(fill).to_have_count(2)
        widths = [fill.nth(n).evaluate("i => parseFloat(i.style.width)") for n in (0, 1)]
        assert widths[0] / widths[1] == pytest.approx(0.012 / 0.02, abs=0.001), "both have one axis"
        expect(page.locator("pre")).to_contain_text("facegan evaluate celeba64 --against datasets/x")


def test_nothing_is_uploaded_without_a_yes(browser: Browser, server: Server) -> None:
    with opened(browser, server, refused=True) as page:
        go(page, "share/celeba64?tab=publish")
        page.get_by_label("Repository").fill("../etc")
        expect(page.get_by_text("write owner/name")).to_be_visible()
        expect(page.get_by_role("button", name="Publish", exact=True)).to_be_disabled()
        page.get_by_label("Repository").fill("me/faces")
        page.get_by_role("button", name="Publish", exact=True).click()
        asked = page.get_by_role("dialog", name="Publish celeba64?")
        expect(asked).to_contain_text("me/faces on the Hugging Face Hub, which only you see")
        asked.get_by_role("button", name="Cancel").click()
        expect(asked).to_have_count(0)
        assert server.get("/api/project")["jobs"] == []


def test_a_view_that_breaks_down_leaves_the_others(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    broken = "export default { View: () => { throw new Error('on purpose'); } };"
    context.route("**/views/share.js", lambda r: r.fulfill(body=broken, content_type="text/javascript"))
    page = context.new_page()
    page.goto(f"{server.address}/?token={server.token}")
    go(page, "share")
    expect(page.get_by_role("alert")).to_contain_text("on purpose")
    go(page, "train")
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    context.close()


def test_a_killed_server_is_told_and_the_page_goes_on_when_it_is_back(
    browser: Browser, tmp_path: Path
) -> None:
    with running(tmp_path / "p") as first:
        port = first.port
        page = browser.new_page()
        page.goto(f"{first.address}/?token={first.token}")
        expect(page.locator("main h1")).to_be_visible()
        first.process.kill()
        first.process.wait()
        page.evaluate(
            "document.dispatchEvent(new Event('visibilitychange'))"
        )  # as when it is looked at again
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
    with running(tmp_path / "p", "--port", str(port)):
        expect(page.get_by_role("alert")).to_have_count(0, timeout=20_000)
        expect(page.locator("main h1")).to_be_visible()
    page.close()


def test_a_result_is_kept_named_and_deleted(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        go(page, "history")
        page.get_by_role("button", name="Keep Draw faces").click()
        expect(page.get_by_role("button", name="Keep Draw faces")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("tab", name="Kept").click()
        expect(page.locator(".card.result")).to_have_count(1)
        page.get_by_role("link", name="Draw faces").click()
        page.get_by_role("button", name="Name this result").click()
        page.get_by_label("Name", exact=True).fill("<b>Seven</b>")
        page.get_by_role("button", name="Name it").click()
        expect(page.get_by_role("heading", name="<b>Seven</b>")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download made.png").click()
        assert download.value.path().read_bytes() == (server.folder / "results" / "made.png").read_bytes()
        go(page, "history/measured")
        page.get_by_role("button", name="Delete this result").click()
        page.get_by_role("button", name="Keep it").click()
        assert (server.folder / "results" / "measured.json").exists()


def test_a_dropped_file_without_a_mark_says_so(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        content = io.BytesIO()
        Image.new("RGB", (40, 30), "red").save(content, "PNG")
        dropped(page, content.getvalue(), "photo.png")
        expect(page.get_by_text("says nothing of its making")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_dropped_picture_brings_back_its_seed(browser: Browser, server: Server) -> None:
    content = server.ask("POST", "/api/models/celeba64/image", {"seed": 7}).content
    with opened(browser, server) as page:
        dropped(page, content, "holiday.png")
        dialog = page.get_by_role("dialog", name="What made this picture")
        expect(dialog.get_by_text("celeba64")).to_be_visible()
        expect(dialog).to_contain_text(re.compile(r"seed\s*7"))
        dialog.get_by_role("button", name=re.compile("^Restore in Explore")).click()
        expect(page).to_have_url(re.compile(r"#/explore/celeba64\?.*\bseed=7\b"))
        expect(dialog).to_have_count(0)
        dropped(page, content, "holiday.png")
        dialog.get_by_role("button", name="Remix").click()
        expect(page).to_have_url(re.compile(r"#/explore/celeba64\?.*\bseed=(?!7\b)\d+"))


@pytest.mark.parametrize(
    ("action", "settings", "place"),
    [
        (
            "explore",
            {"model": "celeba64", "seed": "5", "moves": "Smiling:1.5"},
            r"explore/celeba64\?action=explore&.*seed%22%3A%225%22.*moves",
        ),
        (
            "train",
            {"dataset": "d", "recipe": "dcgan-64", "changes": {"kimg": 3}},
            r"train\?dataset=d&recipe=dcgan",
        ),
        ("dream", {"model": "faces", "seed": 3, "steps": 40}, r"pixels/dream\?job=made"),
        ("edit", {"face": "f1", "edits": "smiling=+2"}, r"photo/f1\?moves=%7B%22smiling%22%3A2%7D"),
        ("invert", {"model": "celeba64", "photo": "u"}, r"photo/made$"),
        ("export", {"model": "celeba64", "format": "onnx"}, r"share/celeba64\?action=export"),
    ],
)
def test_each_kind_of_result_leads_back_to_its_view(
    browser: Browser, server: Server, action: str, settings: dict[str, Any], place: str
) -> None:
    file = server.folder / "results" / "made.json"
    before = file.read_text()
    file.write_text(json.dumps({"id": "made", "title": action, "action": action, "settings": settings}))
    try:
        with opened(browser, server) as page:
            go(page, "history/made")
            link = page.get_by_role("link", name="Open with these settings")
            assert re.search(f"#/{place}", link.get_attribute("href") or "")
            remix = page.get_by_role("link", name="Remix with another seed")
            assert remix.count() == (action in ("explore", "dream"))
            if remix.count():
                other = remix.get_attribute("href") or ""
                assert re.search(r"seed(=|%22%3A)\d+", other) and not re.search(
                    r"seed(=|%22%3A)[35]\b", other
                )
    finally:
        file.write_text(before)


def test_settings_that_come_back_fill_the_view(browser: Browser, server: Server) -> None:
    given = json.dumps({"steps": 37, "strength": 0.02, "seed": 5})
    with opened(browser, server) as page:
        go(page, f"pixels/dream?action=dream&settings={given}")
        expect(page.get_by_role("tab", name="Dream")).to_have_attribute("aria-selected", "true")
        go(page, 'share/celeba64?action=publish&settings={"repo":"me/faces","onnx":false}')
        expect(page.get_by_label("Repository")).to_have_value("me/faces")
        expect(page.get_by_label("With an ONNX graph")).not_to_be_checked()
        expect(page.locator("pre")).to_contain_text("facegan publish celeba64 me/faces --private --no-onnx")
        go(page, "share/celeba64?action=publish&settings=[broken")
        expect(page.get_by_label("Repository")).to_have_value("")


def test_a_saved_face_comes_back_with_its_sliders(browser: Browser, server: Server) -> None:
    with opened(browser, server) as page:
        go(page, "explore/celeba64?seed=11&moves=Smiling:1.5,Male:-1")
        with page.expect_download(timeout=60_000) as download:
            page.get_by_role("button", name=re.compile("^Download")).first.click(timeout=60_000)
        content = download.value.path().read_bytes()
        go(page, "home")
        dropped(page, content, "face.png")
        dialog = page.get_by_role("dialog", name="What made this picture")
        expect(dialog.locator("pre")).to_contain_text("facegan edit celeba64 seed:11")
        dialog.get_by_role("button", name="Restore in Explore").click()
        expect(page).to_have_url(re.compile(r"explore/celeba64\?seed=11&moves=Smiling%3A1.5%2CMale%3A-1"))
        expect(page.get_by_label("smiling", exact=True)).to_have_value("1.5", timeout=30_000)
