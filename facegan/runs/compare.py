"""Several runs on one page: curves, grids, results and settings; of repeats also means and their spread."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from facegan.errors import InputError, RunError
from facegan.files import write_bytes
from facegan.runs.page import duration, render, table
from facegan.runs.record import RunRecord, flatten, read_record
from facegan.runs.report_data import MAX_BYTES, charts_of, curve, frame_of, run_data
from facegan.runs.trend import Progress, judge

MAX_RUNS = 24
# Where a run lies and how its command was typed are no settings.
_ASIDE = ("command", "dataset.path", "machine.argv")


def write_comparison(runs: Sequence[str | Path], out: str | Path, repeats: bool = False) -> Path:
    """Write the page ``out`` on the run folders ``runs`` and return its path.

    They may differ in length, size and family, and may have just begun. With ``repeats`` the curves are
    the mean of the runs with a band from the lowest to the highest, as far as all of them have come.
    RunError for a folder that is no run, InputError for none or too many runs or a page that cannot be
    written.
    """
    out = Path(out)
    records = read_runs(runs)
    names = short_names([record.path for record in records])
    fields = {
        "title": html.escape(" · ".join(names)),
        "name": "Repeats" if repeats else "Comparison",
        "subtitle": html.escape(_subtitle(records, names, repeats)),
        "results": table(_results(records, names, repeats), ("", *results_of(records)), wide=True),
        "settings": _settings(records, names),
        "band": _BAND if repeats else "",
    }
    try:
        write_bytes(out, render("compare", fields, comparison_data(records, names, repeats)))
    except OSError as error:
        raise InputError(f"{out}: the page cannot be written ({error.strerror})") from None
    return out


def read_runs(runs: Sequence[str | Path]) -> list[RunRecord]:
    """Return the records of ``runs``, which must be different run folders."""
    paths = [Path(run) for run in runs]
    if not 1 <= len(paths) <= MAX_RUNS:
        raise InputError(f"{len(paths)} runs: a page holds from 1 to {MAX_RUNS}")
    for i, path in enumerate(paths):
        if path.is_dir() and not (path / "config.json").is_file():
            inner = sorted(p.parent.name for p in path.glob("*/config.json"))
            hint = f"name those in it: {path / inner[0]} ..." if inner else "it holds no config.json"
            raise RunError(f"{path}: not a run of 'facegan train' ({hint})")
        if path.resolve() in [earlier.resolve() for earlier in paths[:i]]:
            raise InputError(f"{path}: this run is named twice")
    return [read_record(path) for path in paths]


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return the folders' names, with as many of their parents as it takes to tell them apart."""
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _subtitle(records: Sequence[RunRecord], names: Sequence[str], repeats: bool) -> str:
    recipes = dict.fromkeys(str(r.config.get("recipe") or r.config.get("family") or "?") for r in records)
    what = f"{len(records)} run{'s' * (len(records) > 1)} of {', '.join(recipes)}"
    others = [name for name in differing(records) if name != "seed" and not name.startswith("machine.")]
    same = (
        f"not the same but for the seed: see {', '.join(others)}" if others else "the same but for the seed"
    )
    return f"{what}: {', '.join(names)}" + f", {same}" * repeats


# --- curves -------------------------------------------------------------------------------------

_BAND = "Lines are means of the runs, bands reach from the lowest to the highest, as far as all have come."


def comparison_data(records: Sequence[RunRecord], names: Sequence[str], repeats: bool) -> dict[str, Any]:
    """Return the page's data: a chart for every curve, in which each run has one colour."""
    share = MAX_BYTES // len(records)
    runs = [{**run_data(r, share), "name": name} for r, name in zip(records, names, strict=True)]
    charts = []
    for chart, keys in charts_of(records):
        labels = dict(chart.series)
        for key in keys:
            title = f"{chart.title}: {labels[key]}" if len(chart.series) > 1 else chart.title
            series = [
                curve(record, i, chart, key=key, label=name, color=i)
                for i, (record, name) in enumerate(zip(records, names, strict=True))
                if record.last(key) is not None
            ]
            charts.append(frame_of(chart, title, series))
    if repeats and len(records) > 1:
        runs.append(_mean_run(runs))
        for frame in charts:
            frame["series"] = _mean_series(frame["series"], runs)
    return {"runs": runs, "charts": charts, "linked": True}


