"""``facegan compare``: several runs on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from facegan.errors import InputError


def main(
    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN RUN ...")],
    out: str = "compare.html",
    repeats: bool = False,
) -> None:
    """Compare runs on one page: curves, grids side by side, results, settings that differ.

    Args:
        runs: two or more run folders of 'facegan train', with any recipe, finished or not.
        out: the page to write (.html); it is self-contained.
        repeats: the runs differ only in the seed: show their mean and spread.
    """
    if len(runs) < 2:
        raise InputError("name two or more run folders to compare")
    if Path(out).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {out}: the name must end in .html")
    from facegan.runs.compare import write_comparison

    print(f"wrote {write_comparison(runs, out, repeats)}")
