"""The comparison: all curves, grids, results and differing settings of several runs on one page."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from test_report import EVIL, Page, make_run, write_lines

from facegan.errors import InputError, RunError
from facegan.runs.compare import MAX_RUNS, differing, read_runs, short_names, write_comparison
from facegan.runs.record import read_record
from facegan.runs.report_data import MAX_BYTES


def curves(page: Page) -> dict[str, dict[str, list[float | None]]]:
    """title of a chart -> label of a series -> its values."""
    return {c["title"]: {s["label"]: s["values"] for s in c["series"]} for c in page.data["charts"]}


def rows(page: Page, heading: str) -> dict[str, list[str]]:
    """First cell -> the others of the table below ``heading``."""
    part = page.source.partition(f"<h2>{heading}</h2>")[2].partition("</table>")[0]
    cells = [re.findall(r"<t[hd][^>]*>([^<]*)<", row) for row in part.split("<tr>")]
    return {first: rest for first, *rest in filter(None, cells)}


def quality_lines(values: list[float], every: int = 1000, speed: float = 100.0) -> list[dict[str, Any]]:
    return [
        {
            "images_seen": every * (i + 1),
            "seconds": (i + 1) * every / speed,
            "images_per_second": speed,
            "loss_g": 1.0,
            "quality": v,
            "diversity": 0.9,
            "quality_floor": 3.0,
        }
        for i, v in enumerate(values)
    ]


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """Runs of different length, size and family; the last has just begun."""
    a = make_run(tmp_path / "a", grids=4)
    b = make_run(tmp_path / "b", grids=2, side=30, family="vanilla", image_shape=[1, 28, 28], kimg=90.0)
    write_lines(a, quality_lines([9.0, 8, 7, 6, 5, 4]))
    write_lines(b, quality_lines([20.0, 10, 12, 11, 13, 14, 15, 16], 2000, 50.0))
    c = make_run(tmp_path / "c", lines=0, grids=0)
    (c / "stats.jsonl").unlink()
    return [a, b, c]


def test_curves_lie_over_each_other(three: list[Path], tmp_path: Path) -> None:
    page = Page(write_comparison(three, tmp_path / "x.html"))
    assert [run["name"] for run in page.data["runs"]] == ["a", "b", "c"]
    assert page.data["runs"][0]["kimg"] == [1.0, 2, 3, 4, 5, 6] and page.data["runs"][2]["kimg"] == []
    assert page.data["runs"][1]["seconds"][:2] == [40.0, 80.0]
    found = curves(page)
    assert list(found) == ["Quality", "Diversity", "Losses: generator", "Speed"]
    assert found["Quality"] == {"a": [9.0, 8, 7, 6, 5, 4], "b": [20.0, 10, 12, 11, 13, 14, 15, 16]}
    assert [s["run"] for s in page.data["charts"][0]["series"]] == [0, 1]
    assert [s["floor"] for s in page.data["charts"][0]["series"]] == [3.0, 3.0]
    assert [len(run["frames"]) for run in page.data["runs"]] == [4, 2, 0]


def test_runs_that_measure_a_metric_have_it_in_their_table(three: list[Path], tmp_path: Path) -> None:
    """What a sweep ranks by stands on its page, the same number; a run without it has a dash."""
    config = json.loads((three[0] / "config.json").read_text()) | {"metric": "kid"}
    (three[0] / "config.json").write_text(json.dumps(config))
    write_lines(three[0], [{**line, "kid": 30.0 - i} for i, line in enumerate(quality_lines([9.0, 8, 7]))])
    page = Page(write_comparison(three, tmp_path / "x.html"))
    head = rows(page, "Results")[""]
    assert head[0] == "KID, last" and head[1] == "kimg"
    assert [rows(page, "Results")[name][0] for name in "abc"] == ["28", "–", "–"]


def test_results_and_differing_settings(three: list[Path], tmp_path: Path) -> None:
    page = Page(write_comparison(three, tmp_path / "x.html"))
    results = rows(page, "Results")
    # Of the second run's smoothed curve 12, 12, 11, 12, 13, 14, 15, 15 the best is the third: a value of 11,
    # measured at 8 kimg. The last is what was measured last.
    assert results["a"] == ["6", "60 s", "5", "5", "4", "90%", "100"]
    assert results["b"] == ["16", "5 min", "11", "8", "16", "90%", "50"]
    assert results["c"] == ["0", "–", "–", "–", "–", "–", "–"]
    settings = rows(page, "Settings that differ")
    assert settings["kimg"] == ["40.0", "90.0", "40.0"] and settings["family"] == [
        "dcgan",
        "vanilla",
        "dcgan",
    ]
    assert set(settings) == {"", "kimg", "family", "image_shape"}


def test_settings_that_only_some_runs_have_differ(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", command="x"), make_run(tmp_path / "b", command="y", extra=None)
    (b / "environment.json").write_text(json.dumps({"torch": "3.0", "argv": ["else"]}))
    found = differing([read_record(a), read_record(b)])
    assert found == {"extra": ["–", None], "machine.torch": ["2.99", "3.0"]}
    same = Page(write_comparison([a, make_run(tmp_path / "c")], tmp_path / "x.html"))
    assert "None: their settings, data and machine are the same" in same.text


def test_repeats_show_mean_band_and_spread(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"seed-{i}", seed=i) for i in range(3)]
    for i, (run, n) in enumerate(zip(runs, (6, 5, 4), strict=True)):
        write_lines(run, quality_lines([10.0 - k + i * i for k in range(n)]))
    page = Page(write_comparison(runs, tmp_path / "x.html", repeats=True))
    assert page.data["runs"][3]["name"] == "mean" and page.data["runs"][3]["kimg"] == [1.0, 2, 3, 4]
    assert page.data["runs"][3]["seconds"] == [10.0, 20, 30, 40]
    (series,) = page.data["charts"][0]["series"]
    assert (series["label"], series["run"]) == ("mean of 3", 3)
    assert series["values"] == pytest.approx([10 - k + 5 / 3 for k in range(4)], abs=1e-3)
    assert series["low"] == [10.0, 9, 8, 7] and series["high"] == [14.0, 13, 12, 11]
    last = rows(page, "Results")["mean ± std"]
    assert last[0] == "5 ± 1" and last[6] == "100 ± 0"
    # Medians at the ends: the best are 6, 8 and 12 at their last but one.
    assert last[2] == "8.67 ± 3.06"
    assert rows(page, "Settings that differ") == {"": ["seed-0", "seed-1", "seed-2"], "seed": ["0", "1", "2"]}
    assert "seed-2, the same but for the seed" in page.text
    config = json.loads((runs[1] / "config.json").read_text())
    (runs[1] / "config.json").write_text(json.dumps({**config, "batch": 7}))
    other = Page(write_comparison(runs, tmp_path / "x.html", repeats=True))
    assert "seed-2, not the same but for the seed: see batch" in other.text


def test_mean_has_points_only_where_something_was_measured(tmp_path: Path) -> None:
    """Every third line has a quality; a run whose lines lie elsewhere is joined by straight lines."""
    runs = [make_run(tmp_path / name) for name in "ab"]
    lines = quality_lines([float(i) for i in range(9)])
    for i, line in enumerate(lines):
        if i % 3:
            del line["quality"]
    write_lines(runs[0], lines)
    write_lines(runs[1], quality_lines([0.0, 3, 6, 9], 3000))
    page = Page(write_comparison(runs, tmp_path / "x.html", repeats=True))
    assert page.data["runs"][2]["kimg"] == [3.0, 6.0, 9.0]
    # a: 0, 3, 6 at 1, 4, 7 kimg; at 3 kimg 2, at 6 kimg 5, nothing known at 9. b: 0, 3, 6.
    (series,) = page.data["charts"][0]["series"]
    assert series["values"] == [1.0, 4.0, None] and series["high"] == [2.0, 5.0, None]


@pytest.mark.parametrize("repeats", [False, True])
def test_one_run_or_runs_without_a_line_give_a_page(tmp_path: Path, repeats: bool) -> None:
    empty = [make_run(tmp_path / name, lines=0, grids=0) for name in "ab"]
    full = make_run(tmp_path / "full")
    for runs, values in ((empty, {}), (empty[:1], {}), ([full], {1.5}), ([empty[0], full], {1.5})):
        page = Page(write_comparison(runs, tmp_path / "x.html", repeats))
        found = [s["values"] for c in page.data["charts"][:1] for s in c["series"]]
        assert {v for one in found for v in one} == set(values)
        assert len(rows(page, "Results")) == 1 + len(runs) + (repeats and len(runs) > 1)


def test_page_needs_nothing_else_and_hostile_strings_stay_text(tmp_path: Path) -> None:
    plain = Page(write_comparison([make_run(tmp_path / n) for n in "ab"], tmp_path / "x.html"))
    runs = [
        make_run(tmp_path / "<i>e</i>", recipe=EVIL, family=EVIL, image_shape=EVIL, dataset={EVIL: EVIL}),
        make_run(tmp_path / "b2"),
    ]
    (runs[0] / "events.jsonl").write_text(json.dumps({"images_seen": 5000, "text": EVIL}) + "\n")
    write_lines(runs[0], [{"images_seen": 1000, "loss_g": EVIL, EVIL: 1.0}])
    page = Page(write_comparison(runs, tmp_path / "y.html"))
    kept = ("tr", "th", "td", "table", "div", "p", "tbody", "thead")
    assert [t for t in page.tags if t[0] not in kept] == [t for t in plain.tags if t[0] not in kept]
    assert len(page.scripts) == 2 and "<" not in page.scripts[0] and EVIL in page.text
    for _, attributes in page.tags:
        assert not {"src", "href", "srcset", "action"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    assert any("default-src 'none'" in (a.get("content") or "") for _, a in page.tags)


def test_grids_of_many_runs_share_the_room(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"r{i}", grids=12, side=300) for i in range(4)]
    path = write_comparison(runs, tmp_path / "x.html")
    page = Page(path)
    size = sum(len(f["uri"]) * 3 / 4 for run in page.data["runs"] for f in run["frames"])
    assert size < MAX_BYTES * 1.01 and path.stat().st_size < 8_000_000
    assert all(len(run["frames"]) >= 3 for run in page.data["runs"])


def test_short_names() -> None:
    paths = [Path("/x/a/seed-0"), Path("/x/b/seed-0"), Path("/x/b/seed-1")]
    assert short_names(paths[1:]) == ["seed-0", "seed-1"]
    assert short_names(paths) == ["a/seed-0", "b/seed-0", "b/seed-1"]


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    a = make_run(tmp_path / "all" / "seed-0")
    (tmp_path / "empty").mkdir()
    for runs, words in (
        ([a, tmp_path / "none"], "none: there is no such run folder"),
        ([a, tmp_path / "empty"], "empty: not a run of 'facegan train' \\(it holds no config.json\\)"),
        ([a, tmp_path / "all"], "all: not a run .*name those in it: .*seed-0 ..."),
    ):
        with pytest.raises(RunError, match=words) as error:
            read_runs(runs)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="named twice"):
        read_runs([a, tmp_path / "all" / "." / "seed-0"])
    with pytest.raises(InputError, match=f"from 1 to {MAX_RUNS}"):
        read_runs([])
    with pytest.raises(InputError, match="cannot be written"):
        write_comparison([a], tmp_path / "all" / "seed-0" / "config.json" / "x.html")


def test_command(tmp_path: Path) -> None:
    a, b = str(make_run(tmp_path / "a")), str(make_run(tmp_path / "b"))
    for words, code, text in (
        ([a, b, "--out", "page.html"], 0, "wrote page.html"),
        ([a], 2, "facegan compare: name two or more run folders to compare"),
        ([a, "nowhere"], 2, "facegan compare: nowhere: there is no such run folder"),
        ([a, b, "--out", "page.png"], 2, "facegan compare: --out page.png: the name must end in .html"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "facegan.cli.main", "compare", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=None,
        )
        assert (done.returncode, (done.stdout + done.stderr).strip()) == (code, text)
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
