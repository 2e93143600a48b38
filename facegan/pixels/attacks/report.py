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
from facegan.files import write_bytes, writing
from facegan.pixels.attacks.figure import amplified, fitting
from facegan.pixels.attacks.result import AttackResult
from facegan.runs.page import style

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


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
    curves = [[list(point) for point in r.curve] for r in results]
    photos = [{**row, "curve": curve} for row, curve in zip(rows(results), curves, strict=True)]
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


def _picture(pixels: Any) -> str:
    data = base64.b64encode(images.png_bytes(fitting(pixels, 220))).decode()
    return f'<img alt="" src="data:image/png;base64,{data}">'


def _as_page(results: Sequence[AttackResult]) -> bytes:
    heads = ("photo", "attacked", "difference", "")
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
        f'<h1>{html.escape(title)}</h1><p class="sub">{html.escape(results[0].model)}; each was checked on '
        f'the PNG file, read again</p><div class="wide"><table><thead><tr>{top}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></body></html>"
    ).encode()


REPORTS: dict[str, Callable[[Sequence[AttackResult]], bytes]] = {
    ".html": _as_page,
    ".json": _as_json,
    ".csv": _as_csv,
}


def write_report(path: str, results: Sequence[AttackResult]) -> None:
    """Write a table of results in the format that the ending of ``path`` names."""
    with writing("--report", path):
        write_bytes(path, REPORTS[Path(path).suffix.lower()](results))
