"""``facegan inspect``: what is in a dataset."""

from __future__ import annotations

from typing import Annotated

import tyro


def main(
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    grid: str = "",
    count: int = 100,
    *,
    to_npz: str = "",
    split: str = "train",
    rejects: int = 10,
    json: bool = False,
) -> None:
    """Show what is in a dataset: sizes, counts, attributes, rejects, a grid.

    Args:
        dataset: a folder made by 'facegan prepare'.
        grid: write the split's first pictures as one PNG here.
        count: pictures in the grid.
        to_npz: write the split's pictures as uint8 N,H,W,C (array arr_0, as the tutorials have it).
        split: split for --grid and --to-npz: train, val or test.
        rejects: list this many rejects one by one.
        json: print dataset.json instead.
    """
    from facegan.data.inspection import inspect

    found = inspect(dataset, grid=grid, count=count, to_npz=to_npz, split=split, rejects=rejects)
    print((found.dataset.path / "dataset.json").read_text() if json else found)
    for path in found.written:
        print(f"wrote {path}")
