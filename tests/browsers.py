"""Debian's Chromium for tests of pages."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"


def chromium_program() -> str:
    """Return the browser's program; the test is skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs chromium")
    return program


@contextlib.contextmanager
def chromium(*words: str) -> Iterator[Browser]:
    """Start the browser, with further words of its command line; it knows no other machine."""
    program = chromium_program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", ALONE, *words])
        yield browser
        browser.close()


def drag(element: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line on an element with the mouse; places are shares of its width and height."""
    mouse, box = element.page.mouse, element.bounding_box()
    assert box is not None
    first, last = ((box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in (start, end))
    mouse.move(*first)
    mouse.down()
    mouse.move(*last, steps=8)
    mouse.up()
