"""Photos as people bring them: a whole folder that is dropped, and a camera that they do not allow."""

from __future__ import annotations

import zipfile
from pathlib import Path

from browsers import chromium_program
from playwright.sync_api import Browser, Locator, Page, expect
from studio_browser import opened
from studio_server import Server

from facegan.demo.portraits import write_portraits

SENTENCE = "The camera was not allowed. Allow it in the browser, or choose a photo instead."


def drop_from_outside(page: Page, zone: Locator, *paths: Path) -> None:
    """Drop files and folders of the disk as a person does, so that the page gets their entries."""
    box = zone.bounding_box()
    assert box is not None
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 10}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})


def test_a_dropped_folder_brings_all_that_is_in_it(browser: Browser, server: Server, tmp_path: Path) -> None:
    """With the folders inside of it, whose names the pictures keep, and without what systems hide there."""
    folder = tmp_path / "holidays"
    write_portraits(folder, 2, 0, size=72)
    write_portraits(folder / "beach" / "second day", 1, 5, size=72)
    (folder / ".DS_Store").write_bytes(b"\0")
    write_portraits(tmp_path, 1, 9, size=72)
    single = tmp_path / "000001.png"
    for table in tmp_path.rglob("*.csv"):
        table.unlink()
    with opened(browser, server, "#/photos") as page:
        drop_from_outside(page, page.locator("[data-dropzone]"), folder, single)
        page.wait_for_url("**/#/photos/photos-1*")
        expect(page.locator(".photos-page .face img")).to_have_count(4)
    pictures = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    with zipfile.ZipFile(server.folder / "photos" / "photos-1.zip") as kept:
        assert sorted(kept.namelist()) == pictures and len(pictures) == 4


def test_a_camera_that_is_not_allowed_is_one_sentence(browser: Browser, server: Server) -> None:
    words = ["--no-sandbox", "--use-fake-device-for-media-stream", "--deny-permission-prompts"]
    strict = browser.browser_type.launch(executable_path=chromium_program(), args=words)
    with opened(strict, server, "#/photo") as page:
        page.get_by_role("button", name="Camera").click()
        alert = page.get_by_role("alert")
        expect(alert).to_have_text(SENTENCE)
        expect(page.get_by_role("button", name="Take the photo")).to_be_disabled()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Drop a photo of a face")).to_be_visible()
    strict.close()