def _mean_run(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the axes of the means: the lines of the run with fewest, up to where all have come."""
    begun = [run for run in runs if run["kimg"]]
    end = min((run["kimg"][-1] for run in begun), default=0.0)
    fewest: list[float] = min((run["kimg"] for run in begun), key=len, default=[])
    kimg = [k for k in fewest if k <= end]
    timed = bool(begun) and all(run["seconds"] for run in begun)
    each = [np.interp(kimg, run["kimg"], run["seconds"]) for run in begun] if timed else []
    seconds = [float(s) for s in np.mean(each, axis=0)] if timed else []
    return {"name": "mean", "kimg": kimg, "seconds": seconds, "events": [], "frames": [], "caption": ""}


def _mean_series(series: Sequence[dict[str, Any]], runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one series of means with ``low`` and ``high``, of curves interpolated between measurements."""
    kimg = np.array(runs[-1]["kimg"])
    rows, measured = [], set()
    for one in series:
        pairs = zip(runs[one["run"]]["kimg"], one["values"], strict=True)
        x, y = np.array([(k, v) for k, v in pairs if v is not None]).T
        rows.append(np.interp(kimg, x, y, left=np.nan, right=np.nan))
        measured |= set(x)
    values = np.array(rows)
    # Only where some run was measured: a quality at each grid must not pass for one at each line.
    there = np.isfinite(values).all(0) & np.isin(kimg, list(measured))
    floors = [one["floor"] for one in series if one["floor"] is not None]

    def listed(row: np.ndarray) -> list[float | None]:
        return [float(f"{v:.5g}") if ok else None for v, ok in zip(row, there, strict=True)]

    return [
        {
            "label": f"mean of {len(series)}",
            "run": len(runs) - 1,
            "color": -1,
            "floor": mean(floors) if floors else None,
            "values": listed(values.mean(0)),
            "low": listed(values.min(0)),
            "high": listed(values.max(0)),
        }
    ]


# --- tables -------------------------------------------------------------------------------------


def _judged(form: Callable[[Progress], float]) -> Callable[[RunRecord], float | None]:
    """Return a number of the run's curve of quality; where the best is, the smoothed curve decides."""
    return lambda record: form(found) if (found := judge(record.curve("quality"))) else None


# name -> (value of a run, its text)
Results = dict[str, tuple[Callable[[RunRecord], float | None], Callable[[float], str]]]
RESULTS: Results = {
    "kimg": (lambda record: record.kimg, "{:.4g}".format),
    "Training time": (lambda record: record.last("seconds"), duration),
    "Best quality": (_judged(lambda found: found.best), "{:.3g}".format),
    "at kimg": (_judged(lambda found: found.best_kimg), "{:.4g}".format),
    "Last quality": (_judged(lambda found: found.last), "{:.3g}".format),
    "Diversity": (lambda record: record.last("diversity"), "{:.0%}".format),
    "Speed, images/s": (lambda record: record.speed, "{:,.0f}".format),
}


def results_of(records: Sequence[RunRecord]) -> Results:
    """Return the columns of the results: the last value of each ``--metric`` of a run, then ``RESULTS``."""
    found: Results = {}
    asked = dict.fromkeys(str(r.config["metric"]) for r in records if r.config.get("metric"))
    if not asked:
        return RESULTS
    from facegan.metrics.pair_table import PAIR_METRICS
    from facegan.metrics.registry import METRICS  # with torch, which other pages do not need

    known = {name: next(iter(row.values.items())) for name, row in METRICS.items()}
    known |= {name: (name, row.value) for name, row in PAIR_METRICS.items()}
    for metric in asked:
        if metric in known:
            key, value = known[metric]
            last = functools.partial(RunRecord.last, key=key)
            found[f"{value.title}, last"] = (last, "{:.4g}".format)
    return found | RESULTS


def _results(records: Sequence[RunRecord], names: Sequence[str], repeats: bool) -> list[list[str]]:
    """Return a row for each run, and one with mean and sample standard deviation of repeats."""
    results = results_of(records).values()
    columns = [[value(record) for record in records] for value, _ in results]
    forms = [form for _, form in results]
    rows = [
        [name, *("–" if v is None else form(v) for v, form in zip(row, forms, strict=True))]
        for name, row in zip(names, zip(*columns, strict=True), strict=True)
    ]
    if repeats and len(records) > 1:
        pairs = zip(columns, forms, strict=True)
        rows.append(["mean ± std", *(spread([v for v in c if v is not None], form) for c, form in pairs)])
    return rows


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """Return ``mean ± sample standard deviation``; of one value, that value."""
    if len(values) < 2:
        return form(values[0]) if values else "–"
    return f"{form(mean(values))} ± {form(stdev(values))}"


def differing(records: Iterable[RunRecord]) -> dict[str, list[Any]]:
    """Return the settings that differ, with their value in each run; "–" where a run has none."""
    flat = [flatten({**r.config, "machine": {**r.environment}}) for r in records]
    names = dict.fromkeys(name for one in flat for name in one if name not in _ASIDE)
    rows = {name: [one.get(name, "–") for one in flat] for name in names}
    return {name: row for name, row in rows.items() if any(value != row[0] for value in row)}


def _settings(records: Sequence[RunRecord], names: Sequence[str]) -> str:
    rows = differing(records)
    if not rows:
        return '<p class="soft">None: their settings, data and machine are the same.</p>'
    return table(([name, *values] for name, values in rows.items()), ("", *names), wide=True)
