"""The data of the pages: curves as charts, and grids as pictures inside the page."""

from __future__ import annotations

import base64
import contextlib
import io
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facegan import xmp
from facegan.errors import InputError, ModelError
from facegan.families import get_family
from facegan.runs.expected import expected_series
from facegan.runs.record import RunRecord, number

MAX_FRAMES = 60  # grids in the page
MAX_BYTES = 5_500_000  # of all grids together, before base64 adds a third
MAX_SHEET_BYTES = 1 << 19  # of the sheet of labels, as it is
MAX_PIXELS = 20_000_000  # of grids that are encoded again: about a second of work
MAX_SIDE = 1600  # larger grids are halved until they fit
MAX_POINTS = 1000  # of one curve; longer ones are averaged over equal stretches


@dataclass(frozen=True)
class Chart:
    """One diagram: ``series`` are (key of stats.jsonl, label); ``scale`` multiplies the values.

    ``range`` fixes the ends of the vertical axis; None leaves an end to the values. ``floor`` is the key
    whose last value is drawn as a dotted line. Where the values span more than a factor of ``log`` the
    axis is logarithmic; 0 is never.
    """

    title: str
    series: tuple[tuple[str, str], ...]
    note: str = ""
    unit: str = ""
    scale: float = 1.0
    range: tuple[float | None, float | None] | None = None
    floor: str = ""
    log: float = 0.0


def _percent(
    title: str, series: tuple[tuple[str, str], ...], note: str, *, top: float | None = None
) -> Chart:
    return Chart(title, series, note, unit="%", scale=100.0, range=(0.0, top))


_DISTANCE = (
    "Against the val split (or train), in the metric's features; lower is better. Dotted: other "
    "real pictures."
)
CHARTS = (
    Chart(
        "Quality",
        (("quality", "generated"),),
        "Distance between generated and real pictures; lower is better. Dotted: other real pictures.",
        unit="distance",
        floor="quality_floor",
        log=10.0,
    ),
    Chart("FID", (("fid", "generated"),), _DISTANCE, floor="fid_real", log=10.0),
    Chart(
        "KID",
        (("kid", "generated"), ("kid_a_to_b", "a to b"), ("kid_b_to_a", "b to a")),
        _DISTANCE,
        floor="kid_real",
    ),
    Chart(
        "Precision and recall",
        (("precision", "precision"), ("recall", "recall")),
        "Share of the generated among the real, and of the real among the generated.",
        range=(0.0, 1.0),
    ),
    Chart(
        "Density and coverage",
        (("density", "density"), ("coverage", "coverage")),
        "How thickly real pictures lie around the generated, and the share of real ones with one close by.",
        range=(0.0, None),
    ),
    Chart(
        "Sliced Wasserstein distance",
        (("swd", "generated"),),
        "Of small patches at each size; lower is better. Dotted: other real pictures.",
        floor="swd_real",
    ),
    _percent(
        "Diversity",
        (("diversity", "generated"),),
        "How much the samples differ from each other; 100% is as much as real pictures do, 0% all the same.",
    ),
    _percent(
        "Learnt by heart",
        (("copied", "generated"),),
        "Share of the samples that are suspiciously near to a training picture; new pictures are at 5%.",
    ),
    Chart(
        "Losses",
        (("loss_g", "generator"), ("loss_d", "discriminator")),
        "What each network tries to make small. They pull against each other.",
    ),
    Chart(
        "Loss of the discriminator",
        (("loss_real", "on real"), ("loss_fake", "on generated")),
        "Its two halves. Both near 0: it is winning. Near 0 on real and huge on generated: it has given up.",
    ),
    Chart(
        "Loss of the heads",
        (("loss_projected_real", "on real"), ("loss_projected_fake", "on generated")),
        "Hinge losses of those that judge by a frozen network. Both near 1: they cannot tell; near 0: easy.",
    ),
    Chart(
        "Difference from the target",
        (("loss_l1", "training"), ("l1_held_out", "held out")),
        "Mean absolute difference of pixels in [-1, 1]; lower is better.",
        range=(0.0, None),
    ),
    Chart("Perceptual distance", (("perceptual", "results"),), "To the held-out targets; lower is better."),
    Chart(
        "PSNR",
        (("psnr", "results"),),
        "Of pixels, against the held-out targets; higher is better.",
        unit="dB",
    ),
    Chart("SSIM", (("ssim", "results"),), "Against the held-out targets; higher is better."),
    Chart("LPIPS", (("lpips", "results"),), "To the held-out targets; lower is better."),
    Chart(
        "There and back",
        (("loss_cycle", "training, both"), ("cycle_held_out", "held out, from the first domain")),
        "Mean absolute difference of pictures that were translated there and back.",
        range=(0.0, None),
    ),
    Chart(
        "Unchanged pictures", (("loss_identity", "both"),), "How much pictures of the target domain change."
    ),
    Chart(
        "Loss by the discriminator", (("loss_adversarial", "generator"),), "Its part of the generator's loss."
    ),
    Chart("Perceptual loss", (("loss_perceptual", "training"),), "Difference in a frozen network's maps."),
    _percent(
        "Accuracy of the discriminator",
        (("accuracy_real", "on real"), ("accuracy_fake", "on generated")),
        "Share of real and of generated pictures that it recognises as such.",
        top=100.0,
    ),
    Chart(
        "Adaptive augmentation",
        (("augment_p", "strength p"), ("augment_r", "overfitting r")),
        "r is the mean sign of the scores on real pictures: above its target (0.6 by default) p rises.",
    ),
    _percent(
        "Accuracy on separate batches",
        (("eval_accuracy_real", "on real"), ("eval_accuracy_fake", "on generated")),
        "The same on batches that are only judged, not learnt from, as the tutorials print it.",
        top=100.0,
    ),
    Chart(
        "Scores of the discriminator",
        (("score_real", "real"), ("score_fake", "generated")),
        "Mean logit: above 0 it says real, below 0 generated. The gap is its lead.",
    ),
    Chart(
        "Gradient penalty",
        (("r1", "R1, real"), ("r2", "R2, generated")),
        "Steepness of the discriminator around its pictures, which the penalty holds down.",
        range=(0.0, None),
    ),
    Chart(
        "Gradient norms",
        (("grad_g", "generator"), ("grad_d", "discriminator")),
        "Length of the gradient over all weights; a sudden rise announces trouble.",
        range=(0.0, None),
    ),
    Chart(
        "Speed",
        (("images_per_second", "real pictures"),),
        "Without drawing and saving.",
        unit="images/s",
        range=(0.0, None),
    ),
)
_PROGRESS = ("images_seen", "kimg", "seconds")
WATCHDOG = "watchdog:"  # how the text of an event begins that training's watchdog has caused


