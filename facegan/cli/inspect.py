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
    examples: str = "",
    json: bool = False,
) -> None:
    """Show what is in a dataset: sizes, counts, attributes, rejects, a grid.

    Args:
        dataset: a folder made by 'facegan prepare'.
        grid: write the split's first pictures as one PNG here.
        count: pictures in the grid.
        to_npz: write the split's pictures as uint8 N,H,W,C (array arr_0, as the tutorials have it).
        split: split for --grid, --to-npz and --examples: train, val or test.
        rejects: list this many rejects one by one.
        examples: write a sheet with a row of the split's pictures for each class, and for each attribute's
            yes and no, as one PNG here, and warn of labels of which there are almost no pictures.
        json: print dataset.json instead.
    """
    from facegan.data.inspection import inspect

    found = inspect(
        dataset, grid=grid, count=count, to_npz=to_npz, split=split, rejects=rejects, examples=examples
    )
    print((found.dataset.path / "dataset.json").read_text() if json else found)
    for path in found.written:
        print(f"wrote {path}")
