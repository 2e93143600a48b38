"""Somebody's way through the studio in a browser: seven flows, with the smallest settings that show them."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from browsers import drag
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect
from studio_browser import SECONDS, drop, name_run, pixels, until
from studio_server import SMALL_TRAINING, Server, running

NARROW = 860  # px, the width from which the page has its menu at the side
DRAWN = "(c => c?.dataset.drawn && c.dataset.drawn === c.dataset.wanted)(document.querySelector('.large'))"
EXPECTED = re.compile(r"willReadFrequently|404.*/api/training/runs/first(\?|$)")  # ours; a run that begins
LESS = {"invert": {"steps": 4}, "atlas": {"count": 36}}  # what the page has no field for


def _with_less(route: Route) -> None:
    """Send a job's request on, with fewer steps."""
    asked = route.request.post_data_json if route.request.method == "POST" else None
    if asked and asked["action"] in LESS:
        route.continue_(post_data={**asked, "settings": {**asked["settings"], **LESS[asked["action"]]}})
    else:
        route.continue_()


@dataclass
class Journey:
    """A project that somebody works in.

    ``wrong`` has what the browser's console said, ``addresses`` those that the studio has had.
    """

    folder: Path
    browser: Browser
    width: int
    dark: bool
    wrong: list[str] = field(default_factory=list)
    downloads: dict[str, Path] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=set)
    server: Server = field(init=False)
    context: BrowserContext = field(init=False)
    page: Page = field(init=False)

    def open(self) -> None:
        """Open the studio in a new tab."""
        self.context = self.browser.new_context(
            viewport={"width": self.width, "height": 1000},
            color_scheme="dark" if self.dark else "light",
        )
        self.context.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        self.context.route("**/api/jobs", _with_less)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", self._hear)
        self.addresses.add(self.server.address)
        self.page.goto(f"{self.server.address}/?token={self.server.token}")

    def _hear(self, said: ConsoleMessage) -> None:
        line = f"{said.text} {said.location['url']}"
        if said.type in ("error", "warning") and not EXPECTED.search(line):
            self.wrong.append(line)

    def to(self, title: str) -> None:
        """Go to a view by the menu."""
        if self.width > NARROW:
            self.page.locator("nav.side").get_by_role("link", name=title, exact=True).click()
        else:
            self.page.get_by_role("button", name="More").click()
            self.page.get_by_role("dialog", name="Views").get_by_role("link", name=title, exact=True).click()
        expect(self.page).to_have_title(f"{title} · facegan studio")
        expect(self.page.locator("main h1")).to_be_visible()
        self.check_width()

    def check_width(self) -> None:
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= self.width, f"{self.page.url} scrolls sideways"

    def press(self, name: str, *, within: Locator | None = None) -> None:
        """Press a button, once it can be pressed."""
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def download(self, name: str, link: Locator) -> Path:
        """Press what downloads a file; return its path."""
        with self.page.expect_download() as began:
            link.click()
        path = self.folder / name
        began.value.save_as(path)
        self.downloads[name] = path
        self.check_width()
        return path

    def new_id(self, view: str) -> str:
        """Return the id in the address, once it names one."""
        self.page.wait_for_url(re.compile(rf"#/{view}/[^?]+"))
        return str(self.page.evaluate("location.hash.split(/[/?]/)[2]"))


# --- the seven flows -----------------------------------------------------------------------------------


def bring_photos(trip: Journey, photos: Sequence[Path]) -> None:
    """Drop photos, wait for their faces, and save them as a dataset."""
    page = trip.page
    trip.to("Photos")
    drop(page.locator("[data-dropzone]"), *photos)
    page.wait_for_url(re.compile("#/photos/photos-1"))
    faces = page.get_by_role("tab", name=re.compile(r"^Faces [1-9]"))
    count = int(faces.inner_text().split()[1])
    page.get_by_role("textbox", name="Name").fill("mine")
    trip.press(f"Save {count} pictures")
    page.wait_for_url(re.compile("#/photos/mine"))
    expect(page.get_by_role("tab", name=f"Pictures {count}")).to_be_visible()
    trip.check_width()
    trip.found["faces"] = count


