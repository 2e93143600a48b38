"""What an inversion gives: vectors, pictures, errors and the way there."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from facegan.inversion.config import InvertConfig
from facegan.sheets import show
from facegan.vectors import Vectors

COLUMNS = ("loss", "mae", "mse", "faces")
MAX_ROWS = 20  # of the table on the screen


@dataclass
class Inversion:
    """What inverting N photos gave.

    ``pictures`` are what the vectors' pictures look like, ``photos`` what they should (both uint8
    ``N,H,W,C``); ``errors`` has, for each photo, the loss that was made small, and MAE, MSE and the
    distance in the face network's features (unweighted, of pictures in [-1, 1]). ``curves`` is ``steps+1,N``.
    ``deltas`` are what tuning, or a search for the network's noise, changes in the model for each photo: the
    tensors of a delta file. ``tuned`` are the pictures of the tuned models, ``tuned_errors`` their errors.
    """

    names: tuple[str, ...]
    vectors: Vectors
    photos: np.ndarray
    pictures: np.ndarray
    errors: dict[str, np.ndarray]
    curves: np.ndarray
    snapshots: torch.Tensor
    snapshot_steps: list[int]
    config: InvertConfig
    noise: dict[str, torch.Tensor] = field(default_factory=dict)
    stopped: bool = False
    deltas: dict[str, dict[str, torch.Tensor]] = field(default_factory=dict)
    tuned: dict[str, np.ndarray] = field(default_factory=dict)
    tuned_errors: dict[str, list[float]] = field(default_factory=dict)
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        mean = float(np.mean(self.errors["mse"])) if "mse" in self.errors else float("nan")
        photos = f"{len(self)} photo{'s' * (len(self) != 1)}"
        return f"<Inversion: {photos} in {self.vectors.space}, mean MSE {mean:.3g}>"

    def __str__(self) -> str:
        """Return the errors of the first photos and of their mean, and where the vectors lie."""
        width = max([4, *(len(n) for n in self.names[:MAX_ROWS])])
        columns = {k: list(self.errors[k]) for k in COLUMNS[1:]} | self.tuned_errors
        rows = [("", list(columns))]
        rows += [(n, [f"{v[i]:.4f}" for v in columns.values()]) for i, n in enumerate(self.names[:MAX_ROWS])]
        lines = [f"{name:<{width}}" + "".join(f"{cell:>12}" for cell in cells) for name, cells in rows]
        if len(self) > MAX_ROWS:
            lines.append(f"... and {len(self) - MAX_ROWS} more in errors.csv")
        if len(self) > 1:
            lines.append(f"{'mean':<{width}}" + "".join(f"{np.mean(v):12.4f}" for v in columns.values()))
        if self.folder is not None:
            lines.append(f"{len(self)} vector{'s' * (len(self) != 1)} -> {self.folder}/vectors.npz")
        return "\n".join(lines)

    def _repr_png_(self) -> bytes:
        """Return each photo beside the picture of its vector."""
        pairs = np.stack([self.photos, self.pictures], 1)
        return show(pairs.reshape(-1, *pairs.shape[2:]), 2)._repr_png_()


class InversionStopped(KeyboardInterrupt):
    """Ctrl-C during an inversion; ``found`` is what was found until then."""

    def __init__(self, found: Inversion) -> None:
        super().__init__()
        self.found = found


def merge(parts: Sequence[Inversion]) -> Inversion:
    """Return several batches as one; a stopped batch's curve is filled up with its last value."""
    if len(parts) == 1:
        return parts[0]
    longest = max(len(p.curves) for p in parts)
    curves = [np.pad(p.curves, ((0, longest - len(p.curves)), (0, 0)), mode="edge") for p in parts]
    most = max(parts, key=lambda p: len(p.snapshots))
    kept = []
    for p in parts:
        missing = len(most.snapshots) - len(p.snapshots)
        kept.append(torch.cat([p.snapshots, p.vectors.z[None].expand(missing, *p.vectors.z.shape)]))
    names = tuple(name for p in parts for name in p.names)
    first = parts[0]
    vectors = Vectors(
        torch.cat([p.vectors.z for p in parts]), names, first.vectors.model_hash, first.vectors.space
    )
    errors = {k: np.concatenate([p.errors[k] for p in parts]) for k in first.errors}
    noise = {k: torch.cat([p.noise[k] for p in parts]) for k in first.noise}
    return Inversion(
        names,
        vectors,
        np.concatenate([p.photos for p in parts]),
        np.concatenate([p.pictures for p in parts]),
        errors,
        np.concatenate(curves, 1),
        torch.cat(kept, 1),
        most.snapshot_steps,
        first.config,
        noise,
        any(p.stopped for p in parts),
    )


def errors_csv(done: Inversion) -> bytes:
    """Return a table with one row a photo: its name and errors."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    extra = done.tuned_errors
    table.writerow(["name", *COLUMNS, *extra])
    for i, name in enumerate(done.names):
        values = [done.errors[c][i] for c in COLUMNS] + [extra[c][i] for c in extra]
        table.writerow([name, *(f"{value:.6g}" for value in values)])
    return text.getvalue().encode()