def charts_of(records: Sequence[RunRecord], awaited: str = "") -> list[tuple[Chart, list[str]]]:
    """Return the charts that any of the runs fills, with the keys found; unknown keys come last.

    ``awaited`` is a key that counts as found.
    """
    lines = [line for record in records for line in record.stats]
    found = dict.fromkeys(key for line in lines for key, value in line.items() if number(value) is not None)
    if awaited in (key for chart in CHARTS for key, _ in chart.series):
        found.setdefault(awaited)
    known = {key for chart in CHARTS for key, _ in chart.series} | {
        chart.floor for chart in CHARTS if chart.floor
    }
    others = [Chart(key, ((key, key),)) for key in found if key not in known and key not in _PROGRESS]
    rows = [(chart, [key for key, _ in chart.series if key in found]) for chart in [*CHARTS, *others]]
    return [(chart, keys) for chart, keys in rows if keys]


def page_data(record: RunRecord) -> dict[str, Any]:
    """Return the report's data: one run with its grids, and its charts."""
    charts, axes = run_charts(record)
    return {"runs": [run_data(record), *axes], "charts": charts, "linked": False}


def run_charts(record: RunRecord) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the charts of one run, and the axes of those curves in them that are not the run's own.

    Behind a measure that the recipe is known by lies its measured curve. That has axes of its own, which the
    page reads like those of another run.
    """
    charts: list[dict[str, Any]] = []
    axes: list[dict[str, Any]] = []
    awaited = str(record.config.get("metric", ""))  # its curve can be expected before the first measurement
    for chart, keys in charts_of([record], awaited):
        labels = dict(chart.series)
        series = [
            curve(record, 0, chart, key=key, label=labels[key], color=i)
            for i, key in enumerate(keys)
            if record.last(key) is not None
        ]
        note = chart.note
        for key in keys:
            if (behind := expected_series(record, key, len(axes) + 1)) is not None:
                axes.append(behind.axes)
                series.append(behind.series)
                note += f" {behind.note}"
        if series:
            charts.append(frame_of(replace(chart, note=note), chart.title, series))
    return charts, axes


def frame_of(chart: Chart, title: str, series: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a chart as the page's script reads it."""
    return {
        "title": title,
        "note": chart.note,
        "unit": chart.unit,
        "range": chart.range,
        "log": chart.log,
        "series": series,
    }


