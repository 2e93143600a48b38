"""The view of photos in a browser: from 40 dropped pictures to a saved dataset."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from studio_server import Server, running

import facegan
from facegan.data.dataset import Dataset
from facegan.data.review import LEFT_OUT
from facegan.demo.portraits import write_portraits

CAT = Path(facegan.__file__).parent / "assets" / "photos" / "chelsea.jpg"
DROP = """
(zone, files) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  zone.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("page") / "project") as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page in which nothing may go wrong and nothing may be asked of elsewhere."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = context.new_page()
    found.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    wrong: list[str] = []
    found.on("pageerror", lambda error: wrong.append(str(error)))
    found.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(_own(server)) else None)
    found.goto(f"{server.address}/?token={server.token}")
    yield found
    context.close()
    assert not wrong


def _own(server: Server) -> tuple[str, ...]:
    return server.address, "blob:", "data:"


def test_forty_dropped_pictures_become_a_dataset(page: Page, server: Server, tmp_path: Path) -> None:
    write_portraits(tmp_path, 38, 0, size=72)
    files = [[path.name, path.read_bytes()] for path in sorted(tmp_path.glob("*.png"))]
    files += [["cat.jpg", CAT.read_bytes()], ["notes.txt", b"not a picture"]]
    assert len(files) == 40
    page.goto(f"{server.address}/#/photos")
    packed = [[name, base64.b64encode(content).decode()] for name, content in files]
    page.locator("[data-dropzone]").evaluate(DROP, packed)
    page.wait_for_url(re.compile("#/photos/photos-1"))
    expect(page.locator(".watch .face img").first).to_be_visible()  # while it works
    faces = page.locator(".photos-page .face img")
    expect(faces.first).to_be_visible()
    found = page.get_by_role("tab", name=re.compile(r"^Faces \d+")).inner_text()
    count = int(found.split()[1])
    assert count >= 30 and "facegan prepare photos/photos-1.zip" in page.locator(".command code").inner_text()

    out = files[5][0]
    page.get_by_role("button", name=f"Take out {out}").click()
    expect(page.get_by_role("tab", name=f"Faces {count - 1}")).to_be_visible()
    page.get_by_role("tab", name=re.compile("^Left out")).click()
    expect(page.get_by_role("heading", name=re.compile("not an image file 1"))).to_be_visible()
    page.get_by_role("button", name="Take it anyway: cat.jpg").click()
    page.get_by_role("tab", name=f"Faces {count}").click()
    expect(page.locator(".face.back img")).to_be_visible()

    page.get_by_role("button", name=f"Open {files[7][0]}").click()
    expect(page.locator(".photo-frame polygon.taken")).to_have_count(1)
    expect(page.locator(".choices img")).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_role("textbox", name="Name").fill("forty")
    expect(page.locator(".command code")).to_contain_text("--out datasets/forty")
    expect(page.locator(".command code")).to_contain_text("--review photos/photos-1-review.csv")
    page.get_by_role("button", name=f"Save {count} pictures").click()
    page.wait_for_url(re.compile("#/photos/forty"))
    expect(page.locator(".photos-page .face img").first).to_be_visible()
    expect(page.get_by_role("tab", name=f"Pictures {count}")).to_be_visible()
    made = Dataset(server.folder / "datasets" / "forty")
    assert sum(made.counts.values()) == count and made.info["plan"]["split"] == "val=0.05,test=0.05"
    sources = [source for split in made.counts for source in made.sources(split)]
    assert "photos/photos-1.zip!cat.jpg" in sources
    assert {"source": f"photos/photos-1.zip!{out}", "reason": LEFT_OUT}.items() <= next(
        r for r in made.info["rejects"] if r["source"].endswith(out)
    ).items()
    page.reload()  # nothing is lost
    page.goto(f"{server.address}/#/photos/photos-1")
    expect(page.locator(".face.back img")).to_be_visible()
