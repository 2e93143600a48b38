"""``facegan models``: the generators and translators that come with the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facegan.cli.options import print_json, print_table
from facegan.files import sample_names, style_names


def rows(names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return one row a bundled model (default: all), as the tables and ``--json`` show it."""
    from facegan.model_summary import describe_model
    from facegan.models import bundled, bundled_translators

    table = []
    for name in [*bundled(), *bundled_translators()] if names is None else names:
        f = describe_model(name)
        channels, height, width = f["image_shape"]
        origin = f.get("provenance", {})
        seen = origin.get("images_seen", 0) + origin.get("images_before", 0)
        card = Path(f["file"]).with_suffix(".md")
        table.append(
            {
                "model": name,
                "kind": f.get("kind", "generator"),
                "pictures": f"{width}x{height} {'colour' if channels == 3 else 'grey'}",
                "family": f["family"],
                "MiB": round(f["bytes"] / 2**20, 1),
                "parameters": f["parameters"],
                "MMACs": round(f["macs"] / 1e6, 1),
                "kimg": seen / 1000,
                "licence": f["licence"],
                "card": str(card) if card.is_file() else "",
            }
        )
    return table


def main(json: bool = False) -> None:
    """List the bundled models, which work wherever a MODEL is needed, and the sample pictures.

    Generators make faces from noise; translators turn photos into other pictures ('facegan translate').

    Args:
        json: print JSON instead of a table.
    """
    table = rows()
    if json:
        print_json(table)
        return
    if not table:
        print("no models are bundled with this installation")
        return
    print_table(table, hidden=("licence", "card"))
    for row in table:
        print(f"\n{row['model']}: {row['licence']}" + (f"\n  card: {row['card']}" if row["card"] else ""))
    print(f"\nphotos to try things on: {', '.join(f'sample:{name}' for name in sample_names())}")
    print(f"styles to paint them in: {', '.join(f'sample:{name}' for name in style_names())}")
    examples = {"generator": "facegan generate {} --count 25", "translator": "facegan translate {} me.jpg"}
    print()
    for kind, example in examples.items():
        if first := next((row["model"] for row in table if row["kind"] == kind), ""):
            print(example.format(first))
