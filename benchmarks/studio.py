"""How soon the studio's page answers in Debian's Chromium: the first picture, a slider, the pen, the map.

    python benchmarks/studio.py             # all
    python benchmarks/studio.py slider map  # some

The studio runs in a process of its own, on a project in a temporary folder (--folder keeps it, with its map).
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

OPENED = 5
MOVES = 200
FACES = 2500
SECONDS = 5

# From the slider's event to the first frame that the browser makes after the picture is on the canvas. No
# picture comes twice, since the page keeps those that it has drawn.
SLIDER = """async count => {
  const [input, other] = document.querySelectorAll('.sliders input');
  const canvas = document.querySelector('.large');
  const times = [], values = 61;
  const slide = (slider, value) => {
    slider.value = value;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    return new Promise(resolve => {
      const done = () => canvas.dataset.drawn === canvas.dataset.wanted && (observer.disconnect(), resolve());
      const observer = new MutationObserver(done);
      observer.observe(canvas, {attributes: true});
      done();
    });
  };
  for (let i = 0; i < count; i++) {
    if (i % values === 0) await slide(other, 0.1 + Math.floor(i / values) / 5);
    const begin = performance.now(), before = canvas.dataset.drawn;
    await slide(input, -3 + (i % values) / 10);
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - begin);
    if (canvas.dataset.drawn === before) throw new Error('the picture stayed as it was');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return times;
}"""

# Draws with the pen, a move at a time, from its event to the first frame after the picture of that drawing.
DRAW = """async count => {
  const pad = document.querySelector('.paper canvas'), result = document.querySelector('canvas.face-picture');
  const box = pad.getBoundingClientRect(), times = [];
  const send = (kind, t) => pad.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, bubbles: true, isPrimary: true, button: 0, buttons: 1,
    clientX: box.left + box.width * (0.5 + 0.3 * Math.cos(t)),
    clientY: box.top + box.height * (0.5 + 0.4 * Math.sin(t))}));
  pad.setPointerCapture = () => {};
  const shown = () => new Promise(resolve => {
    const done = () => result.dataset.version === pad.dataset.version && (observer.disconnect(), resolve());
    const observer = new MutationObserver(done);
    observer.observe(result, {attributes: true});
    done();
  });
  send('pointerdown', 0);
  await shown();
  for (let i = 1; i <= count; i++) {
    const begin = performance.now();
    send('pointermove', i / 20);
    await shown();
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - begin);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  send('pointerup', 0);
  if (result.dataset.by !== 'page') throw new Error('the server drew');
  return times;
}"""

# Drags the map in circles by an event a frame, and notes when frames are made.
PAN = """async seconds => {
  const map = document.querySelector('.map'), box = map.getBoundingClientRect(), times = [];
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const send = (kind, t) => map.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, bubbles: true, isPrimary: true,
    clientX: x + 200 * Math.cos(t), clientY: y + 150 * Math.sin(t)}));
  map.setPointerCapture = () => {};
  send('pointerdown', 0);
  const begin = performance.now();
  for (let now = begin; now < begin + 1000 * seconds;) {
    send('pointermove', (now - begin) / 400);
    now = await new Promise(requestAnimationFrame);
    times.push(now);
  }
  send('pointerup', 0);
  return times.slice(1).map((t, i) => t - times[i]);
}"""


@dataclass(frozen=True)
class Row:
    """One number with its target: at most, or at least where ``least``."""

    what: str
    value: float
    target: float
    unit: str
    least: bool = False

    @property
    def is_met(self) -> bool:
        return self.value >= self.target if self.least else self.value <= self.target

    def __str__(self) -> str:
        bound = "at least" if self.least else "at most"
        verdict = "" if self.is_met else "   MISSED"
        return f"{self.what:<60}{self.value:>9.1f} {self.unit:<4} ({bound} {self.target:g}){verdict}"


class Studio:
    """A studio that runs."""

    def __init__(self, folder: Path) -> None:
        words = ["-m", "facegan.cli.main", "studio", str(folder), "--no-browser"]
        self.process = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        if "?token=" not in line:
            raise SystemExit(line + self.process.stderr.read())
        self.address, _, self.token = line[line.index("http") :].strip().partition("/?token=")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=600)
        headers = {"Authorization": f"Bearer {self.token}", "X-Facegan": "1"}
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            found = connection.getresponse()
            content = found.read()
            assert found.status < 300, content
            return json.loads(content)

    @contextlib.contextmanager
    def page(self, browser: Browser, view: str) -> Iterator[Page]:
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        page = context.new_page()
        page.goto(f"{self.address}/?token={self.token}")
        page.goto("about:blank")
        page.goto(f"{self.address}/{view}")
        yield page
        context.close()


def until(page: Page, condition: str, seconds: float = 600) -> None:
    """Wait for a condition; the page's policy forbids Playwright's own way."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        if time.monotonic() > end:
            raise SystemExit(f"{condition} stays false")
        page.wait_for_timeout(20)


