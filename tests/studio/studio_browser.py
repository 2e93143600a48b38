"""The studio's page in Debian's Chromium, for tests: nothing goes wrong in it, nothing leaves the machine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from studio_server import Server


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; the test is skipped where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


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
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, wrong, asked = context.new_page(), list[str](), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: said.type in ("error", "warning") and wrong.append(said.text))
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


def until(page: Page, condition: str, seconds: float = 60) -> None:
    """Wait until a condition of JavaScript holds; the page's policy forbids Playwright's own way."""
    for _ in range(int(seconds * 40)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"{condition} stays false")
