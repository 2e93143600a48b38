"""What an inversion leaves on the disk: tables, pictures, curves, paths, films; and parts to resume from."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import figures
from facegan.files import write_bytes
from facegan.generator import Generator
from facegan.inversion.config import InvertConfig
from facegan.inversion.invert import COLUMNS, Inversion
from facegan.inversion.targets import Photo
from facegan.vectors import Vectors

PATH_PICTURES = 40  # 10 x 4, as in the tutorial
MOST_IN_PAIRS = 100
MOST_LINES = 8
WIDE = 768  # px of a film


def errors_csv(done: Inversion, more: Mapping[str, Sequence[float]] | None = None) -> bytes:
    """One row a photo: its name and errors."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    extra = more or {}
    table.writerow(["name", *COLUMNS, *extra])
    for i, name in enumerate(done.names):
        values = [done.errors[c][i] for c in COLUMNS] + [extra[c][i] for c in extra]
        table.writerow([name, *(f"{value:.6g}" for value in values)])
    return text.getvalue().encode()


def pairs_figure(done: Inversion, tuned: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """Photos beside what was found (and beside the tuned generator's picture), with their squared errors."""
    names, heads = done.names[:MOST_IN_PAIRS], ["photo", "found", *(["tuned"] if tuned else [])]
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
    """PNG of losses ``steps+1,N`` against steps: a line for each of a few photos, else the median, too."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.subplots()
    if len(names) <= MOST_LINES:
        draw_curves(axes, {name: curves[:, i] for i, name in enumerate(names)})
    else:
        axes.plot(curves[:, :MOST_IN_PAIRS], color="C0", linewidth=0.5, alpha=0.4)
        draw_curves(axes, {f"median of {len(names)}": np.median(curves, 1)})
    axes.set_title(title, fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def draw_curves(axes: Any, curves: Mapping[str, np.ndarray], relative: bool = False) -> None:
    """Into matplotlib's axes; ``relative`` to each curve's first value, so that losses can be compared."""
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
    """Steps and pictures of one photo's way."""
    return done.snapshot_steps, model.images(done.snapshots[:, index])


def path_figure(steps: Sequence[int], pictures: np.ndarray) -> np.ndarray:
    """The tutorial's 10x4 figure: 40 pictures of the way, evenly spaced where there are more."""
    rows = np.linspace(0, len(steps) - 1, min(PATH_PICTURES, len(steps))).round().astype(int)
    large = figures.magnified(pictures[rows], 10)
    return figures.labelled_grid(large, [f"step {steps[r]}" for r in rows], 10)


def film_frames(done: Inversion, index: int, pictures: np.ndarray, hold: int) -> Iterator[np.ndarray]:
    """The photo beside the pictures of the way, the last one for a while."""
    for picture in [*pictures, *[done.pictures[index]] * hold]:
        yield np.concatenate(figures.magnified(np.stack([done.photos[index], picture]), 2, 0, WIDE), 1)


def compare_figure(done: dict[str, Inversion]) -> bytes:
    """PNG: the photo, each loss's result with its errors, and all curves."""
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


# --- parts: what finished batches leave, until all are done ------------------------------------------


class Parts:
    """Finished batches in ``OUT/.parts``; found are those of the same settings, model, encoder and photos."""

    def __init__(self, folder: Path, config: InvertConfig, model_hash: str, encoder: str) -> None:
        self.folder, self.config = folder / ".parts", config
        self.key = json.dumps([asdict(config), model_hash, encoder], sort_keys=True)

    def file(self, photos: Sequence[Photo]) -> Path:
        content = self.key + json.dumps([[p.name, p.digest] for p in photos])
        return self.folder / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.npz"

    def save(self, photos: Sequence[Photo], done: Inversion) -> None:
        arrays: dict[str, np.ndarray] = {
            "names": np.array(done.names), "vectors": done.vectors.z.numpy(),
            "space": np.array(done.vectors.space), "model_hash": np.array(done.vectors.model_hash),
            "photos": done.photos, "pictures": done.pictures,
            "curves": done.curves, "snapshots": done.snapshots.numpy(),
            "steps": np.array(done.snapshot_steps),
            **{f"error/{k}": v for k, v in done.errors.items()},
            **{f"noise/{k}": v.numpy() for k, v in done.noise.items()},
        }  # fmt: skip
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.file(photos), buffer.getvalue())

    def load(self, photos: Sequence[Photo]) -> Inversion | None:
        try:
            with np.load(self.file(photos), allow_pickle=False) as a:
                names = tuple(str(n) for n in a["names"])
                vectors = Vectors(
                    torch.from_numpy(a["vectors"]), names, str(a["model_hash"]), str(a["space"])
                )
                under = lambda kind: {k[6:]: a[k] for k in a.files if k.startswith(kind)}  # noqa: E731
                return Inversion(
                    names, vectors, a["photos"], a["pictures"], under("error/"), a["curves"],
                    torch.from_numpy(a["snapshots"]), [int(s) for s in a["steps"]], self.config,
                    {k: torch.from_numpy(v) for k, v in under("noise/").items()},
                )  # fmt: skip
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return None

    def remove(self) -> None:
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)
