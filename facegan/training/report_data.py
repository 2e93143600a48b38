"""What the report page draws: curves as charts, and grids as pictures inside the page."""

from __future__ import annotations

import base64
import io
import math
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_FRAMES = 60  # grids in the page
MAX_BYTES = 5_500_000  # of all grids together, before base64 adds a third
MAX_PIXELS = 20_000_000  # of grids that are encoded again: about a second of work
MAX_SIDE = 1600  # larger grids are halved until they fit
MAX_POINTS = 1000  # of one curve; longer ones are averaged over equal stretches


@dataclass(frozen=True)
class Chart:
    """One diagram: ``series`` are (key of stats.jsonl, label); ``scale`` multiplies the values.

    ``range`` fixes the ends of the vertical axis; None leaves an end to the values.
    """

    title: str
    series: tuple[tuple[str, str], ...]
    note: str = ""
    unit: str = ""
    scale: float = 1.0
    range: tuple[float | None, float | None] | None = None


CHARTS = (
    Chart(
        "Losses",
        (("loss_g", "generator"), ("loss_d", "discriminator")),
        "What each network tries to make small. They pull against each other.",
    ),
    Chart(
        "Accuracy of the discriminator",
        (("accuracy_real", "on real"), ("accuracy_fake", "on generated")),
        "Share of real and of generated pictures that it recognises as such.",
        "%", 100.0, (0.0, 100.0),
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
        "images/s", range=(0.0, None),
    ),
)  # fmt: skip
_PROGRESS = ("images_seen", "kimg", "seconds")


def number(value: Any) -> float | None:
    """A finite number as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def page_data(
    run: Path, config: dict[str, Any], stats: list[dict[str, Any]], events: list[dict]
) -> dict[str, Any]:
    per = max(1, -(-len(stats) // MAX_POINTS))
    buckets = [stats[i : i + per] for i in range(0, len(stats), per)]
    named = {key for chart in CHARTS for key, _ in chart.series}
    found = dict.fromkeys(key for line in stats for key, value in line.items() if number(value) is not None)
    others = [Chart(key, ((key, key),)) for key in found if key not in named and key not in _PROGRESS]
    charts: list[dict[str, Any]] = []
    for chart in [*CHARTS, *others]:
        series = [
            {"label": label, "values": [_mean(b, key, chart.scale) for b in buckets]}
            for key, label in chart.series
            if key in found
        ]
        if series:
            charts.append(
                {"id": len(charts), "title": chart.title, "note": chart.note, "unit": chart.unit,
                 "range": chart.range, "series": series}
            )  # fmt: skip
    seconds = [number(b[-1].get("seconds")) for b in buckets]
    seeds = number(config.get("grid_count"))
    return {
        "kimg": [b[-1]["images_seen"] / 1000 for b in buckets],
        "seconds": [] if None in seconds else seconds,
        "charts": charts,
        "events": [{"kimg": e["images_seen"] / 1000, "text": str(e.get("text", ""))} for e in events],
        "frames": frames(run / "samples"),
        "caption": f"Seeds 0 to {seeds - 1:g} in order, row by row; none chosen." if seeds else "",
    }


def _mean(lines: Iterable[dict[str, Any]], key: str, scale: float) -> float | None:
    values = [v for v in (number(line.get(key)) for line in lines) if v is not None]
    return float(f"{scale * sum(values) / len(values):.5g}") if values else None


def pick(items: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` of ``items``, evenly spaced, with the first (if two or more) and the last."""
    if len(items) <= count:
        return list(items)
    if count < 2:
        return list(items[-1:])
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def frames(folder: Path) -> list[dict[str, Any]]:
    """``kimg`` and data URI of the grids in ``folder``, by progress, within the limits above."""
    found = {}
    for file in folder.glob("*kimg.png"):
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)kimg\.png", file.name):
            found[float(match[1])] = file
    chosen = pick(sorted(found.items()), MAX_FRAMES)
    encode = _png
    if sum(file.stat().st_size for _, file in chosen) > MAX_BYTES:
        last = chosen[-1][1]
        chosen = pick(chosen, max(1, MAX_PIXELS // max(_pixels(last), 1)))
        fine = _fine_jpeg(last)
        encode = _fine_jpeg if fine and len(fine[1]) * len(chosen) <= MAX_BYTES else _jpeg
    encoded = [(kimg, *content) for kimg, file in chosen if (content := encode(file))]
    while len(encoded) > 1 and (size := sum(len(content) for *_, content in encoded)) > MAX_BYTES:
        encoded = pick(encoded, min(len(encoded) - 1, len(encoded) * MAX_BYTES // size))
    return [
        {"kimg": kimg, "uri": f"data:image/{kind};base64,{base64.b64encode(content).decode()}"}
        for kimg, kind, content in encoded
    ]


def _pixels(file: Path) -> int:
    """Width times height from the head of a PNG file; 0 if it is none."""
    with file.open("rb") as handle:
        head = handle.read(24)
    if len(head) < 24 or not head.startswith(b"\x89PNG"):
        return 0
    width, height = struct.unpack(">II", head[16:24])
    return width * height


def _png(file: Path) -> tuple[str, bytes] | None:
    """The file as it is, if it is whole."""
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
    return "jpeg", buffer.getvalue()
