"""``facegan models``: the generators that come with the package."""

from __future__ import annotations

from typing import Any

from facegan.cli.options import print_json, print_table
from facegan.files import sample_names, style_names


def rows() -> list[dict[str, Any]]:
    """Return one row a bundled model, as the table and ``--json`` show it."""
    from facegan.model_summary import describe_model
    from facegan.models import ASSETS, bundled

    table = []
    for name in bundled():
        f = describe_model(name)
        channels, height, width = f["image_shape"]
        origin = f.get("provenance", {})
        seen = origin.get("images_seen", 0) + origin.get("images_before", 0)
        card = ASSETS / f"{name}.md"
        table.append(
            {
                "model": name,
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
    print(f"\nfacegan generate {table[0]['model']} --count 25")