def train(trip: Journey, start: Callable[[], None]) -> None:
    """Begin a training; lose tab and server; stop it, go on, and stop again."""
    trip.to("Train")
    trip.page.get_by_role("link", name="New training").click()
    expect(trip.page.get_by_label("Dataset", exact=True)).to_have_value("mine")
    trip.page.get_by_label("Recipe", exact=True).select_option("faces-dcgan-64")
    expect(trip.page.locator("pre code").last).to_contain_text("--recipe faces-dcgan-64")
    state = f"new=1&dataset=mine&recipe=faces-dcgan-64&changes={json.dumps(SMALL_TRAINING)}"
    trip.page.goto(f"{trip.server.address}/#/train?{state}")
    trip.page.reload()
    name_run(trip.page, "first")
    trip.press("Start the training")
    expect(trip.page.get_by_alt_text(re.compile("Samples of first"))).to_be_visible()
    trip.check_width()
    trip.context.close()
    trip.server.process.send_signal(signal.SIGKILL)
    trip.server.process.wait()
    start()
    trip.open()
    trip.to("Train")
    trip.page.get_by_role("link", name=re.compile("first")).first.click()
    expect(trip.page.locator(".state.running")).to_be_visible()
    trip.press("Stop")
    trip.press("Go on")
    trip.found["stopped at"] = at = _kimg(trip)
    for _ in range(10 * SECONDS):
        if _kimg(trip) > at:
            break
        trip.page.wait_for_timeout(100)
    trip.press("Stop")
    expect(trip.page.get_by_role("button", name="Go on", exact=True)).to_be_visible()
    trip.check_width()


def _kimg(trip: Journey) -> float:
    """Return how far the training is."""
    lines = (trip.server.folder / "runs" / "first" / "stats.jsonl").read_text().splitlines()
    return float(json.loads(lines[-1])["kimg"])


def explore(trip: Journey) -> None:
    """Look at the new model and its map; change, add, mix and film faces of the bundled one."""
    page = trip.page
    page.locator("main").get_by_role("link", name="Explore", exact=True).click()
    page.wait_for_url(re.compile("#/explore/run~first"))
    until(page, DRAWN, SECONDS)
    page.get_by_role("tab", name="Map").click()
    trip.press("Draw the map")
    expect(page.locator(".map[data-faces='36']")).to_be_visible()
    page.locator(".map").press("Enter")
    trip.check_width()

    page.get_by_label("Model", exact=True).select_option("celeba64")
    page.wait_for_url(re.compile("#/explore/celeba64"))
    _choose_seed(trip, 12)
    if trip.width <= NARROW:
        page.get_by_role("tab", name="Change").click()
    page.get_by_label("smiling", exact=True).fill("1.5")
    page.wait_for_url(re.compile("moves=Smiling%3A1.5"))
    until(page, DRAWN, SECONDS)
    trip.download("smiling.png", page.get_by_role("button", name="Download as PNG"))
    trip.press("Add to the favourites (F)")
    _choose_seed(trip, 4)
    trip.press("Add to the favourites (F)")

    page.get_by_role("tab", name="Arithmetic").click()
    for slot, seed in enumerate((1, 2, 3)):
        _choose_seed(trip, seed)
        page.get_by_role("tab", name="Arithmetic").click()
        page.locator(f"[data-slot='{slot}']").get_by_role("button", name="Take the present face").click()
    expect(page.locator(".command code")).to_contain_text("'seed:1 - seed:2 + seed:3' --norm prior")
    page.get_by_role("tab", name="Mix").click()
    page.get_by_role("button", name="Take the style of favourite 1").click()
    page.wait_for_url(re.compile("face=.*%25"))
    until(page, DRAWN, SECONDS)
    trip.press("Keep")
    expect(page.get_by_text("Kept in the project")).to_be_visible()

    page.get_by_role("tab", name="Film").click()
    page.get_by_label("Pace").select_option("1")
    page.get_by_label("Go back to the first").uncheck()
    trip.press("Play it here")
    trip.download("in-page.png", page.get_by_role("button", name="PNG", exact=True))
    trip.press("Make an even film")
    expect(page.locator("video.screen")).to_be_visible()
    trip.download("film.mp4", page.get_by_role("link", name="Download", exact=True))


def _choose_seed(trip: Journey, seed: int) -> None:
    trip.page.get_by_role("tab", name="Faces").click()
    trip.page.get_by_label("Go to a seed").fill(str(seed))
    trip.press("Go")
    expect(trip.page.locator(".stage .name")).to_have_text(f"Seed {seed}")
    until(trip.page, DRAWN, SECONDS)


