"""The page of an evaluation: numbers, pictures, and the nearest training pictures. It needs nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan.images import enlarge, grid, png_bytes
from facegan.runs.page import style, table

if TYPE_CHECKING:
    from facegan.metrics.evaluate import Evaluation

ARROWS = {"lower": "lower is better", "higher": "higher is better", "equal": "like real is best"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_SIDE = 8  # pictures in each direction of the two grids


def render_page(done: Evaluation) -> bytes:
    """HTML of one file. It shows real pictures of the dataset: for whoever may see them."""
    title = f"{done.subject.name}, measured"
    parts = [
        f"<h1>{html.escape(done.subject.name)}</h1>",
        f'<p class="sub">{done.subject.count} pictures against {html.escape(done.against.name)} '
        f"({done.against.count}), features {html.escape(done.table.key)}</p>",
        _headline(done),
        "".join(f"<p class=soft>{html.escape(w[:1].upper() + w[1:])}.</p>" for w in done.warnings),
        "<h2>Every metric</h2>",
        '<div class="card results">',
        _table(done),
        "</div>",
        '<p class="soft">The column "real" is what other real pictures get in the place of the generated '
        "ones: nobody does better but by chance or by heart.</p>",
        '<h2>Pictures</h2><div class="players">',
        _figure("Measured", grid(_scaled(done.subject.spaced(_SIDE**2)), _SIDE)),
        _figure("Real", grid(_scaled(done.against.spaced(_SIDE**2)), _SIDE)),
        "</div>",
        _nearest(done),
        _notes(done),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{style()}</style></head>'
        f"<body>{''.join(parts)}</body></html>"
    ).encode()


def _headline(done: Evaluation) -> str:
    name = done.headline
    if not name:
        return ""
    value = next(v for n, v in described(done) if n == name)
    real = shown(done.real, name, value.digits, interval=False)
    compared = f" Real pictures get {real}." if real else ""
    return (
        f'<p class="card verdict"><b>{value.title} {shown(done.values, name, value.digits)}</b> '
        f"{html.escape(value.reading)} Lower is better.{compared}</p>"
    )


def _table(done: Evaluation) -> str:
    rows: list[Sequence[Any]] = [
        (
            value.title,
            shown(done.values, name, value.digits),
            shown(done.real, name, value.digits, interval=False) or "–",
            ARROWS[value.better],
            value.reading,
        )
        for name, value in described(done)
    ]
    return table(rows, ("", "measured", "real", "", "what it says"), wide=True)


def _nearest(done: Evaluation) -> str:
    """The ten samples nearest to training pictures, each above its picture."""
    if not done.pairs or done.train is None:
        return ""
    samples = done.subject.at(np.array([p[0] for p in done.pairs]))
    trained = done.train.at(np.array([p[1] for p in done.pairs]))
    rows = [part[i : i + 5] for i in range(0, len(samples), 5) for part in (samples, trained)]
    sheet = grid(_scaled(np.concatenate(rows)), min(5, len(samples)))
    distances = ", ".join(f"{p[2]:.2f}" for p in done.pairs)
    words = (
        "In each pair of rows above the samples that are nearest, below the training pictures that they are "
        "nearest to. The same face twice, pose and background included, is learnt by heart."
    )
    figure = _figure(f"Distances {distances}", sheet)
    return f"<h2>Nearest to the training pictures</h2><p>{words}</p>{figure}"


def _notes(done: Evaluation) -> str:
    rows = [(name, f"{seconds:.1f} s") for name, seconds in done.seconds.items()]
    return f'<details class="card"><summary>Time</summary>{table(rows)}</details>'


def _scaled(pictures: np.ndarray) -> np.ndarray:
    """Small pictures enlarged to about 64 px."""
    factor = max(1, 64 // pictures.shape[1])
    return np.stack([enlarge(p, factor) for p in pictures]) if factor > 1 else pictures


def _figure(caption: str, sheet: np.ndarray) -> str:
    uri = base64.b64encode(png_bytes(sheet)).decode()
    return (
        f'<figure class="card"><figcaption><b>{html.escape(caption)}</b></figcaption>'
        f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{uri}"></figure>'
    )


def described(done: Evaluation) -> list[tuple[str, Any]]:
    """(name, Value) of every number that was measured, in the table's order."""
    from facegan.metrics.registry import METRICS

    known = [pair for metric in METRICS.values() for pair in metric.values.items()]
    return [(name, value) for name, value in known if name in done.values]


def shown(values: dict[str, Any], name: str, digits: int, *, interval: bool = True) -> str:
    if name not in values:
        return ""
    out = f"{values[name]:.{digits}f}"
    if interval and f"{name}_low" in values:
        out += f" ({values[f'{name}_low']:.{digits}f} to {values[f'{name}_high']:.{digits}f})"
    return out
