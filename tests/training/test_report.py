"""The report page: complete, self-contained, safe, small and quick."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facegan.cli.train_flags import parse
from facegan.errors import RunError
from facegan.images import save_png
from facegan.recipes.config import override
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.record import RunRecord, read_record
from facegan.runs.report import CONTEST, facts, seen_text, train_command, verdict, write_report
from facegan.runs.report_data import MAX_BYTES, MAX_FRAMES, MAX_POINTS, pick

EVIL = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{data}}\u2028&amp;"
STATS = {
    "images_per_second": 600.0,
    "loss_g": 1.5,
    "loss_d": 0.75,
    "accuracy_real": 0.8,
    "accuracy_fake": 0.7,
    "score_real": 1.0,
    "score_fake": -1.25,
    "r1": 0.5,
    "grad_g": 2.0,
    "grad_d": 3.0,
    "own_measure": 42.0,
}


def make_run(folder: Path, lines: int = 10, grids: int = 3, side: int = 20, **config: Any) -> Path:
    """A run folder with ``lines`` statistics up to 20 kimg."""
    (folder / "samples").mkdir(parents=True)
    dataset = {"path": "datasets/d", "name": "drawn", "content_hash": "abc", "count": 1200}
    full = {**recipe("faces-tiny-32").to_dict(), "kimg": 40.0, "image_shape": [3, 32, 32], "dataset": dataset}
    (folder / "config.json").write_text(json.dumps({**full, **config}))
    (folder / "environment.json").write_text(json.dumps({"torch": "2.99", "argv": ["train"]}))
    seen = [round(20_000 * (i + 1) / lines) for i in range(lines)]
    write_lines(folder, [{"images_seen": n, "kimg": n / 1000, "seconds": n / 600, **STATS} for n in seen])
    rng = np.random.default_rng(0)
    for i in range(grids):
        name = f"{i:06d}" + (".5" if i % 2 else "")
        save_png(folder / "samples" / f"{name}kimg.png", rng.integers(0, 256, (side, side, 3), np.uint8))
    return folder


def write_lines(folder: Path, lines: list[dict[str, Any]], tail: str = "") -> None:
    (folder / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)


class Page(HTMLParser):
    """What a browser would see: tags with attributes, the text outside scripts, the data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.scripts, self.inside = "", [], ""
        self.feed(self.source)
        self.data = json.loads(self.scripts[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside != "style":
            self.text += data

    def values(self) -> dict[str, list[float | None]]:
        """``title / label`` of each curve -> its values."""
        return {f"{c['title']} / {s['label']}": s["values"] for c in self.data["charts"] for s in c["series"]}


def test_all_curves_grids_settings_and_commands_are_there(tmp_path: Path) -> None:
    page = Page(write_report(make_run(tmp_path / "my run")))
    assert page.values() == {
        "Losses / generator": [1.5] * 10,
        "Losses / discriminator": [0.75] * 10,
        "Accuracy of the discriminator / on real": [80.0] * 10,
        "Accuracy of the discriminator / on generated": [70.0] * 10,
        "Scores of the discriminator / real": [1.0] * 10,
        "Scores of the discriminator / generated": [-1.25] * 10,
        "Gradient penalty / R1, real": [0.5] * 10,
        "Gradient norms / generator": [2.0] * 10,
        "Gradient norms / discriminator": [3.0] * 10,
        "Speed / real pictures": [600.0] * 10,
        "own_measure / own_measure": [42.0] * 10,
    }
    assert page.data["runs"][0]["kimg"] == [2.0 * (i + 1) for i in range(10)]
    assert [f["kimg"] for f in page.data["runs"][0]["frames"]] == [0.0, 1.5, 2.0]
    for words in (
        "my run",
        "faces-tiny-32",
        "drawn (1,200 pictures)",
        "model.generator.layers",
        "torch",
        "2.99",
    ):
        assert words in page.text
    for command in ("facegan train datasets/d", "--resume", "facegan generate", "facegan interpolate"):
        assert command in page.text
    assert shlex.quote(str(tmp_path / "my run")) in page.text
    assert "20 of 40" in page.text and "33 s" in page.text


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    page = Page(write_report(make_run(tmp_path / "run")))
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "action", "data"):
            assert name not in attributes, (tag, attributes)
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", page.source))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}  # names, not fetched
    assert not re.search(r"\b(fetch|XMLHttpRequest|import\(|url\((?!#))", page.source)
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy and "default-src 'none'" in policy
    first = Image.open(
        io.BytesIO(base64.b64decode(page.data["runs"][0]["frames"][0]["uri"].partition(",")[2]))
    )
    assert first.size == (20, 20)


def test_hostile_strings_stay_text(tmp_path: Path) -> None:
    plain = Page(write_report(make_run(tmp_path / "plain")))
    run = make_run(
        tmp_path / "<b>run",
        recipe=EVIL,
        family=EVIL,
        command=EVIL,
        dataset={"name": EVIL, "path": EVIL, "count": EVIL, EVIL: EVIL},
        image_shape=EVIL,
    )
    (run / "environment.json").write_text(json.dumps({EVIL: [EVIL]}))
    (run / "events.jsonl").write_text(json.dumps({"images_seen": 5000, "text": EVIL}) + "\n")
    write_lines(run, [{"images_seen": 1000, "loss_g": EVIL, EVIL: 1.0, "loss_d": 1.0}])
    page = Page(write_report(run))
    tags = {
        "b",
        "i",
        "li",
        "ul",
        "p",
        "tr",
        "th",
        "td",
        "h3",
        "pre",
        "div",
        "dt",
        "dd",
        "details",
        "summary",
        "table",
    }
    extra = [t for t in page.tags if t[0] not in tags]
    assert extra == [t for t in plain.tags if t[0] not in tags]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert len(page.scripts) == 2 and "<" not in page.scripts[0]
    assert page.data["runs"][0]["events"][0]["text"] == EVIL
    assert page.values()[f"{EVIL} / {EVIL}"] == [1.0]
    assert EVIL in page.text


def test_torn_and_foreign_lines_are_left_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", lines=3)
    tail = '[1]\nnull\n{"images_seen": "many"}\n{"images_seen": 30000, "loss_g": 1.'
    lines = [{"images_seen": 1000 * (i + 1), "loss_g": i, "seconds": i} for i in (1, 0, 2, 2)]
    write_lines(run, lines, tail)
    assert Page(write_report(run)).data["runs"][0]["kimg"] == [1.0, 2.0, 3.0]
    (run / "samples" / "000009kimg.png").write_bytes((run / "samples" / "000002kimg.png").read_bytes()[:200])
    (run / "samples" / ".000010kimg.png.7.tmp").write_bytes(b"")
    assert [f["kimg"] for f in Page(write_report(run)).data["runs"][0]["frames"]] == [0.0, 1.5, 2.0]


def test_values_that_are_no_numbers_are_gaps(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    lines = [
        {"images_seen": 1000, "loss_g": 1.0, "flag": True},
        {"images_seen": 2000, "loss_g": float("nan")},
    ]
    write_lines(run, lines)
    page = Page(write_report(run))
    assert page.values() == {"Losses / generator": [1.0, None]}
    assert "broken down" in page.text


@pytest.mark.parametrize(
    "drop", [("stats.jsonl",), ("config.json",), ("stats.jsonl", "config.json", "environment.json")]
)
def test_missing_files_still_give_a_page(drop: tuple[str, ...], tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", grids=0)
    for name in drop:
        (run / name).unlink()
    page = Page(write_report(run))
    assert page.data["runs"][0]["frames"] == []
    assert "How to read this page" in page.text
    assert ("has not reported anything yet" in page.text) == ("stats.jsonl" in drop)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        write_report(tmp_path / "none")


def test_long_runs_stay_small_and_quick(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", lines=2500, grids=0)
    # Noise hardly compresses: the worst case for the size. 90 grids of 8 x 8 cells with 64 px.
    noise = np.random.default_rng(0).integers(0, 256, (530, 530, 3), np.uint8)
    save_png(run / "samples" / "000000kimg.png", noise)
    content = (run / "samples" / "000000kimg.png").read_bytes()
    for i in range(1, 90):
        (run / "samples" / f"{i:06d}kimg.png").write_bytes(content)
    begin = time.process_time()
    path = write_report(run)
    assert time.process_time() - begin < 2.0  # about 0.7 s on a quiet core
    page = Page(path)
    assert path.stat().st_size < 8_000_000
    kimg = [f["kimg"] for f in page.data["runs"][0]["frames"]]
    assert 8 < len(kimg) <= MAX_FRAMES and kimg[0] == 0 and kimg[-1] == 89
    assert sum(len(f["uri"]) * 3 / 4 for f in page.data["runs"][0]["frames"]) < MAX_BYTES * 1.01
    assert len(page.data["runs"][0]["kimg"]) <= MAX_POINTS and page.data["runs"][0]["kimg"][-1] == 20.0
    assert page.values()["own_measure / own_measure"] == [42.0] * len(page.data["runs"][0]["kimg"])


def test_small_grids_are_embedded_as_they_are(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", grids=2)
    uri = Page(write_report(run)).data["runs"][0]["frames"][-1]["uri"]
    assert base64.b64decode(uri.partition(",")[2]) == (run / "samples" / "000001.5kimg.png").read_bytes()


@pytest.mark.parametrize(
    ("count", "expected"), [(9, list(range(7))), (3, [0, 3, 6]), (2, [0, 6]), (1, [6]), (4, [0, 2, 4, 6])]
)
def test_pick(count: int, expected: list[int]) -> None:
    assert pick(range(7), count) == expected


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (0.99, 0.99, "is winning"),
        (0.5, 0.52, "is guessing"),
        (0.9, 0.1, "is fooling"),
        (0.8, 0.7, "Neither"),
        (0.95, 0.9, "is ahead"),
        (0.95, 0.8, "Neither"),
    ],
)
def test_verdict(real: float, fake: float, words: str) -> None:
    early = [{"images_seen": i, "accuracy_real": 0.3, "accuracy_fake": 0.3} for i in range(90)]
    late = [{"images_seen": i, "accuracy_real": real, "accuracy_fake": fake} for i in range(90, 100)]
    assert words in verdict(early + late)


def quality_run(folder: Path, values: list[float], **more: Any) -> Path:
    """A run with a measurement of quality every 2 kimg, and with a model at each of them."""
    run = make_run(folder, lines=len(values) * 5, grids=0)
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    for line, value in zip(lines[4::5], values, strict=True):
        line |= {"quality": value, "diversity": 0.97, "quality_floor": 4.5, "kimg": 0, **more}
    write_lines(run, lines)
    (run / "models").mkdir()
    for line in lines[4::5]:
        (run / "models" / f"{line['images_seen'] / 1000:09.3f}kimg.safetensors").touch()
    return run


def test_quality_comes_first_with_its_floor(tmp_path: Path) -> None:
    page = Page(write_report(quality_run(tmp_path / "run", [90.0, 50, 30, 20, 12, 8, 7, 6.5, 6.2, 6])))
    quality, diversity = page.data["charts"][:2]
    assert (quality["title"], diversity["title"]) == ("Quality", "Diversity")
    assert quality["series"][0]["floor"] == 4.5 and quality["log"] == 10.0
    assert [v for v in quality["series"][0]["values"] if v is not None][-2:] == [6.2, 6.0]
    assert set(diversity["series"][0]["values"]) == {97.0, None}
    assert not any("quality" in chart["title"] for chart in page.data["charts"])
    assert "Still getting better." in page.text
    assert "(other real pictures: 4.5)" in page.text and f"{tmp_path / 'run'}@20kimg" in page.text
    assert "Variety is 97% of the data's" in page.text and "Distance to data" in page.text


def test_a_run_that_stopped_to_improve(tmp_path: Path) -> None:
    values = [90.0, 50, 20, 10.0, 10.4, 10.1, 10.5, 10.9, 11.6, 12.4]
    page = Page(write_report(quality_run(tmp_path / "run", values, diversity=0.3)))
    assert "No better since 8 kimg." in page.text and "has got worse since" in page.text
    assert "You can stop." in page.text and "mode collapse" in page.text
    run = str(tmp_path / "run")
    assert f"Best model: {run}@8kimg." in page.text or f"Best model: {run}@10kimg." in page.text


def test_a_broken_run_is_not_praised(tmp_path: Path) -> None:
    run = quality_run(tmp_path / "run", [90.0, 50, 30, 20, 12, 8, 7, 6.5, 6.2, 6])
    with (run / "stats.jsonl").open("a") as handle:
        handle.write('{"images_seen": 30000, "loss_g": NaN}\n')
    text = Page(write_report(run)).text
    assert "broken down" in text and "Still getting better" not in text


def test_a_run_that_the_watchdog_stopped_says_why_and_what_to_try(tmp_path: Path) -> None:
    run = quality_run(tmp_path / "run", [90.0, 50, 30, 20, 12, 8, 7, 6.5, 6.2, 6])
    back = {"images_seen": 9000, "text": "watchdog: at 12 kimg it has won; back to 9 kimg with less"}
    end = {
        "images_seen": 20000,
        "text": "watchdog: the generator's gradients explode; try --r1-gamma 1; stopped",
    }
    (run / "events.jsonl").write_text(json.dumps(back) + "\n" + json.dumps(end) + "\n")
    text = Page(write_report(run)).text
    assert "This run has broken down." in text and "Still getting better" not in text
    assert "Stopped at 20 kimg: the generator's gradients explode. Try in a new run: --r1-gamma 1." in text
    assert "stepped in at 9, 20 kimg" in text and "It should soon catch up" not in text


def test_the_watchdog_stands_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    events = {5000: "watchdog: both losses are 0; back to 4 kimg", 6000: "resumed from watchdog: x"}
    lines = (json.dumps({"images_seen": n, "text": text}) for n, text in events.items())
    (run / "events.jsonl").write_text("\n".join(lines))
    page = Page(write_report(run))
    assert [e["alarm"] for e in page.data["runs"][0]["events"]] == [True, False]
    assert page.source.count('<li class="alarm">') == 1
    assert "The watchdog stepped in at 5 kimg." in page.text


def test_losses_by_kind_and_accuracy_on_separate_batches_have_charts(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    write_lines(
        run,
        [
            {
                "images_seen": 1000,
                "loss_real": 0.1,
                "loss_fake": 0.2,
                "eval_accuracy_real": 0.5,
                "eval_accuracy_fake": 1.0,
            }
        ],
    )
    assert Page(write_report(run)).values() == {
        "Loss of the discriminator / on real": [0.1],
        "Loss of the discriminator / on generated": [0.2],
        "Accuracy on separate batches / on real": [50.0],
        "Accuracy on separate batches / on generated": [100.0],
    }


@pytest.mark.parametrize(
    ("kimg", "total", "text"),
    [
        (0.0, None, "0"),
        (1.5, 40.0, "1.5 of 40"),
        (40.032, 40.0, "40, finished"),
        (1.0, 1.0, "1, finished"),
        (2.016, 1.0, "2.016, finished (1 asked for)"),
    ],
)
def test_how_far_a_run_is(kimg: float, total: float | None, text: str) -> None:
    assert seen_text(kimg, total) == text


def test_a_number_is_the_same_wherever_the_page_names_it(tmp_path: Path) -> None:
    """Tile, headline and curve tell one distance, tile and verdict one accuracy; 'winning' is not said of a
    contest that the explanations call won."""
    values = [972.0, 900, 814, 304]
    run = quality_run(tmp_path / "run", values)
    lines = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
    write_lines(run, [{**line, "accuracy_real": 0.96, "accuracy_fake": 0.93} for line in lines])
    record = read_record(run)
    table, text = dict(facts(record)), write_report(run).read_text()
    assert table["Distance to data"] == "304" and "The distance to the data is 304" in text
    assert "814" not in text.partition("<script")[0]
    rate = table["Right on real, lately"]
    assert rate == "96%" and f"right on {rate} of the real and {table['Right on generated, lately']}" in text
    assert CONTEST.partition(",")[0] in text and "has won" not in text


def test_facts_name_the_last_line() -> None:
    lines = [
        {"images_seen": 1, **STATS, "quality": 12.345, "diversity": 0.5},
        {"images_seen": 1500, **STATS, "loss_g": 9},
    ]
    table = dict(facts(RunRecord(Path("run"), {"kimg": 40}, stats=lines)))
    assert table["Distance to data"] == "12.3" and table["Diversity"] == "50%"
    assert table["Pictures seen, kimg"] == "1.5 of 40" and table["Loss, generator"] == "9.000"


CHANGES: list[dict[str, Any]] = [
    {},
    {"kimg": 12.5, "flip": False, "latent.dim": 7, "latent.train_mean": 0.25},
    {"generator.lr": 1e-4, "discriminator.layers": "conv 8 3 lrelu; dense 1", "generator.unit_range": True},
    {"condition": ("smiling", "male"), "generator.widths": (32, 16, 16), "generator.blocks": ()},
]


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("changes", CHANGES, ids=["as is", "settings", "networks", "lists"])
def test_the_command_reproduces_the_configuration(name: str, changes: dict[str, Any]) -> None:
    own = recipe(name).model.generator  # another kind of family has other settings
    known = {f"generator.{k}": type(v) for k, v in vars(own).items()}
    changes = {k: v for k, v in changes.items() if not k.startswith("generator.") or known.get(k) is type(v)}
    if not hasattr(own, "layers"):
        changes = {k: v for k, v in changes.items() if "layers" not in k}
    config = override(recipe(name), changes)
    saved = json.loads(json.dumps({**config.to_dict(), "dataset": {"path": "a b"}}))
    words = shlex.split(train_command(saved, "runs/x"))
    assert words[:3] == ["facegan", "train", "a b"]
    assert parse(words[2:])[1] == config
