"""What a dataset holds, in figures for dataset.json and in words for the closing summary and ``inspect``."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from facegan.data.attribute_columns import MAX_CLASSES

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset

WIDTH = 100
_MAX_LINES = 5  # of yes/no attributes
_FEW_NUMBERS = 20  # different numbers that are classes even where hardly any comes twice
_MAX_SHOWN = 6  # classes of an attribute, and attributes with classes


class AttributeTally:
    """Counts the values of attributes, picture by picture."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[int]] = {}
        self.pictures = 0

    def add(self, attributes: Mapping[str, Any]) -> None:
        self.pictures += 1
        for name, value in attributes.items():
            if value is not None:
                self.counts.setdefault(name, Counter())[value] += 1

    def summary(self, names: Sequence[str], class_names: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
        """Return an entry for each attribute: ``name``, of how many pictures it is ``known``, its ``kind``.

        The kind yes/no has the number of ``yes``; ``classes`` has ``counts`` by the classes' names (or
        numbers); ``numbers``, which hardly repeat, has ``low``, ``high`` and how many are
        ``different``.
        """
        return [_entry(name, self.counts.get(name, Counter()), class_names.get(name, ())) for name in names]


def _entry(name: str, counts: Counter[int], called: Sequence[str]) -> dict[str, Any]:
    entry = {"name": name, "known": counts.total()}
    if set(counts) <= {0, 1} and not called:
        return entry | {"kind": "yes/no", "yes": counts[1]}
    if len(counts) > MAX_CLASSES or (not called and len(counts) > max(_FEW_NUMBERS, counts.total() / 2)):
        return entry | {"kind": "numbers", "different": len(counts), "low": min(counts), "high": max(counts)}
    named = {called[v] if v < len(called) else str(v): n for v, n in sorted(counts.items())}
    return entry | {"kind": "classes", "counts": named}


def attribute_summary(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the dataset's own summary, or, where an earlier version has written it, one made now."""
    if "attributes" in dataset.info:
        return list(dataset.info["attributes"])
    tally = AttributeTally()
    for split in dataset.counts:
        for row in dataset.attributes(split).tolist():
            values = zip(dataset.attribute_names, row, strict=True)
            tally.add({name: None if value == -1 else value for name, value in values})
    return tally.summary(dataset.attribute_names, dataset.class_names)


def attribute_lines(entries: Sequence[Mapping[str, Any]], total: int, most: int = _MAX_LINES) -> list[str]:
    """Return a few lines on the attributes of ``total`` pictures."""
    answers = [e for e in entries if e["kind"] == "yes/no"]
    others = [e for e in entries if e["kind"] != "yes/no"]
    lines = []
    if answers:
        known = {e["known"] for e in answers}
        alike = f", known of {known.pop():,} of {total:,}" if len(known) == 1 and known != {total} else ""
        head = f"{len(answers)} yes/no attributes (share of yes{alike}): "
        head = head if len(answers) > 1 else head.partition(" ")[2].replace("attributes", "attribute")
        texts = [f"{e['name']} {_share(e)}" + _coverage(e, total) * (not alike) for e in answers]
        lines += _wrapped(head, texts, most)
    lines += [classes_line(entry) + _coverage(entry, total) for entry in others[:_MAX_SHOWN]]
    if rest := others[_MAX_SHOWN:]:
        lines += _wrapped(f"{len(rest)} more attributes: ", [str(e["name"]) for e in rest], 2)
    return lines


def _share(entry: Mapping[str, Any]) -> str:
    if not entry["known"]:
        return "unknown"
    if entry["yes"] in (0, entry["known"]):
        return "always yes" if entry["yes"] else "always no"
    return percent(entry["yes"] / entry["known"])


def percent(share: float) -> str:
    """Return ``12%``, with a decimal below 1% and near 100%, so that few are not none."""
    return f"{share:.1%}" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share:.0%}"


def _coverage(entry: Mapping[str, Any], total: int) -> str:
    known = entry["known"]
    return f" (known of {known:,} of {total:,})" if 0 < known < total else ""


def classes_line(entry: Mapping[str, Any], most: int = _MAX_SHOWN) -> str:
    """Return ``race: 3 classes (White 40%, Black 35%, Indian 25%)``."""
    if entry["kind"] == "numbers":
        span = f"from {entry['low']} to {entry['high']}"
        return f"{entry['name']}: {entry['different']:,} different numbers {span}"
    counts = Counter(entry["counts"])
    if len(counts) == 1:
        return f"{entry['name']}: always {next(iter(counts))}"
    listed = counts.items() if len(counts) <= most else counts.most_common(most)
    shown = [f"{name} {percent(n / counts.total())}" for name, n in listed]
    more = f" and {len(counts) - most:,} more" if len(counts) > most else ""
    return f"{entry['name']}: {len(counts):,} classes ({', '.join(shown)}{more})"


def _wrapped(head: str, texts: Sequence[str], most: int) -> list[str]:
    """Return ``head`` and the texts in at most so many lines, and how many more there are."""
    for shown in range(len(texts), 0, -1):
        rest = f" and {len(texts) - shown} more" if shown < len(texts) else ""
        lines = textwrap.wrap(
            head + ", ".join(t.replace(" ", "\xa0") for t in texts[:shown]) + rest.replace(" ", "\xa0"),
            WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if len(lines) <= most:
            break
    return [line.replace("\xa0", " ") for line in lines]