# --- what is measured ---------------------------------------------------------------------------------


def first(studio: Studio, browser: Browser) -> list[Row]:
    """From opening the address to the first picture, which the server may have drawn, and to the page's own.

    The model has been exported before. Of an address without a seed, the server has the picture ready.
    """
    studio.ask("POST", "/api/explore/celeba64/prepare", {})
    rows = []
    for what, query in (("plain address", ""), ("another seed", "?seed=")):
        times: dict[str, list[float]] = {"first picture": [], "first picture of the page": []}
        for i in range(OPENED):
            with studio.page(browser, f"#/explore/celeba64{query and query + str(100 + i)}") as page:
                until(page, f"performance.getEntriesByName('{list(times)[-1]}').length")
                for name, found in times.items():
                    found.append(page.evaluate(f"performance.getEntriesByName('{name}')[0].startTime") / 1000)
        rows += [Row(f"{name}, {what}, slowest of {OPENED}", max(t), 2.0, "s") for name, t in times.items()]
    return rows


def answered(what: str, times: list[float]) -> list[Row]:
    """Return the rows of how soon the page answers, of times in ms."""
    median, high = np.percentile(times, [50, 95])
    return [Row(f"{what}, median", median, 50, "ms"), Row(f"{what}, 95th percentile", high, 100, "ms")]


def slider(studio: Studio, browser: Browser) -> list[Row]:
    """From a slider to the picture."""
    with studio.page(browser, "#/explore/celeba64?seed=12") as page:
        until(page, "document.querySelectorAll('.faces canvas[data-drawn]').length === 32")
        times = page.evaluate(SLIDER, MOVES)
    return answered("slider to picture at 64 px", times)


def panned(studio: Studio, browser: Browser) -> list[Row]:
    """Frames a second of the map while it is panned, at first view and magnified."""
    results = studio.ask("GET", "/api/project")["results"]
    if not any(one.get("action") == "atlas" for one in results):
        settings = {"model": "celeba64", "count": FACES}
        job = studio.ask("POST", "/api/jobs", {"action": "atlas", "settings": settings})["id"]
        active = ("queued", "running")
        while any(j["id"] == job and j["state"] in active for j in studio.ask("GET", "/api/project")["jobs"]):
            time.sleep(1)
    rows = []
    with studio.page(browser, "#/explore/celeba64?tool=map") as page:
        until(page, f"document.querySelector('.map')?.dataset.faces === '{FACES}'")
        for place, presses in (("fully magnified", 12), ("at 1.5 times", 0)):
            page.locator(".map").press("0")
            for _ in range(presses or 4):
                page.locator(".map").press("+")
            page.wait_for_timeout(300)
            gaps = page.evaluate(PAN, SECONDS)
            speed = 1000 * len(gaps) / sum(gaps)
            rows.append(Row(f"map of {FACES:,} faces, panned {place}", speed, 59, "fps", least=True))
    return rows


def drawn(studio: Studio, browser: Browser) -> list[Row]:
    """From a move of the pen to the picture that a translator makes of the drawing."""
    with studio.page(browser, "#/translate/glasses64") as page:
        until(page, "document.querySelector('[data-took]')?.textContent.includes('in this page')")
        times = page.evaluate(DRAW, MOVES)
    return answered("pen to picture by glasses64", times)


MEASURES: dict[str, Callable[[Studio, Browser], list[Row]]] = {
    "first": first,
    "slider": slider,
    "draw": drawn,
    "map": panned,
}


def main() -> int:
    """Measure; return 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("measures", nargs="*", help=f"of {', '.join(MEASURES)}; by default all")
    parser.add_argument("--folder", help="the project; by default a temporary one")
    options = parser.parse_args()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("studio.py needs chromium (Debian: apt-get install chromium)")
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory())
        studio = Studio(Path(folder))
        stack.callback(studio.process.wait)
        stack.callback(studio.process.terminate)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name in options.measures or MEASURES:
            for row in MEASURES[name](studio, browser):
                print(row, flush=True)
                rows.append(row)
        browser.close()
    return 0 if all(row.is_met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
