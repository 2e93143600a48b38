"""Finding a picture in a list of names that somebody else has written.

Lists and tables spell names as their makers saw them: with another folder before the name or none, with
backslashes and a drive, in other letters' case, in another Unicode form, with another suffix.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from facegan.data.items import IMAGE_SUFFIXES
from facegan.files import printable

_MAX_ROWS = 8  # rows of one name; that more fit is known without keeping all


def _slashes(name: str) -> str:
    """Return a path with forward slashes, without drive, leading slash and ``./``."""
    name = re.sub(r"^[A-Za-z]:(?=[\\/])", "", name.strip())
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _stem(name: str) -> str:
    """Return a name without the suffix of a picture; other dots belong to the name."""
    name = _folded(name)
    head, dot, suffix = name.rpartition(".")
    return head if dot and head and not head.endswith("/") and f".{suffix}" in IMAGE_SUFFIXES else name


_LEVELS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", lambda name: name),
    ("in other upper and lower case", str.casefold),
    ("in another Unicode form", _folded),
    ("without the suffix", _stem),
)
WHOLE, ENDING = "by the whole name", "by the end of the path"
HOWS = (WHOLE, ENDING, *(how for how, _ in _LEVELS if how))
"""How names are found, the strictest first."""


@dataclass(frozen=True)
class Found:
    """The ``rows`` (their numbers) that fit one picture best, and ``how``; several rows fit alike well."""

    rows: tuple[int, ...]
    how: str


class _Level:
    """The names in one spelling: by their whole and by the ends of their paths."""

    def __init__(self, names: Sequence[str], spell: Callable[[str], str]) -> None:
        self.spell = spell
        self.whole: dict[str, list[int]] = {}
        self.ending: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            spelled = spell(name)
            _keep(self.whole, spelled, row)
            while "/" in spelled:
                spelled = spelled.partition("/")[2]
                _keep(self.ending, spelled, row)


def _keep(table: dict[str, list[int]], name: str, row: int) -> None:
    rows = table.setdefault(name, [])
    if len(rows) <= _MAX_ROWS:
        rows.append(row)


class NameIndex:
    """Rows of a list by the names of pictures; a look-up takes the same time however long the list is.

    A name fits if it is the picture's, or the end of the picture's path, or if the picture's name is the
    end of it: ``train/1.jpg`` and ``1.jpg`` fit each other, ``train/1.jpg`` and ``val/1.jpg`` do not. Of
    several the one with the most folders in common fits best. Exact spelling is tried first, then
    letters' case, Unicode form and names without their suffix.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [_slashes(printable(name)) for name in names]
        self._levels: list[_Level] = []

    def _level(self, number: int) -> _Level:
        while len(self._levels) <= number:  # the looser ones only where the stricter ones have failed
            self._levels.append(_Level(self.names, _LEVELS[len(self._levels)][1]))
        return self._levels[number]

    def find(self, name: str, source: str = "") -> Found | None:
        """Return the rows for a picture's ``name`` (its path inside its source).

        ``source`` is the picture's whole path (``FILE`` or ``ARCHIVE!MEMBER``), by whose folders rows of
        one name are told apart.
        """
        name = _slashes(printable(name))
        if not name:
            return None
        for number, (how, spell) in enumerate(_LEVELS):
            level = self._level(number)
            spelled = spell(name)
            if rows := level.whole.get(spelled):
                return Found(tuple(rows), how or WHOLE)
            for end, inside in _ends(spelled, spell(_path(name, source))):
                # Inside its source a picture's name must fit whole; its folders outside only help to choose.
                rows = level.whole.get(end) or (None if inside else level.ending.get(end))
                if rows:
                    return Found(tuple(rows), how or ENDING)
        return None


def _path(name: str, source: str) -> str:
    """Return the whole path of a picture, where ``source`` ends in its ``name``; else the name."""
    if not source or "://" in source:
        return name
    path = _slashes(os.path.abspath(printable(source).replace("!", "/")))
    return path if path.endswith(f"/{name}") else name


def _ends(name: str, path: str) -> Iterator[tuple[str, bool]]:
    """Yield the ends of a path, the longest first, and whether each is less than ``name``."""
    end = path
    while end:
        yield end, len(end) < len(name)
        end = end.partition("/")[2]


@dataclass
class Matches:
    """How pictures were found in a list, and which rows are in doubt, for the closing summary."""

    hows: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    """The first pictures that no row fits."""
    missing_count: int = 0
    unclear: list[str] = field(default_factory=list)
    """The first pictures that several rows fit, which say different things."""
    unclear_count: int = 0
    shared: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Rows that pictures of different contents share, and two of these pictures."""
    _first: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    _loosely: Counter[tuple[int, str]] = field(default_factory=Counter)
    """How often each row was found in each way but by a whole name."""

    def miss(self, name: str) -> None:
        self.missing_count += 1
        if len(self.missing) < 3:
            self.missing.append(name)

    def doubt(self, name: str) -> None:
        self.unclear_count += 1
        if len(self.unclear) < 3:
            self.unclear.append(name)

    def hit(self, row: int, how: str, name: str, *, digest: bytes) -> None:
        """Count a picture of this content; the same one again shares its row without harm."""
        self.hows[how] += 1
        if how != WHOLE:
            self._loosely[row, how] += 1
        before = self._first.setdefault(row, (digest[:8], name))
        if before[0] != digest[:8]:
            self.shared.setdefault(row, (before[1], name))

    def sure(self, row: int, how: str) -> bool:
        """Return whether a picture that was found so is meant: a row that several fit is of those with its
        whole name alone."""
        return how == WHOLE or row not in self.shared

    @property
    def found(self) -> int:
        return self.hows.total()

    @property
    def asked(self) -> int:
        return self.found + self.missing_count + self.unclear_count

    def __str__(self) -> str:
        """``39 of 40 pictures found, of them 9 without the suffix; not found: a.jpg``."""
        sure = self.hows.copy()
        for (row, how), count in self._loosely.items():
            sure[how] -= count * (not self.sure(row, how))
        loose = [f"{sure[how]:,} {how}" for how in HOWS[1:] if sure[how]]
        text = f"{sure.total():,} of {self.asked:,} pictures found"
        text += f"{', of them ' * bool(loose)}{', '.join(loose)}"
        more = self.missing_count - len(self.missing)
        absent = f"; not found: {', '.join(self.missing)}" if self.missing else ""
        return text + absent + f" and {more:,} more" * bool(more)

    def doubts(self) -> list[str]:
        """Return what is ambiguous, in sentences."""
        said, count, lines = [], self.unclear_count, len(self.shared)
        if count:
            such = f"(such as '{self.unclear[0]}')"
            said.append(
                f"{count:,} picture{'s' * (count > 1)} {such} count{'s' * (count == 1)} as not found: "
                "several lines fit that say different things"
            )
        if lines:
            one, other = next(iter(self.shared.values()))
            text = "1 line fits" if lines == 1 else f"{lines:,} lines fit"
            said.append(
                f"{text} several pictures (such as '{one}' and '{other}'): only a picture whose whole name "
                "is in the table counts as found"
            )
        return said
