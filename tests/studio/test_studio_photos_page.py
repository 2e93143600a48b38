"""The view of photos in a browser: from dropped pictures to a saved dataset."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from studio_browser import drop, opened
from studio_server import Server

import facegan
from facegan.data.dataset import Dataset
from facegan.data.review import LEFT_OUT
from facegan.demo.portraits import write_portraits

CAT = Path(facegan.__file__).parent / "assets" / "photos" / "chelsea.jpg"


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with opened(browser, server, "#/photos", width=1280) as found:
        yield found


def test_dropped_pictures_become_a_dataset(page: Page, server: Server, tmp_path: Path) -> None:
    write_portraits(tmp_path, 12, 0, size=72)
    (tmp_path / "cat.jpg").write_bytes(CAT.read_bytes())
    (tmp_path / "notes.txt").write_bytes(b"not a picture")
    files = [*sorted(tmp_path.glob("*.png")), tmp_path / "cat.jpg", tmp_path / "notes.txt"]
    drop(page.locator("[data-dropzone]"), *files)
    page.wait_for_url(re.compile("#/photos/photos-1"))
    expect(page.locator(".watch .face img").first).to_be_visible()  # while it works
    faces = page.locator(".photos-page .face img")
    expect(faces.first).to_be_visible()
    found = page.get_by_role("tab", name=re.compile(r"^Faces \d+")).inner_text()
    count = int(found.split()[1])
    assert count >= 8 and "facegan prepare photos/photos-1.zip" in page.locator(".command code").inner_text()

    out = files[5].name
    page.get_by_role("button", name=f"Take out {out}").click()
    expect(page.get_by_role("tab", name=f"Faces {count - 1}")).to_be_visible()
    page.get_by_role("tab", name=re.compile("^Left out")).click()
    expect(page.get_by_role("heading", name=re.compile("not an image file 1"))).to_be_visible()
    page.get_by_role("button", name="Take it anyway: cat.jpg").click()
    page.get_by_role("tab", name=f"Faces {count}").click()
    expect(page.locator(".face.back img")).to_be_visible()

    page.get_by_role("button", name=f"Open {files[7].name}").click()
    expect(page.locator(".photo-frame polygon.taken")).to_have_count(1)
    expect(page.locator(".choices img")).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_role("textbox", name="Name").fill("mine")
    expect(page.locator(".command code")).to_contain_text("--out datasets/mine")
    expect(page.locator(".command code")).to_contain_text("--review photos/photos-1-review.csv")
    page.get_by_role("button", name=f"Save {count} pictures").click()
    page.wait_for_url(re.compile("#/photos/mine"))
    expect(page.locator(".photos-page .face img").first).to_be_visible()
    expect(page.get_by_role("tab", name=f"Pictures {count}")).to_be_visible()
    made = Dataset(server.folder / "datasets" / "mine")
    assert sum(made.counts.values()) == count and made.info["plan"]["split"] == "val=0.05,test=0.05"
    sources = [source for split in made.counts for source in made.sources(split)]
    assert "photos/photos-1.zip!cat.jpg" in sources
    assert {"source": f"photos/photos-1.zip!{out}", "reason": LEFT_OUT}.items() <= next(
        r for r in made.info["rejects"] if r["source"].endswith(out)
    ).items()
    page.reload()  # nothing is lost
    page.goto(f"{server.address}/#/photos/photos-1")
    expect(page.locator(".face.back img")).to_be_visible()
