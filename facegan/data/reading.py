"""How sources are read, and what reading them left out: one object passed to every reader."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from facegan.data.splits import SPLITS
from facegan.files import printable

MAX_LINE = 400  # characters of a line


def _one_line(text: str) -> str:
    """Return a text as one line of bounded length: names of files and columns may hold anything."""
    text = " ".join(printable(text).splitlines())
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]} ..."


class Notes:
    """What was noticed while sources were read, each line once, for the closing summary of ``prepare``.

    A line is a sentence without a count, such as ``columns 'caption' of a.parquet left out: free text``;
    lines that repeat are counted.
    """

    def __init__(self) -> None:
        self._lines: Counter[str] = Counter()
        self._tallies: dict[str, Counter[str]] = {}
        self.kept: Counter[str] = Counter()
        """How many pictures of each split stayed in the end, where that is known."""

    def tally(self, what: str, value: str) -> None:
        """Count a value for a line such as ``splits from folders: train 800, val 100``."""
        self._tallies.setdefault(_one_line(what), Counter())[value] += 1

    def add(self, line: str) -> None:
        self._lines[_one_line(line)] += 1

    def lines(self) -> list[str]:
        """Return what was counted, then the lines in the order in which they first came, with ``(N times)``
        where they repeat."""
        total: Counter[str] = sum(self._tallies.values(), Counter())
        fewer = self.kept and any(total[split] > self.kept[split] for split in total)
        counted = [
            f"{what}{' (with what was left out later)' * bool(fewer)}: "
            + ", ".join(f"{value} {tally[value]:,}" for value in sorted(tally, key=_order))
            for what, tally in self._tallies.items()
            if set(tally) != {"train"}  # which would have been so without
        ]
        return counted + [line if n == 1 else f"{line} ({n:,} times)" for line, n in self._lines.items()]


def _order(value: str) -> tuple[int, str]:
    return SPLITS.index(value) if value in SPLITS else len(SPLITS), value


@dataclass(frozen=True)
class Reading:
    """How sources are read; ``notes`` and ``class_names`` are filled on the way."""

    value_range: str = ""
    """``LOW..HIGH`` of arrays and float pictures (``--range``); '' decides only what is beyond doubt."""
    image_column: str = ""
    """The column of a table that holds the pictures; '' finds it."""
    follow_links: bool = False
    """Whether links to folders are followed."""
    notes: Notes = field(default_factory=Notes, compare=False)
    class_names: dict[str, list[str]] = field(default_factory=dict, compare=False)
    """Names of the classes 0, 1, ... of an attribute, where its source gives them."""
