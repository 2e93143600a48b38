"""The studio's page in Debian's Chromium, for tests: nothing goes wrong in it, nothing leaves the machine."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect
from studio_server import Server

SECONDS = 300  # jobs start Python anew, which takes long on a busy machine
_DROP = """
(zone, files) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  zone.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}
"""


@contextmanager
def opened(
    browser: Browser,
    server: Server,
    view: str = "",
    *,
    width: int = 1440,
    height: int = 1000,
    dark: bool = False,
    expected: str = "",
) -> Iterator[Page]:
    """Open a view, such as ``#/explore/celeba64``; afterwards, check what the browser's log says.

    ``expected`` is part of the only lines that it may say.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
    )
    expect.set_options(timeout=SECONDS * 1000)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, wrong, asked = context.new_page(), list[str](), list[str]()
    page.set_default_timeout(SECONDS * 1000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(_said(said, server)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.address}/?token={server.token}")
    if view:
        page.goto(f"{server.address}/{view}")
    yield page
    wide = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert wide <= width, "it scrolls sideways"
    allowed = [text for text in ("willReadFrequently", expected) if text]  # the former is of us
    wrong = [text for text in wrong if not any(one in text for one in allowed)]
    assert not wrong, wrong
    away = [url for url in asked if not url.startswith((server.address, "blob:", "data:"))]
    assert not away, away


def _said(message: ConsoleMessage, server: Server) -> str:
    """Return a line of the log; of an answer that is an error with the path that was asked for."""
    path = message.location["url"].removeprefix(server.address).partition("?")[0]
    return f"{message.text} at {path}"


def until(page: Page, condition: str, seconds: float = 60) -> None:
    """Wait until a condition of JavaScript holds; the page's policy forbids Playwright's own way."""
    for _ in range(int(seconds * 40)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"{condition} stays false")


def name_run(page: Page, name: str) -> None:
    """Name a new training, once the page has filled in the name that it proposes."""
    box = page.get_by_label("Name of the run")
    expect(box).not_to_have_value("")
    box.fill(name)
    expect(box).to_have_value(name)


def drop(zone: Locator, *files: Path) -> None:
    """Drop files."""
    packed = [[file.name, base64.b64encode(file.read_bytes()).decode()] for file in files]
    zone.evaluate(_DROP, packed)


def pixels(element: Locator) -> np.ndarray:
    """Return uint8 ``H,W,3`` of a canvas, or of an image."""
    text = element.evaluate(
        """element => {
          if (element.toDataURL) return element.toDataURL();
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: element.naturalWidth, height: element.naturalHeight });
          canvas.getContext("2d").drawImage(element, 0, 0);
          return canvas.toDataURL();
        }"""
    )
    picture = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2])))
    return np.asarray(picture.convert("RGB"))


def levels(a: np.ndarray, b: np.ndarray) -> int:
    """Return the largest difference of two pictures."""
    return int(np.abs(a.astype(int) - b).max())
