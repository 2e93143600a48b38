"""The recipe's measured curve behind that of a run, so that one sees whether it goes as it usually does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facegan.errors import FaceganError
from facegan.recipes.curves import KnownCurve, comparable, curve_of, doubts, known_curve
from facegan.runs.record import RunRecord, config_of

EXPECTED = ("kid", "quality")  # measures of a run's own that a known curve can lie behind


def expected_curve(record: RunRecord, measure: str) -> tuple[KnownCurve, list[str]] | None:
    """Return the curve that a run should follow by one of its measures, and why it may not.

    None where nothing is known, or where the run measures itself in a way that cannot be compared.
    """
    data = record.config.get("dataset") or {}
    try:
        config = config_of(record.config)
    except FaceganError:
        return None
    curve = known_curve(config.recipe, measure) if curve_of(config)[0] is not None else None
    content = str(data.get("content_hash", ""))
    if curve is None or not comparable(curve, features=config.metric_features, content_hash=content):
        return None
    count = data.get("count")
    pictures = count if isinstance(count, int) else 0
    return curve, doubts(config, curve, pictures=pictures, content_hash=content)


def expected_points(record: RunRecord, curve: KnownCurve) -> list[dict[str, float | None]]:
    """Return kimg, seconds, value, low and high of the curve up to the run's length.

    ``seconds`` are at the run's own speed so far, and None before its first report.
    """
    pace = record.last("seconds")
    each = pace / record.kimg if pace and record.kimg else None
    return [
        {
            "kimg": kimg,
            "seconds": None if each is None else kimg * each,
            "value": found.value,
            "low": found.low,
            "high": found.high,
        }
        for kimg, found in curve.points(float(record.config.get("kimg") or curve.span[1]))
    ]


@dataclass(frozen=True)
class Behind:
    """The series of a known curve as the report's script reads it, its own axes, and what to say about it."""

    axes: dict[str, Any]
    series: dict[str, Any]
    note: str


def expected_series(record: RunRecord, measure: str, run: int) -> Behind | None:
    """Return the curve behind ``measure`` on the axes number ``run``; None where nothing is known."""
    found = expected_curve(record, measure) if measure in EXPECTED else None
    if found is None or not (points := expected_points(record, found[0])):
        return None
    curve, unlike = found
    seconds = [point["seconds"] for point in points]
    axes = {
        "name": "forecast",
        "kimg": [_short(point["kimg"]) for point in points],
        "seconds": [] if None in seconds else [_short(s) for s in seconds],
        "events": [],
        "frames": [],
        "caption": "",
    }
    series: dict[str, Any] = {
        "label": "forecast",
        "run": run,
        "color": 10,  # dashed, as all from 8 on
        "floor": None,
        "values": [_short(point["value"]) for point in points],
    }
    if any(point["low"] is not None for point in points):
        series |= {side: [_short(point[side]) for point in points] for side in ("low", "high")}
    runs = len(curve.runs)
    source = f"Forecast: {'mean and range of ' * (runs > 1)}{runs} measured run{'s' * (runs > 1)}."
    return Behind(axes, series, " ".join([source, *unlike]))


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
