"""The picture of the house: which parts of the package stand on which, drawn from docs/conventions.md.

The block at the beginning of that page is what tests/test_imports.py checks, so the picture cannot be wrong.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH, ROW, GAP, MARGIN = 880, 34, 8, 30
LETTER = 8.2  # px, the width of a letter of the monospaced names


def floors() -> list[list[str]]:
    """Return the rooms of each floor, from the ground up."""
    text = (ROOT / "docs/conventions.md").read_text(encoding="utf-8")
    block = re.search(r"(?:^    .*\n)+", text, re.MULTILINE)
    if block is None:
        raise ValueError("docs/conventions.md has no block with the order of the rooms")
    return [[r.strip() for r in f.split(",")] for f in " ".join(block[0].split()).split(" -> ")]


def kind(room: str) -> str:
    """Return folder, file or planned."""
    if (ROOT / "facegan" / room).is_dir():
        return "folder"
    return "file" if (ROOT / "facegan" / f"{room}.py").is_file() else "planned"


def rows(rooms: list[str]) -> list[list[tuple[str, float]]]:
    """Return the rooms with their widths, in as many rows as they need."""
    found: list[list[tuple[str, float]]] = [[]]
    for room in rooms:
        width = len(room) * LETTER + 22
        if sum(w + GAP for _, w in found[-1]) + width > WIDTH - 2 * MARGIN:
            found.append([])
        found[-1].append((room, width))
    return found


def house() -> str:
    """Return the picture as SVG text that takes its colours from the page."""
    parts, y = [], 110.0
    for floor in reversed(floors()):
        for row in rows(floor):
            x = (WIDTH - sum(w + GAP for _, w in row) + GAP) / 2
            for room, width in row:
                box = f'x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{ROW - 8}" rx="4"'
                text = f'<text x="{x + width / 2:.0f}" y="{y + 17:.0f}">{escape(room)}</text>'
                parts.append(f'<g class="{kind(room)}"><rect {box}/>{text}</g>')
                x += width + GAP
            y += ROW
        parts.append(f'<path class="floor" d="M12 {y - 1:.0f}H{WIDTH - 12}"/>')
        y += GAP
    low, middle = f"{y - GAP - 1:.0f}", f"{WIDTH / 2:.0f}"
    walls = f'<path class="wall" d="M12 {low}V98L{middle} 12L{WIDTH - 12} 98V{low}"/>'
    name = f'<text class="name" x="{middle}" y="76">facegan</text>'
    return (
        f'<div class="house"><svg viewBox="0 0 {WIDTH} {y:.0f}" role="img" xmlns="http://www.w3.org/2000/svg">'
        "<title>The parts of the package on floors: each uses only those on its own floor and on lower ones"
        f"</title>{walls}{name}{''.join(parts)}</svg></div>"
    )
