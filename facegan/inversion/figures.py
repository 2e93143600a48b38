"""Figures and films of an inversion: pairs, curves, the way there, and losses side by side."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from facegan import figures
from facegan.generator import Generator
from facegan.inversion.results import Inversion

PATH_PICTURES = 40  # 10 x 4, as in the tutorial
MAX_PAIRS = 100
MAX_LINES = 8
WIDE = 768  # px of a film


def pairs_figure(done: Inversion) -> np.ndarray:
    """Return photos beside the pictures found (and the tuned generator's), with their squared errors."""
    tuned = done.tuned
    names, heads = done.names[:MAX_PAIRS], ["photo", "found", *(["tuned"] if tuned else [])]
    across = max(1, round(len(names) ** 0.5 * 0.6))

    def tile(picture: np.ndarray, label: str) -> np.ndarray:
        return figures.tile(figures.magnified(picture[None], max(3, across * len(heads)))[0], label)

    rows = []
    for i, name in enumerate(names):
        row = [tile(done.photos[i], name), tile(done.pictures[i], f"MSE {done.errors['mse'][i]:.4f}")]
        if tuned:
            picture = tuned.get(name, done.pictures[i])
            error = np.square((picture.astype(float) - done.photos[i]) / 127.5).mean()
            row.append(tile(picture, f"MSE {error:.4f}"))
        rows.append(row)
    grouped = [[b for row in rows[i : i + across] for b in row] for i in range(0, len(rows), across)]
    return figures.table([("", group) for group in grouped], heads * min(across, len(rows)))


def curve_figure(curves: np.ndarray, names: Sequence[str], title: str) -> bytes:
    """Return a PNG of losses ``steps+1,N``: a line for each of a few photos, else also the median."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    if len(names) <= MAX_LINES:
        draw_curves(axes, {name: curves[:, i] for i, name in enumerate(names)})
    else:
        axes.plot(curves[:, :MAX_PAIRS], color="C0", linewidth=0.5, alpha=0.4)
        draw_curves(axes, {f"median of {len(names)}": np.median(curves, 1)})
    axes.set_title(title, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_curves(axes: Any, curves: Mapping[str, np.ndarray], relative: bool = False) -> None:
    """Draw curves into matplotlib's axes; ``relative`` to each one's first value, to compare losses."""
    from matplotlib.ticker import MaxNLocator

    for name, values in curves.items():
        values = np.where(np.isfinite(values), values, np.nan)
        label = figures.spelled(name)
        axes.plot(values / values[0] if relative else values, linewidth=1.5, label=label)
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("loss, of the first" if relative else "loss")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)


def path_pictures(model: Generator, done: Inversion, index: int) -> tuple[list[int], np.ndarray]:
    """Return the steps and the pictures of one photo's way."""
    return done.snapshot_steps, model.images(done.snapshots[:, index])


def path_figure(steps: Sequence[int], pictures: np.ndarray) -> np.ndarray:
    """Return the tutorial's 10x4 figure: 40 pictures of the way, evenly spaced where there are more."""
    rows = np.linspace(0, len(steps) - 1, min(PATH_PICTURES, len(steps))).round().astype(int)
    large = figures.magnified(pictures[rows], 10)
    return figures.labelled_grid(large, [f"step {steps[r]}" for r in rows], 10)


def film_frames(done: Inversion, index: int, pictures: np.ndarray, *, hold: int) -> Iterator[np.ndarray]:
    """Yield the photo beside the pictures of the way, the last one for a while."""
    for picture in [*pictures, *[done.pictures[index]] * hold]:
        yield np.concatenate(figures.magnified(np.stack([done.photos[index], picture]), 2, 0, wide=WIDE), 1)


def compare_figure(done: dict[str, Inversion]) -> bytes:
    """Return a PNG of the photo, each loss's result with its errors, and all curves."""
    from matplotlib.figure import Figure

    first = next(iter(done.values()))
    columns = len(done) + 1
    figure = Figure(figsize=(max(6.0, 2.2 * columns), 6), dpi=120, layout="constrained")
    grid = figure.add_gridspec(2, columns)
    cells = [("photo", first.photos[0], "")] + [
        (name, d.pictures[0], f"MAE {d.errors['mae'][0]:.4f}\nMSE {d.errors['mse'][0]:.4f}")
        for name, d in done.items()
    ]
    for i, (title, picture, text) in enumerate(cells):
        axes = figure.add_subplot(grid[0, i])
        axes.imshow(figures.colour(picture), interpolation="bicubic")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(text, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    draw_curves(figure.add_subplot(grid[1, :]), {name: d.curves[:, 0] for name, d in done.items()}, True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
