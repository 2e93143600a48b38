"""A table of attacked photos, as a page that needs nothing else, as JSON or as CSV."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from facegan import images
from facegan.files import write_bytes
from facegan.pixels.attacks.attack import AttackResult
from facegan.pixels.attacks.figure import _fitting, amplified
from facegan.pixels.classifiers import Classifier
from facegan.runs.page import style

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def rows(
    classifier: Classifier, results: Sequence[AttackResult], survived: Sequence[dict[str, float]],
    places: Sequence[str],
) -> list[dict[str, Any]]:  # fmt: skip
    """One flat row a photo; changes are in levels of 255 (linf) and in [0, 1] (l2)."""
    return [
        {
            "photo": r.name, "picture": place, "before": classifier.short_label(r.source),
            "before_probability": round(r.before[0][1], 5),
            "target": classifier.short_label(r.target) if r.target >= 0 else "",
            "after": classifier.short_label(r.said), "after_probability": round(r.after[0][1], 5),
            "reached": r.success, "steps": r.steps, "linf_levels": round(r.linf * 255),
            "l2": round(r.l2, 4), "pixels_changed": round(r.changed, 5),
            **{f"survives_{name}": share for name, share in lasting.items()},
        }
        for r, lasting, place in zip(results, survived, places, strict=False)
    ]  # fmt: skip


def _as_json(classifier: Classifier, results: Sequence[AttackResult], table: list[dict[str, Any]]) -> bytes:
    curves = [[list(point) for point in r.curve] for r in results]
    photos = [{**row, "curve": curve} for row, curve in zip(table, curves, strict=True)]
    reached = sum(r.success for r in results)
    return json.dumps(
        {"model": classifier.name, "reached": reached, "count": len(results), "photos": photos}, indent=1
    ).encode()


def _as_csv(classifier: Classifier, results: Sequence[AttackResult], table: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(table[0]) if table else ["photo"])
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def _picture(pixels: Any) -> str:
    data = base64.b64encode(images.png_bytes(_fitting(pixels, 220))).decode()
    return f'<img alt="" src="data:image/png;base64,{data}">'


def _as_page(classifier: Classifier, results: Sequence[AttackResult], table: list[dict[str, Any]]) -> bytes:
    heads = ("photo", "attacked", "difference", "")
    body = []
    for result, row in zip(results, table, strict=True):
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
        cells = [_picture(p) for p in (result.original, result.image, difference)]
        body.append("<tr>" + "".join(f"<td>{c}</td>" for c in [*cells, "<br>".join(facts)]) + "</tr>")
    reached = sum(r.success for r in results)
    title = f"{reached} of {len(results)} photos reached their target"
    top = "".join(f"<th scope=col>{h}</th>" for h in heads)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{style()}'
        "td{vertical-align:top} td img{display:block;max-width:100%}</style></head><body>"
        f'<h1>{html.escape(title)}</h1><p class="sub">{html.escape(classifier.name)}; each was checked on '
        f'the PNG file, read again</p><div class="wide"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></body></html>"
    ).encode()


REPORTS: dict[str, Callable[[Classifier, Sequence[AttackResult], list[dict[str, Any]]], bytes]] = {
    ".html": _as_page,
    ".json": _as_json,
    ".csv": _as_csv,
}


def write_report(
    path: str, classifier: Classifier, results: Sequence[AttackResult], survived: Sequence[dict[str, float]],
    places: Sequence[str],
) -> None:  # fmt: skip
    """By the ending of ``path``."""
    table = rows(classifier, results, survived, places)
    write_bytes(path, REPORTS[Path(path).suffix.lower()](classifier, results, table))
