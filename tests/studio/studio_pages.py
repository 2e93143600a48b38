"""The page of the studio in Chromium, for tests: nothing goes wrong in it, nothing is asked of elsewhere."""

from __future__ import annotations

import base64
import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from studio_server import Server

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


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser with a camera that films a test picture; skip where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        pytest.skip("needs chromium")
    words = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    expect.set_options(timeout=90_000)  # jobs start Python anew, which takes long on a busy machine
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=words)


@contextlib.contextmanager
def opened(browser: Browser, server: Server, view: str, width: int = 1280) -> Iterator[Page]:
    """Give the page at ``#/view``."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page, wrong = context.new_page(), list[str]()
    page.set_default_timeout(90_000)
    own = (server.address, "blob:", "data:")
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(own) or wrong.append(asked.url))
    page.goto(f"{server.address}/?token={server.token}")
    page.goto(f"{server.address}/#/{view}")
    yield page
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "it scrolls sideways"
    context.close()
    assert not wrong


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
