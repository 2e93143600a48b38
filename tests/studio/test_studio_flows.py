"""The seven flows of the studio, from 40 photos to files taken home, and what holds in every view."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from browsers import chromium
from PIL import Image
from studio_browser import SECONDS, until
from studio_journey import Journey, travelled

from facegan.data.dataset import Dataset
from facegan.demo.portraits import write_portraits
from facegan.files import SAMPLES
from facegan.marks import read_mark

AXE = Path(__file__).parents[2] / ".ci/page/node_modules/axe-core/axe.min.js"
REAL = Path(__file__).resolve().parents[3] / "shared/data/photos"
RUN = "run~first"
VIEWS = (
    "home",
    "photos",
    "photos/photos-1",
    "photos/mine?kind=datasets",
    "train",
    "train?new=1&dataset=mine",
    "train/first",
    "train?compare=first",
    *(f"explore/celeba64?tool={tool}" for tool in ("sheet", "sum", "mix", "film")),
    f"explore/{RUN}?tool=map",
    "photo",
    "photo/{face}",
    "translate",
    "pixels",
    "{attack}",
    "{dream}",
    "{style}",
    *(f"share/{RUN}?tab={tab}" for tab in ("evaluate", "card", "export", "publish")),
    "history",
    "history/{face}",
)


def forty_photos(folder: Path) -> list[Path]:
    """Real photos, where there are none those of the package, and portraits; a face comes first."""
    real = sorted(
        (REAL if REAL.is_dir() else SAMPLES).glob("*.jpg"), key=lambda path: path.name != "officer.jpg"
    )
    write_portraits(folder, 40 - len(real), 0, size=72)
    return [*real, *sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module", params=[(1440, False), (390, True)], ids=["wide-light", "narrow-dark"])
def trip(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, exported: Path
) -> Iterator[Journey]:
    """Somebody who has gone through all flows, in a browser that logs its requests."""
    folder = tmp_path_factory.mktemp("journey")
    (folder / "photos").mkdir()
    photos, (width, dark) = forty_photos(folder / "photos"), request.param
    with (
        chromium(f"--log-net-log={folder / 'network.json'}") as browser,
        travelled(Journey(folder, browser, width, dark), photos, exported) as found,
    ):
        yield found


def look_at(trip: Journey, place: str) -> None:
    """Open a place of the page and wait until it has come to rest."""
    hash_ = place.format(**trip.found)
    trip.page.evaluate("place => { location.hash = place; }", f"#/{hash_}")
    trip.page.wait_for_load_state("networkidle")
    trip.page.locator("main h1").wait_for()
    trip.page.locator("main .spinner").first.wait_for(state="detached")
    trip.check_width()


def test_photos_become_a_model_faces_films_and_files(trip: Journey) -> None:
    project, found = trip.folder / "project", trip.found
    made = Dataset(project / "datasets" / "mine")
    assert sum(made.counts.values()) == found["faces"] >= 30
    stats = (project / "runs" / "first" / "stats.jsonl").read_text()
    kimg = [json.loads(line)["kimg"] for line in stats.splitlines()]
    assert kimg == sorted(kimg) and found["stopped at"] < kimg[-1]
    about = [json.loads(path.read_text()) for path in (project / "results").glob("*.json")]
    actions = {"atlas", "explore", "film", "invert", "translate", "attack", "dream", "stylize"}
    assert {one.get("action") for one in about} >= actions | {"evaluate", "export"}
    assert (found["before drawing"] != found["after drawing"]).any()

    with av.open(str(trip.downloads["film.mp4"])) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 24 and min(frames[0].shape[:2]) >= 64
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 5, "it goes from one face to the other"
    assert Image.open(trip.downloads["in-page.png"]).n_frames == 21
    for name, edits in (("smiling.png", "smiling +1.5"), ("face.png", "Smiling +2, Young -0.75")):
        mark = read_mark(trip.downloads[name])
        assert mark is not None and mark.details["edits"] == edits
    assert set(np.load(trip.downloads["face.npz"])) >= {"w+"}

    photo = np.asarray(Image.open(found["photo"]))
    attacked = np.asarray(Image.open(trip.downloads["attack.png"]))
    assert 0 < np.abs(attacked.astype(int) - photo).max() <= 16
    (dream,) = (one for one in about if one.get("action") == "dream")
    assert dream["result"]["stopped"] and Image.open(trip.downloads["dream.png"]).width <= 512
    assert max(Image.open(trip.downloads["style.png"]).size) == 192
    page = trip.downloads["model.html"].read_text()
    assert page.startswith("<!doctype html>") and len(page) > 1_000_000, "it has the model and its engine"
    assert trip.wrong == []


def test_every_view_fits_in_other_colours(trip: Journey) -> None:
    """Nothing sticks out, and the console says nothing."""
    trip.page.emulate_media(color_scheme="light" if trip.dark else "dark")
    for place in VIEWS:
        look_at(trip, place)
        assert trip.page.get_by_role("alert").count() == 0, place
    assert trip.wrong == []


def test_axe_finds_nothing_serious_in_any_view(trip: Journey) -> None:
    if not AXE.is_file():
        pytest.skip("needs node and the modules of .ci/page")
    trip.page.evaluate(AXE.read_text())
    serious: list[tuple[str, ...]] = []
    for place in VIEWS:
        look_at(trip, place)
        for colours, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
            trip.page.emulate_media(color_scheme=colours)
            until(trip.page, "document.getAnimations().every(one => one.playState !== 'running')", SECONDS)
            found: Any = trip.page.evaluate("rules => axe.run(document, rules)", rules)
            assert found["passes"], "it has looked"
            serious += [
                (place, colours, one["id"], one["nodes"][0]["html"])
                for one in found["violations"]
                if one["impact"] in ("serious", "critical")
            ]
    assert serious == []


def test_no_page_asks_another_machine(trip: Journey) -> None:
    """The browser's own log says for whom it asked; this test comes last."""
    log = (trip.folder / "network.json").read_text(errors="replace")
    asked = re.findall(r'^\{"params":\{"initiator":"http.*?"url":"(\w+://[^/"]*)', log, re.MULTILINE)
    assert len(asked) > 300 and set(asked) <= trip.addresses