def change_photo(trip: Journey, photo: Path) -> None:
    """Find a photo's face in the model, change it, and take it home."""
    page = trip.page
    trip.to("My photo")
    trip.found["photo"] = photo
    drop(page.locator("[data-dropzone]"), photo)
    page.get_by_label("Model", exact=True).select_option("celeba64")
    expect(page.get_by_alt_text("The face as the model sees it")).to_be_visible()
    trip.press("Find this face in the model")
    trip.found["face"] = trip.new_id("photo")
    slider = page.get_by_role("slider", name="smiling", exact=True)
    slider.fill("2")
    page.get_by_label("Change it by words").fill("a bit older")
    trip.press("Apply")
    expect(page.get_by_role("slider", name="young", exact=True)).to_have_value("-0.75")
    expect(page.locator(".before-after .under[src^='blob:']")).to_be_visible()
    for name in ("face.png", "face.npz"):
        label = "PNG" if name.endswith("png") else "Latent .npz"
        trip.download(name, page.get_by_role("link", name=label, exact=True))


def translate(trip: Journey) -> None:
    """Draw on the sheet, see what the translator makes of it, and keep that."""
    page = trip.page
    trip.to("Translate")
    sheet, result = page.locator(".paper canvas"), page.locator("canvas.face-picture")
    expect(page.locator("[data-took]")).to_be_visible()
    trip.found["before drawing"] = pixels(result)
    drag(sheet, (0.3, 0.3), (0.7, 0.6))
    for _ in range(10 * SECONDS):
        trip.found["after drawing"] = pixels(result)
        if (trip.found["after drawing"] != trip.found["before drawing"]).any():
            break
        page.wait_for_timeout(100)
    trip.press("Keep this picture")
    expect(page.get_by_alt_text("Input and result")).to_be_visible()
    trip.download("translated.png", page.get_by_role("link", name="PNG", exact=True))


def change_pixels(trip: Journey, photo: Path) -> None:
    """Attack, dream and paint: the dream is stopped, the others are short."""
    page = trip.page
    trip.to("Pixels")
    drop(page.locator("[data-dropzone]"), photo)
    page.get_by_label("What it should see instead").fill("smiling hat")
    trip.press("smiling face with hat")
    page.get_by_role("slider", name="Largest change of a value").fill("16")
    trip.press("Attack")
    _ended(trip, "attack", page.get_by_role("heading", name=re.compile("^It (now|still) sees")))
    _set_out(trip, "Dream", sample="chelsea", side=512, steps=60)
    trip.press("Dream")
    expect(page.get_by_alt_text("The dream so far")).to_have_attribute("src", re.compile("/live"))
    trip.press("Stop")
    _ended(trip, "dream", page.get_by_role("heading", name="The dream", exact=True))
    _set_out(trip, "Style", sample="officer", side=192, steps=10)
    trip.press("Paint")
    _ended(trip, "style", page.get_by_role("heading", name="The painting"))


def _set_out(trip: Journey, tab: str, *, sample: str, side: int, steps: int) -> None:
    trip.page.get_by_role("tab", name=tab).click()
    trip.press(f"Use the sample {sample}")
    trip.page.get_by_label("Longer side").select_option(str(side))
    trip.page.get_by_role("slider", name="Steps at each size").fill(str(steps))


def _ended(trip: Journey, what: str, heading: Locator) -> None:
    expect(heading).to_be_visible()
    trip.found[what] = trip.page.url.partition("#/")[2]
    trip.download(f"{what}.png", trip.page.get_by_role("link", name="PNG", exact=True))


def measure_and_share(trip: Journey) -> None:
    """Measure the new model, read its card, and take it home as a page."""
    page = trip.page
    trip.to("Measure & share")
    expect(page.get_by_label("Model", exact=True)).to_have_value("run~first")
    page.get_by_label("How many").select_option("250")
    page.get_by_text("More settings").click()
    page.get_by_label("Compared by").select_option("pixels")
    page.get_by_label("Split of the real pictures").select_option("train")
    trip.press("Measure")
    row = page.locator(".measures tr", has_text="KID")
    expect(row.locator(".whisker")).to_be_visible()
    trip.check_width()
    page.get_by_role("tab", name="Card").click()
    expect(page.get_by_role("region", name="Facts")).to_contain_text("faces-dcgan-64")
    trip.check_width()
    page.get_by_role("tab", name="Export").click()
    trip.press("Write it")
    trip.download("model.html", page.get_by_role("link", name=re.compile(r"^Download .*\.html$")))


@contextlib.contextmanager
def travelled(trip: Journey, photos: Sequence[Path], exported: Path) -> Iterator[Journey]:
    """Go through all flows in a new project, from 40 photos on, and give the journey with its tab open."""
    with contextlib.ExitStack() as studios:

        def start() -> None:
            trip.server = studios.enter_context(running(trip.folder / "project", exported=exported))

        start()
        trip.open()
        bring_photos(trip, photos)
        train(trip, start)
        explore(trip)
        change_photo(trip, photos[0])
        translate(trip)
        change_pixels(trip, photos[0])
        measure_and_share(trip)
        yield trip
        trip.context.close()