def run_data(record: RunRecord, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return the horizontal axes of a run's curves, its events, and its grids within ``max_bytes``."""
    return {**run_axes(record), "frames": frames(record.path / "samples", max_bytes)}


def run_axes(record: RunRecord) -> dict[str, Any]:
    """Return the horizontal axes of a run's curves, its events, and what its grids show."""
    parts = buckets(record)
    seconds = [number(part[-1].get("seconds")) for part in parts]
    return {
        "name": record.name,
        "kimg": [part[-1]["images_seen"] / 1000 for part in parts],
        "seconds": [] if None in seconds else seconds,
        "events": [event(e) for e in record.events],
        "caption": _caption(record),
    }


def _caption(record: RunRecord) -> str:
    """Return what the sheets of a run show."""
    with suppress(ModelError):  # a family that was registered elsewhere
        if text := get_family(str(record.config.get("family", "dcgan"))).caption:
            return text
    seeds = number(record.config.get("grid_count"))
    return f"Seeds 0 to {seeds - 1:g} in order, row by row; none chosen." if seeds else ""


def event(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of events.jsonl as the page's script reads it."""
    text = str(line.get("text", ""))
    return {"kimg": line["images_seen"] / 1000, "text": text, "alarm": text.startswith(WATCHDOG)}


def curve(record: RunRecord, run: int, chart: Chart, *, key: str, label: str, color: int) -> dict[str, Any]:
    """Return one series, whose values lie at the axes of the page's run number ``run``."""
    floor = record.last(chart.floor) if chart.floor else None
    return {
        "label": label,
        "run": run,
        "color": color,
        "floor": None if floor is None else chart.scale * floor,
        "values": [_mean(part, key, chart.scale) for part in buckets(record)],
    }


def buckets(record: RunRecord) -> list[list[dict[str, Any]]]:
    """Return the lines in at most ``MAX_POINTS`` equal stretches."""
    per = max(1, -(-len(record.stats) // MAX_POINTS))
    return [record.stats[i : i + per] for i in range(0, len(record.stats), per)]


def _mean(lines: Iterable[dict[str, Any]], key: str, scale: float) -> float | None:
    values = [v for v in (number(line.get(key)) for line in lines) if v is not None]
    return float(f"{scale * sum(values) / len(values):.5g}") if values else None


def pick(items: Sequence[Any], count: int) -> list[Any]:
    """Return at most ``count`` items, evenly spaced, with the first (if two or more) and the last."""
    if len(items) <= count:
        return list(items)
    if count < 2:
        return list(items[-1:])
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def grid_files(folder: Path) -> dict[float, Path]:
    """Return the grids in ``folder`` by kimg."""
    found = {}
    for file in folder.glob("*kimg.png"):
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)kimg\.png", file.name):
            found[float(match[1])] = file
    return found


def frames(folder: Path, max_bytes: int = MAX_BYTES) -> list[dict[str, Any]]:
    """Return kimg and data URI of the grids in ``folder``, within ``max_bytes`` and the limits above."""
    chosen = pick(sorted(grid_files(folder).items()), MAX_FRAMES)
    encode = _png
    if sum(file.stat().st_size for _, file in chosen) > max_bytes:
        last = chosen[-1][1]
        chosen = pick(chosen, max(1, MAX_PIXELS * max_bytes // MAX_BYTES // max(_pixels(last), 1)))
        fine = _fine_jpeg(last)
        encode = _fine_jpeg if fine and len(fine[1]) * len(chosen) <= max_bytes else _jpeg
    encoded = [(kimg, *content) for kimg, file in chosen if (content := encode(file))]
    while len(encoded) > 1 and (size := sum(len(content) for *_, content in encoded)) > max_bytes:
        encoded = pick(encoded, min(len(encoded) - 1, len(encoded) * max_bytes // size))
    return [
        {"kimg": kimg, "uri": f"data:image/{kind};base64,{base64.b64encode(content).decode()}"}
        for kimg, kind, content in encoded
    ]


def picture_uri(file: Path) -> str:
    """Return the picture of a file inside a data URI, as JPEG where the file is large; "" for none."""
    if not file.is_file():
        return ""
    content = _fine_jpeg(file) if file.stat().st_size > MAX_SHEET_BYTES else _png(file)
    if content is None:
        return ""
    return f"data:image/{content[0]};base64,{base64.b64encode(content[1]).decode()}"


def _pixels(file: Path) -> int:
    """Return width times height; 0 if the file is no picture."""
    from PIL import Image

    try:
        with Image.open(file) as opened:
            return opened.width * opened.height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0


def _png(file: Path) -> tuple[str, bytes] | None:
    """Return the file as it is, if it is whole."""
    content = file.read_bytes()
    return ("png", content) if content.startswith(b"\x89PNG") and b"IEND" in content[-12:] else None


def _fine_jpeg(file: Path) -> tuple[str, bytes] | None:
    return _jpeg(file, quality=85, subsampling=0)


def _jpeg(file: Path, quality: int = 80, subsampling: int = 2) -> tuple[str, bytes] | None:
    from PIL import Image

    try:
        with Image.open(file) as opened:
            picture = opened.convert("L" if opened.mode == "L" else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    while max(picture.size) > MAX_SIDE:
        picture = picture.reduce(2)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return "jpeg", xmp.embed(buffer.getvalue(), _packet(file))


def _packet(file: Path) -> bytes:
    """Return the mark of a picture for its copy; a damaged one, or one too long for JPEG, is left out."""
    with contextlib.suppress(InputError):
        packet = xmp.find(file) or b""
        return packet if len(packet) <= xmp.MAX_JPEG else b""
    return b""
