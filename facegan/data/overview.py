"""The values of all pictures in a few lines for the closing summary, and whether something is odd in them."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np

from facegan.data.items import Row
from facegan.values import SYMMETRIC, UNIT, Meaning, Range, together

_DARK, _BRIGHT = 32, 224  # levels below or above which nearly all of a picture lies
_ODD_CELLS = 12  # of 256 cells that may be otherwise
_SAME_LEVELS = 4.0  # levels by which a cell varies from picture to picture where all are alike
_NEARLY_ALL = 0.99  # of the pictures are "all"


def packed(image: np.ndarray, meaning: Meaning | None) -> str:
    """Return the entry ``values`` of a row: least and greatest level of a crop, and how its file was read."""
    note = {"levels": [int(image.min()), int(image.max())]}
    return json.dumps({**note, "read": asdict(meaning)} if meaning else note)


class Overview:
    """Sees every row of a dataset once, in constant memory."""

    def __init__(self) -> None:
        self.low, self.high, self.count, self.dark, self.bright = 255, 0, 0, 0, 0
        self.sums, self.squares = np.zeros(256), np.zeros(256)
        self.read: list[Meaning] = []

    def see(self, row: Row) -> None:
        """Take account of a crop that stays."""
        cells = np.frombuffer(row.gray, np.uint8)
        self.count += 1
        self.dark += int(np.count_nonzero(cells >= _DARK) <= _ODD_CELLS)
        self.bright += int(np.count_nonzero(cells < _BRIGHT) <= _ODD_CELLS)
        self.sums += cells
        self.squares += np.square(cells, dtype=np.float64)
        values = json.loads(row.values) if row.values else {}
        low, high = values.get("levels", (255, 0))
        self.low, self.high = min(self.low, low), max(self.high, high)
        if found := values.get("read"):
            meaning = Meaning(**{**found, "range": Range(**found["range"])})
            self.read = together([*self.read, meaning])

    def lines(self) -> list[str]:
        """Return sentences for the summary."""
        if not self.count:
            return []
        mean = self.sums / self.count
        lines = [f"values {self.low}..{self.high}, mean {mean.mean():.0f}"]
        lines += [f"picture files of more than 8 bits: {m.note()}" for m in self.read if m.kind != "uint8"]
        lines += [f"picture files: {m.note()}" for m in self.read if m.kind == "uint8"]
        floats = {m.range: m.pictures for m in self.read if m.kind.startswith("float")}
        if {UNIT, SYMMETRIC} <= set(floats):
            counts = f"{floats[UNIT]:,} were read as {UNIT} and {floats[SYMMETRIC]:,} as {SYMMETRIC}"
            lines.append(
                f"warning: of the float pictures {counts}; if all are of one kind, give --range {SYMMETRIC}"
            )
        spread = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0)).mean()
        alike, enough = {"black": self.dark, "white": self.bright}, _NEARLY_ALL * self.count
        odd = next((name for name, count in alike.items() if count >= enough), "")
        if odd:
            lines.append(
                f"warning: all pictures are nearly {odd}: if their values mean something else, "
                "--range LOW..HIGH says what is black and what is white"
            )
        elif self.count > 1 and spread < _SAME_LEVELS:
            lines.append("warning: all pictures are nearly alike")
        return lines
