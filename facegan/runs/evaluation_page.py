"""The page of an evaluation: numbers, pictures, and the nearest training pictures. It needs nothing else."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import numpy as np

from facegan.files import check_ending, write_bytes, writing
from facegan.images import base64_png, enlarge, grid
from facegan.marks import COMPOSITE, Mark, made
from facegan.metrics.evaluation import BETTER, Evaluation
from facegan.runs.page import document, table

_SIDE = 8  # pictures in each direction of the two grids


def write_evaluation(done: Evaluation, path: str | Path, *, mark: bool = True) -> None:
    """Write the page ``path`` (.html) on an evaluation. It shows real pictures of the dataset.

    ``mark`` says whether its generated pictures say that they are.
    """
    check_page(path)
    with writing("--page", str(path)):
        write_bytes(path, render_page(done, mark=mark))


def check_page(path: str | Path) -> None:
    """Raise InputError where a page's name does not end in .html."""
    check_ending("--page", str(path), (".html", ".htm"))


def render_page(done: Evaluation, *, mark: bool = True) -> bytes:
    """Return the page, one file that needs nothing else."""
    title, model = f"{done.subject.name}, measured", done.subject.generator
    note = None if model is None else made(model.hash, mark=mark)
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
        _figure("Measured", grid(_scaled(done.subject.spaced(_SIDE**2)), _SIDE), note),
        _figure("Real", grid(_scaled(done.against.spaced(_SIDE**2)), _SIDE)),
        "</div>",
        _nearest(done, note),
        _notes(done),
    ]
    return document(html.escape(title), "".join(parts))


def _headline(done: Evaluation) -> str:
    if not done.headline:
        return ""
    _, value, measured, real = next(row for row in done.rows() if row[0] == done.headline)
    compared = f" Real pictures get {real}." if real else ""
    return (
        f'<p class="card verdict"><b>{value.title} {measured}</b> '
        f"{html.escape(value.reading)} Lower is better.{compared}</p>"
    )


def _table(done: Evaluation) -> str:
    rows = [
        (value.title, measured, real or "–", BETTER[value.better], value.reading)
        for _, value, measured, real in done.rows()
    ]
    return table(rows, ("", "measured", "real", "", "what it says"), wide=True)


def _nearest(done: Evaluation, mark: Mark | None) -> str:
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
    mixed = None if mark is None else replace(mark, source=COMPOSITE)  # photos stand beside
    figure = _figure(f"Distances {distances}", sheet, mixed)
    return f"<h2>Nearest to the training pictures</h2><p>{words}</p>{figure}"


def _notes(done: Evaluation) -> str:
    rows = [(name, f"{seconds:.1f} s") for name, seconds in done.seconds.items()]
    return f'<details class="card"><summary>Time</summary>{table(rows)}</details>'


def _scaled(pictures: np.ndarray) -> np.ndarray:
    """Small pictures enlarged to about 64 px."""
    factor = max(1, 64 // pictures.shape[1])
    return np.stack([enlarge(p, factor) for p in pictures]) if factor > 1 else pictures


def _figure(caption: str, sheet: np.ndarray, mark: Mark | None = None) -> str:
    return (
        f'<figure class="card"><figcaption><b>{html.escape(caption)}</b></figcaption>'
        f'<img alt="{html.escape(caption)}" src="data:image/png;base64,{base64_png(sheet, mark)}"></figure>'
    )
