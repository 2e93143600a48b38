"""Results of attacks as figures, and as a table: a page that needs nothing else, JSON or CSV."""

from __future__ import annotations

import csv
import html
import io
import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegan import images
from facegan.classifiers.face_classes import cut
from facegan.files import write_bytes, writing
from facegan.marks import Mark
from facegan.pixels.attacks.result import AttackResult
from facegan.runs.page import document

_GREY, _BLUE, _RED = "#8a8f98", "#2f6db3", "#c8452f"


def amplified(result: AttackResult) -> tuple[np.ndarray, int]:
    """Return the difference on mid-grey, and the factor that makes the largest change visible."""
    difference = result.image.astype(np.int16) - result.original
    factor = max(1, 127 // max(1, int(np.abs(difference).max())))
    return (128 + factor * difference).clip(0, 255).astype(np.uint8), factor


def draw(result: AttackResult) -> np.ndarray:
    """Draw photo, result, difference, below them the top five classes, and the curve; uint8 ``H,W,3``.

    If the classifier sees only faces, the pictures show the face.
    """
    from matplotlib.figure import Figure

    difference, factor = amplified(result)
    original, image = result.seen
    height, width = image.shape[:2]
    row = 3.7 * min(max(height / width, 0.5), 1.4)
    drawn: Any = Figure(figsize=(11.5, row + 2.9), dpi=100, layout="constrained")
    (*pictures,), (before, after, curve) = drawn.subplots(2, 3, height_ratios=(row, 2.3))
    shown = {"photo": original, "attacked": image, f"difference × {factor}": cut(difference, result.window)}
    for axis, (title, picture) in zip(pictures, shown.items(), strict=True):
        axis.imshow(images.shrink(picture, 380, "bilinear"), interpolation="none")  # as large as it is shown
        axis.set_title(title, fontsize=11)
        axis.axis("off")
    _bars(before, result, result.before, title="before")
    _bars(after, result, result.after, title="after")
    _curve(curve, result)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", facecolor="white")
    return images.read_image(buffer.getvalue())


def _class_colour(result: AttackResult, index: int) -> str:
    wanted = result.target if result.target >= 0 else result.said
    return _BLUE if index == result.source else _RED if index == wanted else _GREY


def _wrap(text: str, most: int = 24) -> str:
    """Break a text into at most two lines: classes of faces differ in their last words."""
    lines = textwrap.wrap(text, most, max_lines=2, placeholder=" …") or [""]
    return "\n".join(lines).replace("$", r"\$")  # else what stands between two of them is read as mathematics


def _bars(axis: Any, result: AttackResult, rows: list[tuple[int, float]], *, title: str) -> None:
    names = [_wrap(result.labels[i]) for i, _ in rows]
    places = range(len(rows))
    axis.barh(places, [p for _, p in rows], color=[_class_colour(result, i) for i, _ in rows], height=0.62)
    for place, (_, p) in zip(places, rows, strict=True):
        axis.text(p + 0.015, place, f"{p:.1%}", va="center", fontsize=8.5)
    axis.set_yticks(places, names, fontsize=9)
    axis.invert_yaxis()
    axis.set_xlim(0, 1.15)
    axis.set_xticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)


def _curve(axis: Any, result: AttackResult) -> None:
    steps = range(len(result.curve))
    dots = "o" if len(steps) <= 60 else ""
    for values, colour, name in (
        ([source for _, source in result.curve], _BLUE, result.labels[result.source]),
        ([reached for reached, _ in result.curve], _RED, result.target_name or "best other class"),
    ):
        axis.plot(steps, values, color=colour, label=_wrap(name), marker=dots, markersize=3.5, linewidth=1.6)
    axis.set_ylim(-0.03, 1.03)
    axis.set_yticks([0, 0.5, 1], ["0", "50%", "100%"], fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlim(0, max(1, len(steps) - 1))
    if len(steps) <= 11:
        axis.set_xticks(list(range(max(2, len(steps)))))
    axis.set_xlabel("step", fontsize=9)
    axis.set_title("probability", fontsize=10)
    axis.legend(fontsize=8.5, frameon=False, loc="best")
    axis.spines[["top", "right"]].set_visible(False)


def rows(results: Sequence[AttackResult]) -> list[dict[str, Any]]:
    """Return one flat row per photo; changes are in levels of 255 (linf) and in [0, 1] (l2)."""
    return [
        {
            "photo": r.name,
            "picture": str(r.path or ""),
            "before": r.labels[r.source],
            "before_probability": round(r.before[0][1], 5),
            "target": r.target_name,
            "after": r.labels[r.said],
            "after_probability": round(r.after[0][1], 5),
            "reached": r.success,
            "steps": r.steps,
            "linf_levels": round(r.linf * 255),
            "l2": round(r.l2, 4),
            "pixels_changed": round(r.changed, 5),
            **{f"survives_{name}": share for name, share in r.survived.items()},
        }
        for r in results
    ]


def _as_json(results: Sequence[AttackResult]) -> bytes:
    photos = [{**row, "curve": r.curve} for row, r in zip(rows(results), results, strict=True)]
    reached = sum(r.success for r in results)
    return json.dumps(
        {"model": results[0].model, "reached": reached, "count": len(results), "photos": photos}, indent=1
    ).encode()


def _as_csv(results: Sequence[AttackResult]) -> bytes:
    table = rows(results)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def _picture(pixels: Any, mark: Mark | None = None) -> str:
    data = images.base64_png(images.shrink(pixels, 220, "bilinear"), mark)
    return f'<img alt="" src="data:image/png;base64,{data}">'


def _as_page(results: Sequence[AttackResult]) -> bytes:
    body = []
    for result, row in zip(results, rows(results), strict=True):
        difference, factor = amplified(result)
        facts = [
            f"<b>{html.escape(row['photo'])}</b>",
            f"{html.escape(row['before'])} {row['before_probability']:.1%}",
            f"→ {html.escape(row['after'])} {row['after_probability']:.1%}",
            "reached" if row["reached"] else f"not reached: {html.escape(row['target'] or 'any other')}",
            f"{row['steps']} steps; largest change {row['linf_levels']}/255; L2 {row['l2']:.2f}",
            f"difference × {factor}",
            *(f"{k.replace('_', ' ')}: {v:.0%}" for k, v in row.items() if k.startswith("survives_")),
        ]
        cells = [_picture(result.original), *(_picture(p, result.mark) for p in (result.image, difference))]
        body.append("<tr>" + "".join(f"<td>{c}</td>" for c in [*cells, "<br>".join(facts)]) + "</tr>")
    reached = sum(r.success for r in results)
    title = f"{reached} of {len(results)} photos reached their target"
    top = "".join(f"<th scope=col>{h}</th>" for h in ("photo", "attacked", "difference", ""))
    return document(
        html.escape(title),
        f'<h1>{html.escape(title)}</h1><p class="sub">{html.escape(results[0].model)}; each was checked on '
        f'the PNG file, read again</p><div class="wide"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>",
        css="td{vertical-align:top} td img{display:block;max-width:100%}",
    )


_Format = Callable[[Sequence[AttackResult]], bytes]
REPORTS: dict[str, _Format] = {".html": _as_page, ".json": _as_json, ".csv": _as_csv}


def write_report(path: str, results: Sequence[AttackResult]) -> None:
    """Write a table of results in the format that the ending of ``path`` names."""
    with writing("--report", path):
        write_bytes(path, REPORTS[Path(path).suffix.lower()](results))
