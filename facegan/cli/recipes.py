"""``facegan recipes``: the table of training recipes."""

from __future__ import annotations

from typing import Any

from facegan.cli.options import print_json, print_table


def rows() -> list[dict[str, Any]]:
    """Return one row a recipe, as the table and ``--json`` show it."""
    from facegan.recipes.table import RECIPES

    return [
        {
            "recipe": name,
            "family": r.config.family,
            "size": r.config.size,
            "kimg": r.config.kimg,
            "batch": r.config.batch,
            "loss": r.config.loss,
            "summary": r.summary,
            "source": r.source,
        }
        for name, r in RECIPES.items()
    ]


def main(json: bool = False) -> None:
    """Print the training recipes.

    Args:
        json: print JSON instead of a table.
    """
    table = rows()
    if json:
        print_json(table)
        return
    print_table(table)
    print("\nfacegan train DATASET --recipe NAME --out RUN")
    print("facegan train --recipe NAME --help-all lists its settings")
