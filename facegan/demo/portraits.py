"""Drawn portraits whose attributes are known, free of licence and privacy questions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from facegan.demo.portrait_attributes import LABELS, PortraitAttributes, sample_attributes
from facegan.demo.portrait_parts import paint
from facegan.files import write_bytes
from facegan.images import save_png


def draw(attributes: PortraitAttributes, size: int) -> np.ndarray:
    """Return the portrait as uint8 ``size,size,3`` (sRGB), antialiased."""
    # Painted larger and averaged down; OpenCV smooths the edges besides, by about a pixel of the canvas.
    return paint(attributes, max(2, -(-128 // size)) * size).finish(size)


def write_portraits(
    folder: str | Path,
    count: int,
    seed: int = 0,
    *,
    size: int = 64,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw portraits 1..count into ``folder`` as ``000001.png`` ... and ``attributes.csv``.

    Pictures that exist are kept, so that an interrupted call can be repeated; give another
    collection (seed, size) a folder of its own. ``on_progress(done, count)`` follows every picture.
    Returns the path of the table: column ``file``, then one 0/1 column for each of ``LABELS``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["file", *LABELS])
    for i in range(1, count + 1):
        attributes = sample_attributes(seed, i)
        path = folder / f"{i:06d}.png"
        writer.writerow([path.name, *attributes.labels().values()])
        if not path.exists():
            save_png(path, draw(attributes, size))
        if on_progress:
            on_progress(i, count)
    target, content = folder / "attributes.csv", table.getvalue().encode()
    if not target.exists() or target.read_bytes() != content:
        write_bytes(target, content)  # else its time stays, by which prepare knows an unchanged source
    return target
