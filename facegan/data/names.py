"""Finding a picture in a list of names that somebody else has written.

Lists and tables spell names as their makers saw them: with another folder before the name or none, with
backslashes and a drive, in other letters' case, in another Unicode form, with another suffix.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
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
"""The ways in which names are found, the strictest first."""


@dataclass(frozen=True)
class Found:
    """The ``rows`` (their numbers) that fit one picture best, and ``how``; several rows fit alike well."""

    rows: tuple[int, ...]
    how: str


class NameIndex:
    """Rows of a list by the names of pictures; a look-up takes the same time however long the list is.

    A name fits if it is the picture's, or the end of the picture's path, or if the picture's name is the
    end of it: ``train/1.jpg`` and ``1.jpg`` fit each other, ``train/1.jpg`` and ``val/1.jpg`` do not. Of
    several the one with the most folders in common fits best. Exact spelling is tried first, then
    letters' case, Unicode form and names without their suffix.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [_slashes(printable(name)) for name in names]
        self._levels: list[tuple[dict[str, list[int]], dict[str, list[int]]]] = []

    def _level(self, number: int) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Return rows by the whole names and by the ends of their paths, in one spelling."""
        while len(self._levels) <= number:  # the looser ones only where the stricter ones have failed
            spell = _LEVELS[len(self._levels)][1]
            whole, ending = dict[str, list[int]](), dict[str, list[int]]()
            for row, name in enumerate(map(spell, self.names)):
                parts = name.split("/")
                ends = [(ending, "/".join(parts[i:])) for i in range(1, len(parts))]
                for table, spelled in [(whole, name), *ends]:
                    rows = table.setdefault(spelled, [])
                    if len(rows) <= _MAX_ROWS:
                        rows.append(row)
            self._levels.append((whole, ending))
        return self._levels[number]

    def find(self, name: str, source: str = "") -> Found | None:
        """Return the rows for a picture's ``name`` (its path inside its source).

        ``source`` is the picture's whole path (``FILE`` or ``ARCHIVE!MEMBER``), by whose folders rows of
        one name are told apart.
        """
        name = path = _slashes(printable(name))
        if source and "://" not in source:
            full = _slashes(os.path.abspath(printable(source).replace("!", "/")))
            path = full if full.endswith(f"/{name}") else name
        for number, (how, spell) in enumerate(_LEVELS if name else ()):
            whole, ending = self._level(number)
            spelled, end = spell(name), spell(path)
            if rows := whole.get(spelled):
                return Found(tuple(rows), how or WHOLE)
            while end:
                # Inside its source a picture's name must fit whole; its folders outside only help to choose.
                if rows := whole.get(end) or (ending.get(end) if len(end) >= len(spelled) else None):
                    return Found(tuple(rows), how or ENDING)
                end = end.partition("/")[2]
        return None


@dataclass
class _Few:
    """A count of names, and the first of them."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < 3:
            self.names.append(name)


@dataclass
class Matches:
    """Counts of the ways in which pictures were found in a list, and of doubtful rows."""

    hows: Counter[str] = field(default_factory=Counter)
    missing: _Few = field(default_factory=_Few)
    """Pictures that no row fits."""
    unclear: _Few = field(default_factory=_Few)
    """Pictures that several rows fit, which say different things."""
    shared: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Rows that pictures of different contents share, and two of these pictures."""
    _first: dict[int, tuple[bytes, str]] = field(default_factory=dict)
    _loosely: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Counts of the ways other than the whole name in which each row was found."""

    def hit(self, row: int, how: str, name: str, *, digest: bytes) -> None:
        """Count a picture of this content; the same one again shares its row without harm."""
        self.hows[how] += 1
        if how != WHOLE:
            self._loosely[row, how] += 1
        before = self._first.setdefault(row, (digest[:8], name))
        if before[0] != digest[:8]:
            self.shared.setdefault(row, (before[1], name))

    def sure(self, row: int, how: str) -> bool:
        """Return whether a picture found so is meant: a shared row is only of those with its whole name."""
        return how == WHOLE or row not in self.shared

    @property
    def found(self) -> int:
        return self.hows.total()

    @property
    def asked(self) -> int:
        return self.found + self.missing.count + self.unclear.count

    def __str__(self) -> str:
        """``39 of 40 pictures found, of them 9 without the suffix; not found: a.jpg``."""
        sure = self.hows.copy()
        for (row, how), count in self._loosely.items():
            sure[how] -= count * (not self.sure(row, how))
        loose = [f"{sure[how]:,} {how}" for how in HOWS[1:] if sure[how]]
        text = f"{sure.total():,} of {self.asked:,} pictures found"
        text += f"{', of them ' * bool(loose)}{', '.join(loose)}"
        more = self.missing.count - len(self.missing.names)
        absent = f"; not found: {', '.join(self.missing.names)}" if self.missing.count else ""
        return text + absent + f" and {more:,} more" * bool(more)

    def doubts(self) -> list[str]:
        """Return what is ambiguous, in sentences."""
        texts, count, lines = [], self.unclear.count, len(self.shared)
        if count:
            texts.append(
                f"{count:,} picture{'s' * (count > 1)} (such as '{self.unclear.names[0]}') "
                f"count{'s' * (count == 1)} as not found: several lines fit that say different things"
            )
        if lines:
            one, other = next(iter(self.shared.values()))
            fit = "1 line fits" if lines == 1 else f"{lines:,} lines fit"
            texts.append(
                f"{fit} several pictures (such as '{one}' and '{other}'): only a picture whose whole name "
                "is in the table counts as found"
            )
        return texts


class NamedRows:
    """Meanings of the rows of a list, found by the names of pictures, which are counted."""

    def __init__(self, names: Sequence[str], meanings: Sequence[Hashable]) -> None:
        self.index, self.matches, self.meanings = NameIndex(names), Matches(), meanings
        self.notes: list[str] = []

    def find(self, name: str, source: str = "") -> tuple[int | None, str]:
        """Return the row of a picture and how it was found.

        It is (None, '') where there is none, and (None, how) where several fit that say different things.
        """
        found = self.index.find(name, source)
        if found is None:
            return None, ""
        alike = len({self.meanings[i] for i in found.rows}) == 1
        return (found.rows[0] if alike else None), found.how

    def count(self, name: str, source: str, digest: bytes) -> tuple[int | None, str]:
        """Find a picture with this content, which is counted."""
        row, how = self.find(name, source)
        if row is not None:
            self.matches.hit(row, how, name, digest=digest)
        else:
            (self.matches.unclear if how else self.matches.missing).add(name)
        return row, how

    def notes_on_matches(self) -> list[str]:
        """Return what is to be said of the list, once all pictures have been counted."""
        return [str(self.matches), *self.matches.doubts(), *self.notes]
