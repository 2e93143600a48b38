"""Decide what columns of attributes become: yes or no, whole numbers, or classes with names.

Readers hand on values as their source has them. Here alone it is decided, over all pictures that stay,
what is written: 1 and 0 for yes and no, a whole number from 0 up for everything else. -1 never stands for a
class, because it stands for "unknown" in :meth:`facegan.data.dataset.Dataset.attributes`.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from facegan.data.folders import natural
from facegan.data.items import AttributeValue, words

MAX_CLASSES = 1000
MAX_VALUE = 2**31 - 1  # of the column's int32
_FEW_TEXTS = 20  # so many texts are classes even where each is rare
_MAX_CLASS_NAME = 60  # characters of a class's name at most
_ODD_SHARE = 0.05  # so few cells that do not fit the others are mistakes
_YES, _NO = ("yes", "true", "y"), ("no", "false", "n")
_UNKNOWN = {"", *words("? - unknown nan -nan none null na n/a <na> nat #n/a #na 1.#qnan -1.#ind")}
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f]")  # a class's name is printed, on a line
_ROW_NUMBER = re.compile(r"|unnamed: \d+(_level_\d+)?|__index_level_\d+__|level_0", re.I)
_INDEX = ("index", "idx", "row")  # as pandas' reset_index leaves it; other tables call a class so
_PROSE = {"text", "caption", "captions", "prompt", "description", "comment"}


@functools.lru_cache(maxsize=65536)
def _of_text(text: str) -> int | float | str | None:
    text = _CONTROL.sub("", " ".join(text.split()))
    if text.lower() in _UNKNOWN:
        return None
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?|[+-]?inf(inity)?", text, re.I):
        number = float(text)
        return int(number) if math.isfinite(number) and number == int(number) else number
    return text


def value_of(raw: AttributeValue) -> int | float | str | None:
    """Return a whole number, a fraction, a text, or None for unknown; text that is a number becomes one."""
    if isinstance(raw, str):
        return _of_text(raw)
    if isinstance(raw, float):
        if math.isnan(raw):
            return None
        return int(raw) if math.isfinite(raw) and raw == int(raw) else raw
    return None if raw is None else int(raw)


def yes_no(value: int | float | str | None) -> int | None:
    """Return 1 or 0 for a word or a 1 or 0 that says yes or no; None for everything else."""
    if isinstance(value, str):
        word = value.lower()
        return 1 if word in _YES else 0 if word in _NO else None
    return int(value) if value in (0, 1) else None


def as_sorted(names: Iterable[str]) -> list[str]:
    """Return names in their order, numbers in them by value: ``-1, 0, 1``, and ``3-9`` before ``10-19``."""

    def key(name: str) -> tuple[bool, int, list[tuple[bool, int, str]]]:
        number = value_of(name)
        return (False, number, []) if isinstance(number, int) else (True, 0, natural(name))

    return sorted(names, key=key)


class _Seen:
    """Counts the values of a column in constant memory."""

    def __init__(self) -> None:
        self.counts: dict[Any, int] = {}
        """The count of each value, of the first ``MAX_CLASSES + 1`` different ones."""
        self.beyond: Counter[str] = Counter()  # texts, fractions and whole numbers after these
        self.low, self.high = math.inf, -math.inf

    def add(self, raw: AttributeValue) -> None:
        if raw in self.counts:  # what most values are: quick, because there are many
            self.counts[raw] += 1
            return
        value = value_of(raw)
        if value is None:
            return
        if not isinstance(value, str):
            self.low, self.high = min(self.low, value), max(self.high, value)
        if value in self.counts or len(self.counts) <= MAX_CLASSES:
            self.counts[value] = self.counts.get(value, 0) + 1
        else:
            self.beyond[type(value).__name__] += 1

    @property
    def known(self) -> int:
        return sum(self.counts.values()) + self.beyond.total()

    @property
    def many(self) -> bool:
        return len(self.counts) > MAX_CLASSES

    @property
    def counting(self) -> bool:
        """Whether these are whole numbers from 0 up of which each comes once."""
        whole = all(isinstance(v, int) for v in self.counts) and not self.beyond.keys() - {"int"}
        return whole and self.low >= 0 and self.known > 1 and set(self.counts.values()) == {1}

    @property
    def fractions(self) -> bool:
        return bool(self.beyond["float"]) or any(isinstance(v, float) for v in self.counts)

    def with_more(self, other: _Seen) -> _Seen:
        """Return what both hold, the larger count of each value: one of them holds pictures of the other."""
        made = _Seen()
        made.beyond = self.beyond | other.beyond
        made.low, made.high = min(self.low, other.low), max(self.high, other.high)
        for value, count in [*self.counts.items(), *other.counts.items()]:
            made.counts[value] = max(made.counts.get(value, 0), count)
        return made

    def odd(self) -> list[str] | None:
        """Return the texts, neither yes nor no, of a column that holds numbers: those few are mistakes.

        None where they are too many for that, or where there is nothing but texts.
        """
        found = [v for v in self.counts if isinstance(v, str) and yes_no(v) is None]
        count = self.beyond["str"] + sum(self.counts[v] for v in found)
        fits = self.known - count
        return found if fits and count <= max(fits > 2, _ODD_SHARE * self.known) else None


@dataclass(frozen=True)
class Rule:
    """Turns the values of one column into those that are written; ``note`` is for the summary."""

    kind: str
    """``yes/no``, ``classes``, ``numbers``, or '' for a column that is left out."""
    note: str = ""
    index: Mapping[Any, int] | None = None
    """The number for each value; None for a rule of its own."""
    names: tuple[str, ...] = ()
    """Names of the classes 0, 1, ..., where they are more than these numbers."""

    def __call__(self, raw: AttributeValue) -> int | None:
        if self.index is not None:
            known = self.index.get(raw) if raw is not None else None
            return self.index.get(value_of(raw)) if known is None else known
        value = value_of(raw)
        if self.kind == "yes/no":
            return None if value is None or isinstance(value, str) else int(value >= 0.5)
        return value if self.kind and isinstance(value, int) and 0 <= value <= MAX_VALUE else None


class Columns:
    """The columns of attributes of all pictures that stay: first ``add`` each, then ask for ``rules``."""

    def __init__(
        self, class_names: Mapping[str, Sequence[str]] | None = None, whole: Columns | None = None
    ) -> None:
        """Begin with nothing seen.

        Args:
            class_names: The names of the classes 0, 1, ... of columns whose source says them.
            whole: What columns hold in a table that describes more pictures, which decides as well.
        """
        self.class_names = dict(class_names or {})
        self.whole = whole.seen if whole else {}
        self.seen: dict[str, _Seen] = {}

    def add(self, attributes: Mapping[str, AttributeValue]) -> None:
        for name, raw in attributes.items():
            self.seen.setdefault(name, _Seen()).add(raw)

    def add_column(self, name: str, values: Iterable[AttributeValue]) -> None:
        seen = self.seen.setdefault(name, _Seen())
        for raw in values:
            seen.add(raw)

    def rules(self) -> dict[str, Rule]:
        """Return one rule for each column in the order in which they came, also for those left out."""
        places = coordinates(name for name, seen in self.seen.items() if not set(seen.counts) <= {0, 1})
        return {
            name: _left_out("coordinates of boxes or landmarks are no attributes")
            if name in places
            else _rule(name, seen, self.class_names.get(name, ()), whole=self.whole.get(name))
            for name, seen in self.seen.items()
        }


_CORNER = re.compile(r"((?:min|max|left|right)?)([xy])((?:\d|min|max|center|centre)?)")
_LANDMARK = re.compile(r"((left|right)?(eye|mouth|pupil|ear|brow)|nose|chin|(landmark|point)\d+)[xy]")


def coordinates(names: Iterable[str]) -> set[str]:
    """Return those of the columns that are coordinates of boxes or landmarks, as CelebA has them.

    ``x_1 y_1 width height``, say, or ``lefteye_x lefteye_y``: corners come in pairs, sizes only beside one.
    """
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("bbox"): name for name in names}
    marks = {name for name in plain if _LANDMARK.fullmatch(name)}
    corners = set()
    for match in filter(None, map(_CORNER.fullmatch, plain)):
        if f"{match[1]}{'y' if match[2] == 'x' else 'x'}{match[3]}" in plain:  # ``x1`` of ``y1``
            corners.add(match[0])
    if {"left", "top"} <= set(plain):
        corners |= {"left", "top", "right", "bottom"} & set(plain)
    sizes = {"width", "height", "w", "h"} & set(plain) if corners else set()
    return {plain[name] for name in marks | corners | sizes}


def note_lines(rules: Mapping[str, Rule]) -> list[str]:
    """Return the notes of all rules; columns that share a note are listed together."""
    by_note: dict[str, list[str]] = {}
    for name, rule in rules.items():
        if rule.note:
            by_note.setdefault(rule.note, []).append(repr(name))
    lines = []
    for note, names in by_note.items():
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        lines.append(f"column{'s' * (len(names) > 1)} {', '.join(names[:8])}{more} {note}")
    return lines


def _left_out(why: str) -> Rule:
    return Rule("", f"left out: {why}")


def _rule(name: str, kept: _Seen, names: Sequence[str], *, whole: _Seen | None) -> Rule:
    seen = kept.with_more(whole) if whole else kept
    if _ROW_NUMBER.fullmatch(name.strip()) or (name.strip().lower() in _INDEX and seen.counting):
        return _left_out("numbers of rows")
    if not kept.known:
        return _left_out("empty")
    if names:
        return _named(seen, names)
    odd = seen.odd()
    rule = _texts(name, seen) if odd is None else _numbers(name, seen, set(seen.counts) - set(odd))
    if not rule.kind or rule.note:
        return rule
    if odd:
        shown = " and ".join(repr(text) for text in odd[:2])
        return replace(rule, note=f"has cells such as {shown}, no numbers, which are unknown")
    return rule


def _numbers(name: str, seen: _Seen, values: set[Any]) -> Rule:
    """Return the rule for numbers, and words that say yes or no."""
    answers = {v: yes_no(v) for v in values}
    if None not in answers.values():
        return Rule("yes/no", index={v: answer for v, answer in answers.items() if answer is not None})
    if any(isinstance(v, str) for v in values):  # words among other numbers
        return _texts(name, seen)
    span = f"from {seen.low:g} to {seen.high:g}"
    if seen.fractions:
        if seen.low < 0 or seen.high > 1:
            return _left_out(f"fractions {span} are neither yes or no nor classes")
        return Rule("yes/no", f"holds fractions {span}: 0.5 and more is yes")
    if values <= {-1, 1}:
        return Rule("yes/no", index={-1: 0, 1: 1})
    if seen.low >= 0 and seen.high <= MAX_VALUE:
        return Rule("numbers" if seen.many else "classes")
    if seen.many:
        return _left_out(f"whole numbers {span}, too many for classes")
    return _classes(values)


def _classes(values: Iterable[Any]) -> Rule:
    by_name = {str(value): value for value in values}
    names = as_sorted(by_name)
    return Rule("classes", "", {by_name[name]: i for i, name in enumerate(names)}, tuple(names))


def _texts(name: str, seen: _Seen) -> Rule:
    """Return the rule for texts: classes where few repeat; free text, such as captions, is left out."""
    different, longest = len(seen.counts), max(len(str(v)) for v in seen.counts)
    prose = name.strip().lower() in _PROSE and any(" " in str(v) for v in seen.counts)
    few = different <= _FEW_TEXTS and (different < seen.known or different < 4)
    repeat = few or different <= seen.known / 2
    if prose or seen.many or not repeat or longest > _MAX_CLASS_NAME:
        many = f"more than {MAX_CLASSES:,}" if seen.many else f"{different:,}"
        return _left_out(f"free text ({many} different for {seen.known:,} pictures)")
    return _classes(seen.counts)


def _named(seen: _Seen, names: Sequence[str]) -> Rule:
    """Return the rule for a column whose source names its classes; other texts are further ones."""
    number = {text: i for i, text in reversed(list(enumerate(names)))}
    index: dict[Any, int] = {}
    more, beyond = [], []
    for value in seen.counts:
        if isinstance(value, int) and 0 <= value < len(names):
            index[value] = value
        elif isinstance(value, str):
            if value not in number:
                more.append(value)
        elif value != -1:  # which stands for "unknown" where classes have names
            beyond.append(value)
    more = as_sorted(more)
    index |= number | {text: len(names) + i for i, text in enumerate(more)}
    note = f"holds {beyond[0]}, which is none of its {len(names)} classes" if beyond else ""
    if not more and [yes_no(value_of(text)) for text in names] == [0, 1]:
        return Rule("yes/no", note, index)
    return Rule("classes", note, index, (*names, *more))
