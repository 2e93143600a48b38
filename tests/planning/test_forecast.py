"""The quality forecast: its table against the sources, its arithmetic, and where it is shown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from facegan.machine import OtherWork
from facegan.planning import auto
from facegan.planning.dry_run import DryRun, Timing
from facegan.planning.dry_run_text import quality_lines
from facegan.planning.forecast import forecast, moments
from facegan.recipes.config import UpdateKind, override
from facegan.recipes.curves import (
    KnownCurve,
    MeasuredRun,
    changes_of,
    comparable,
    curve_of,
    doubts,
    known_curve,
    known_runs,
)
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.record import read_record
from facegan.runs.report_data import page_data

ROOT = Path(__file__).resolve().parents[2]
FAST = known_curve("faces-fast-64", "kid")
HASH = known_runs()[0].content_hash


def run(*points: tuple[float, float], **changes: Any) -> MeasuredRun:
    """A measured run through these points."""
    row = MeasuredRun(
        "faces-fast-64", "kid", "faces", points, 0.0, 300.0, 0, "drawn faces", "abc", 1000, "", ""
    )
    return dataclasses.replace(row, **changes)


def measured(seconds: float = 1.0, drawing: float = 0.0, *, kimg: float = 300.0, **changes: Any) -> DryRun:
    """A dry run whose updates of 32 pictures take so long; nothing else about it matters here."""
    config = override(recipe("faces-fast-64"), {"kimg": kimg, **changes})
    values = {f.name: 0 for f in dataclasses.fields(DryRun)}
    given = {
        "config": config,
        "dataset": "faces",
        "pictures": 7981,
        "content_hash": HASH,
        "device": "cpu",
        "threads": 1,
        "room": "",
        "others": OtherWork(),
        "timings": {UpdateKind((), 0, 1.0): Timing(seconds, seconds, seconds, 3)},
        "updates": round(kimg * 1000 / 32),
        "drawing": drawing,
        "grids": 10,
        "pictures_a_grid": 100,
    }
    return DryRun(**{**values, **given})


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", known_runs(), ids=lambda r: f"{r.recipe}-{r.measure}-{r.seed}")
def test_every_number_of_the_table_is_in_its_source(row: MeasuredRun) -> None:
    assert row.recipe in RECIPES
    assert list(row.points) == sorted(row.points)
    text = (ROOT / row.source).read_text()
    if row.source.endswith(".md"):
        assert all(f"| {value:g} " in text and f"{kimg:g} kimg" in text for kimg, value in row.points)
        return
    found = json.loads(text)
    if "marks" in found:
        name = f"{row.measure}_faces"
        marks = [(m["images"] / 1000, m["ways"][m["best"]][name]) for m in found["marks"].values()]
        assert found["dataset"] == row.content_hash and found["count"] == row.pictures
    else:
        marks = found["curves"][row.measure]["points"]
        assert found["dataset"] == {
            "data": row.data, "content_hash": row.content_hash, "pictures": row.pictures
        }  # fmt: skip
    assert [k for k, _ in row.points] == [k for k, _ in marks]
    assert [v for _, v in row.points] == pytest.approx([v for _, v in marks], rel=1e-3)


def test_the_table_is_what_its_script_makes(benchmarks: Any) -> None:
    table = benchmarks("forecast").whole_table()
    kept = json.loads((ROOT / "facegan/recipes/known_curves.json").read_text())
    assert table == kept, "run: python benchmarks/forecast.py table"


# --- arithmetic -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "points, kimg, expected",
    [
        (((10, 1.0), (1000, 0.01)), 100, 0.1),  # a power of the images: a straight line in both logarithms
        (((10, 1.0), (1000, 0.01)), 10, 1.0),
        (((10, 1.0), (1000, 0.01)), 1000, 0.01),
        (((10, 1.0), (1000, 0.01)), 9.9, None),
        (((10, 1.0), (1000, 0.01)), 1001, None),
        (((10, 0.1), (1000, -0.1)), 100, 0.0),  # a distance of an unbiased measure may fall below 0
        (((0, 3.0), (10, 1.0)), 5, 2.0),  # from no images at all
        (((260, 0.055),), 260, 0.055),
        (((260, 0.055),), 261, None),
        ((), 1, None),
    ],
)
def test_between_two_measurements(points: Any, kimg: float, expected: float | None) -> None:
    assert run(*points).at(kimg) == (None if expected is None else pytest.approx(expected))


def test_the_band_lies_between_the_best_and_the_worst_run() -> None:
    curve = KnownCurve((run((10, 1.0), (100, 0.4)), run((10, 0.25), (50, 0.2))))
    found = curve.at(10)
    assert found is not None and (found.value, found.low, found.high) == (pytest.approx(0.5), 0.25, 1.0)
    alone = curve.at(100)
    assert alone is not None and (alone.value, alone.low, alone.high, alone.runs) == (0.4, None, None, 1)
    assert curve.at(5) is None and curve.at(101) is None
    assert curve.span == (10, 100)
    lengths = [k for k, _ in curve.points(1000, count=3)]
    assert lengths == pytest.approx([10, 1000**0.5, 100])
    assert [k for k, _ in curve.points(50)][-1] == 50, "not beyond the run"
    assert curve.points(5) == []


def test_a_machine_twice_as_fast_is_as_far_in_half_of_the_time() -> None:
    slow, fast = forecast(measured(1.6)), forecast(measured(0.8))
    assert slow.seconds_per_kimg == pytest.approx(1.6 / 0.032) and slow.seconds == pytest.approx(15_000)
    assert slow.after(60) == fast.after(30) and slow.after(60) is not None
    assert slow.curve is not None
    assert slow.after(60) == slow.curve.at(3600 / 50)  # 72 kimg
    assert slow.kimg_after(1e9) == 300, "a run does not go beyond its length"
    assert slow.after(1) is None, "nothing was measured so early"


def test_drawing_counts_as_time_of_the_run() -> None:
    """9,375 updates of 1.6 s, and 10 grids of 100 pictures of 5 s each."""
    found = forecast(measured(1.6, drawing=5.0))
    assert found.seconds == pytest.approx(9_375 * 1.6 + 5_000)
    assert found.points()[-1][0] == pytest.approx(found.points()[-1][1] * found.seconds_per_kimg)


def test_the_table_has_round_times_and_the_end() -> None:
    rows = moments(forecast(measured(1.6)))  # 50 s for 1 kimg
    assert [row.seconds / 60 for row in rows[:-1]] == [20, 30, 60, 120]
    assert rows[0].kimg == 24 and rows[-1].last
    assert rows[-1].kimg == pytest.approx(279.776), "nothing was measured beyond"
    short = moments(forecast(measured(1.6, kimg=100.0)))
    assert short[-1].kimg == 100 and short[-1].seconds == pytest.approx(5_000)
    assert moments(forecast(measured(1.6, kimg=5.0))) == []


# --- what is known, and what may differ -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name, changes, reason",
    [
        ("stylegan2-256", {}, "no measured curve"),
        ("faces-fast-64", {"init": "weights.safetensors"}, "trained weights"),
        ("faces-fast-64", {"discriminator.projected": ""}, "discriminator.projected"),
        ("faces-fast-64", {"generator.lr": 1e-3}, "generator.lr"),
        ("faces-fast-64", {"seed": 5, "kimg": 10.0, "metric": "kid", "grid_kimg": 1.0}, ""),
    ],
)
def test_which_curve_is_to_be_expected(name: str, changes: dict[str, Any], reason: str) -> None:
    curve, unknown = curve_of(override(recipe(name), changes))
    assert reason in unknown and (curve is None) == bool(reason)


def test_a_run_is_compared_by_its_own_metric_where_that_is_known() -> None:
    for metric, expected in (("", "kid"), ("fid", "fid"), ("kid", "kid"), ("swd", "kid")):
        curve, _ = curve_of(override(recipe("faces-fast-64"), {"metric": metric}))
        assert curve is not None and curve.measure == expected


@pytest.mark.parametrize(
    "changes, pictures, content_hash, expected",
    [
        ({"kimg": 225.0}, 7981, HASH, []),
        ({"kimg": 225.0}, 7981, "other", ["other pictures are easier or harder"]),
        ({"kimg": 225.0}, 40, HASH, ["40 pictures instead of 7,981"]),
        ({"kimg": 30.0}, 7981, HASH, ["225 and 275 kimg, this one has 30"]),
        ({"kimg": 225.0, "batch": 8}, 7981, HASH, ["differ from the recipe: batch."]),
        ({"kimg": 225.0, "precision": "float32", "accumulate": 2, "seed": 3}, 7981, HASH, []),
    ],
)
def test_doubts(changes: dict[str, Any], pictures: int, content_hash: str, expected: list[str]) -> None:
    assert FAST is not None
    config = override(recipe("faces-fast-64"), changes)
    found = doubts(config, FAST, pictures=pictures, content_hash=content_hash)
    assert len(found) == len(expected)
    assert all(text in sentence for text, sentence in zip(expected, found, strict=True))


def test_settings_that_only_show_or_store_change_no_curve() -> None:
    config = recipe("faces-fast-64")
    assert changes_of(override(config, {"grid_count": 4, "keep_checkpoints": 9, "metric_count": 50})) == []
    assert changes_of(override(config, {"r1_gamma": 9.0, "flip": False})) == ["r1_gamma", "flip"]


@pytest.mark.parametrize(
    "measure, features, content_hash, expected",
    [
        ("kid", "faces", "other", True),
        ("kid", "pixels", "abc", False),
        ("fid", "faces", "abc", False),  # it depends on how many pictures are compared
        ("quality", "faces", "abc", True),
        ("quality", "faces", "other", False),  # it compares within one dataset only
    ],
)
def test_what_can_be_drawn_over_a_curve(
    measure: str, features: str, content_hash: str, expected: bool
) -> None:
    curve = KnownCurve((run((1, 1.0), measure=measure),))
    assert comparable(curve, features=features, content_hash=content_hash) is expected


# --- where it is shown ------------------------------------------------------------------------------


def test_the_dry_run_says_what_to_expect_or_that_nothing_is_known() -> None:
    lines = quality_lines(forecast(measured(1.6)))
    assert lines[0] == "Quality to expect: KID (faces), lower is better, as measured in 2 runs"
    # 72 kimg lie 46.6% of the way (in logarithms) from 51.3 to 106.2 kimg: 0.118 x (0.0403 / 0.118)^0.466
    assert lines[3].split() == ["after", "60", "min", "0.062", "72", "kimg,", "0.054", "to", "0.071"]
    assert lines[5].split()[:4] == ["after", "3", "h", "53"]
    assert max(map(len, lines)) <= 100
    text = " ".join(quality_lines(forecast(measured(1.6, init="w.safetensors"))))
    assert text.startswith("Quality   It begins with trained weights")
    single = dataclasses.replace(measured(1.6), config=recipe("faces-dcgan-64"))
    assert "Measured once only, at 260 kimg." in " ".join(quality_lines(forecast(single)))


def write_run(folder: Path, lines: list[dict[str, Any]], **changes: Any) -> Path:
    """A run folder of faces-fast-64 with these lines of statistics."""
    config = {**recipe("faces-fast-64").to_dict(), "kimg": 225.0, "metric": "kid", **changes}
    config["dataset"] = {"name": "faces", "content_hash": HASH, "count": 7981}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_report_draws_the_forecast_behind_the_curve_in_the_runs_own_time(tmp_path: Path) -> None:
    lines = [{"images_seen": n * 1000, "seconds": n * 40.0, "kid": 2.0 / n} for n in (10, 20, 30)]
    page = page_data(read_record(write_run(tmp_path / "run", lines)))
    (chart,) = (c for c in page["charts"] if c["title"] == "KID")
    own, behind = chart["series"]
    assert (own["label"], behind["label"], behind["run"]) == ("generated", "forecast", 1)
    axes = page["runs"][1]
    assert len(axes["kimg"]) == len(axes["seconds"]) == len(behind["values"]) == len(behind["low"])
    assert axes["kimg"][-1] == 225 and axes["seconds"][-1] == pytest.approx(225 * 40)
    assert FAST is not None
    for kimg, value in zip(axes["kimg"], behind["values"], strict=True):
        found = FAST.at(kimg)
        assert found is not None and found.value == pytest.approx(value, rel=1e-3)
    assert "2 measured runs" in chart["note"]


@pytest.mark.parametrize(
    "changes, drawn",
    [
        ({}, True),  # before the first measurement, too
        ({"metric": ""}, False),
        ({"metric_features": "pixels"}, False),
        ({"init": "weights.safetensors"}, False),
        ({"recipe": "stylegan2-64"}, False),
        ({"recipe": "unknown"}, False),
    ],
)
def test_the_report_draws_only_what_can_be_compared(tmp_path: Path, changes: Any, drawn: bool) -> None:
    page = page_data(read_record(write_run(tmp_path / "run", [], **changes)))
    assert ("KID" in [chart["title"] for chart in page["charts"]]) == drawn
    assert len(page["runs"]) == 1 + drawn


@pytest.mark.parametrize(
    "changes, value, why",
    [
        # the geometric mean of 0.118 x (0.0403 / 0.118)^0.918 and 0.0544 x (0.0492 / 0.0544)^0.491
        ({"kimg": 100.0}, "KID 0.048", "to expect: measured at 100 kimg"),
        ({"kimg": 5.0}, "unknown", "so short a run was not measured"),
        ({"init": "weights.safetensors"}, "unknown", "It begins with trained weights"),
    ],
)
def test_auto_names_the_quality_to_expect(changes: dict[str, Any], value: str, why: str) -> None:
    choice = auto._quality(forecast(measured(1.6, **changes)))
    assert (choice.what, choice.value) == ("quality", value) and choice.why.startswith(why)
