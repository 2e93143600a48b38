"""``facegan select``: some pictures of a dataset, as a dataset of their own."""

from __future__ import annotations

from typing import Annotated

import tyro


def main(
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    expression: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EXPRESSION")],
    out: str,
    *,
    min_confidence: float = 0.0,
    limit: int = 0,
    split: str = "all",
) -> None:
    """Choose pictures by their attributes: facegan select D "smiling and not eyeglasses" --out D2.

    Args:
        dataset: a folder made by 'facegan prepare' or 'facegan label'.
        expression: attribute names with and, or, not, parentheses and comparisons (label >= 3,
            race == White).
        out: the new dataset's folder.
        min_confidence: predicted attributes with lower confidence count as unknown.
        limit: at most this many pictures; 0 is all.
        split: all, or only from train, val or test.
    """
    from facegan.data.derive import select

    done = select(dataset, expression, out, min_confidence=min_confidence, limit=limit, split=split)
    made = done.dataset
    counts = ", ".join(f"{n} {s}" for s, n in made.counts.items())
    unknown = f"; of {done.unknown} it is unknown whether they fit" if done.unknown else ""
    print(f"{made.path}: {sum(made.counts.values())} of {done.before} pictures ({counts}){unknown}")
