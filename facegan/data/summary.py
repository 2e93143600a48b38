"""A dataset in words for summaries and in figures for dataset.json: attributes, values, rejects, advice."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from facegan.data.attribute_columns import MAX_CLASSES
from facegan.data.items import Row
from facegan.values import SYMMETRIC, UNIT, Meaning, Range, together

WIDTH = 100
_WRAPPER = textwrap.TextWrapper(WIDTH, "", "  ", break_long_words=False, break_on_hyphens=False)
_MAX_LINES = 5  # of yes/no attributes
_FEW_NUMBERS = 20  # different numbers that are classes even where hardly any comes twice
_MAX_SHOWN = 6  # classes of an attribute, and attributes with classes


class AttributeTally:
    """Counts the values of attributes, picture by picture."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[int]] = {}

    def add(self, attributes: Mapping[str, Any]) -> None:
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
        text = head + ", ".join(t.replace(" ", "\xa0") for t in texts[:shown]) + rest.replace(" ", "\xa0")
        lines = _WRAPPER.wrap(text)
        if len(lines) <= most:
            break
    return [line.replace("\xa0", " ") for line in lines]


_DARK, _BRIGHT = 32, 224  # levels below or above which nearly all of a picture lies
_ODD_CELLS = 12  # of 256 cells that may be otherwise
_SAME_LEVELS = 4.0  # levels by which a cell varies from picture to picture where all are alike
_NEARLY_ALL = 0.99  # of the pictures are "all"


_PAIRED = '"paired": true'


def packed(image: np.ndarray, meaning: Meaning | None, paired: bool = False) -> str:
    """Return the entry ``values`` of a row.

    It has the least and greatest level of a crop, how its file was read, and whether it has an input.
    """
    note: dict[str, Any] = {"levels": [int(image.min()), int(image.max())]}
    note |= {"read": asdict(meaning)} if meaning else {}
    return json.dumps({**note, "paired": True} if paired else note)


def is_paired(row: Row) -> bool:
    """Return whether a row has an input, by its entry ``values``."""
    return _PAIRED in row.values


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


def commonest(rejects: list[dict[str, str]]) -> list[tuple[str, int]]:
    """Return reasons with their counts, the commonest first; duplicates are counted together."""
    return Counter(plain_reason(r["reason"]) for r in rejects).most_common()


def plain_reason(reason: str) -> str:
    """Return a reason without the name of the picture of which another one is a duplicate."""
    return reason.partition(" of ")[0] if "duplicate of" in reason else reason


def reasons(rejects: list[dict[str, str]], most: int = 5) -> str:
    """Return ``no face, 12 times; truncated, once``: counts come last, since reasons may begin with some."""
    found = commonest(rejects)
    times = {1: "once", 2: "twice"}
    text = "; ".join(f"{reason}, {times.get(n, f'{n:,} times')}" for reason, n in found[:most])
    more = len(found) - most
    return text + (f"; {more} more reason{'s' * (more != 1)}" if more > 0 else "")


def all_rejected(rejects: list[dict[str, str]]) -> str:
    """Return ``all 6 were rejected for the same reason: no face``; '' where nothing was rejected."""
    if len(rejects) < 2:
        return "".join(f"the only one found was rejected: {r['reason']}" for r in rejects)
    if len(commonest(rejects)) == 1:
        return f"all {len(rejects):,} were rejected for the same reason: {commonest(rejects)[0][0]}"
    return f"all {len(rejects):,} were rejected for these reasons: {reasons(rejects)}"


_FACES = ("no face", "low confidence", "face too small", "no landmarks")


EARLY = 300  # pictures that are rejected without one that is kept, after which the help comes at once


class Early:
    """Advises once, long before the end, where the first pictures are all rejected."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self.plan, self.reasons, self.over = plan, Counter[str](), False

    def __call__(self, rejects: Sequence[str], last: bool) -> str:
        """Return a line or '' for the next pictures' reasons ('' is kept); ``last`` if no more come."""
        self.over = self.over or last or "" in rejects
        if self.over:
            return ""
        self.reasons.update(rejects)
        count = self.reasons.total()
        helps = advice(self.reasons.most_common(), 0, self.plan) if count >= EARLY else ""
        self.over = bool(helps)
        reason = self.reasons.most_common(1)[0][0]
        return f"none of the first {count} pictures are kept ({reason}); {helps}" if helps else ""


def reason_lines(rejects: Sequence[dict[str, str]], most: int = 8, example: bool = False) -> list[str]:
    """Return how often each of the commonest reasons came, a line for each; with an ``example`` if wanted."""
    lines = []
    for reason, count in commonest(list(rejects))[:most]:
        first = next(r["source"] for r in rejects if reason == plain_reason(r["reason"])) if example else ""
        such = f" ({'such as ' * (count > 1)}{first})" if first else ""
        lines.append(f"  {count:6d}  {reason}{such}")
    return lines


def advice(
    reasons: Sequence[tuple[str, int]],
    kept: int,
    plan: Mapping[str, Any],
    *,
    helps: Mapping[str, str] | None = None,
) -> str:
    """Return a sentence with the option that helps, or '' where no single reason took most of the pictures.

    ``reasons`` are those of the rejects with their counts, the commonest first; ``kept`` is how many pictures
    stayed, ``plan`` the configuration as dataset.json has it. ``helps`` are the sentences of another command
    than ``prepare``.
    """
    total = kept + sum(count for _, count in reasons)
    groups: Counter[str] = Counter()
    for reason, count in reasons:
        groups["faces" if reason in _FACES else reason.partition(" (")[0]] += count
    if not groups:
        return ""
    group, count = groups.most_common(1)[0]
    if count * 2 <= total:
        return ""
    if group == "faces":
        group = max((r for r in reasons if r[0] in _FACES), key=lambda r: r[1])[0]
    crop = plan["crop"]
    return (
        (_HELP if helps is None else helps)
        .get(group, "")
        .format(
            **plan,
            less_confidence=max(0.0, crop["min_confidence"] - 0.2),
            half_face=crop["min_face"] / 2,
            half_sharpness=crop["min_sharpness"] / 2,
            more_pixels=plan["max_pixels"] * 4,
        )
    )


_HELP = {
    "no face": "for tight crops of faces, or other things, use --crop center, which looks for no face",
    "low confidence": "--min-confidence {less_confidence:.2g} takes less certain faces "
    "(now {crop[min_confidence]:g})",
    "face too small": "--min-face {half_face:g} takes smaller faces (now {crop[min_face]:g} px)",
    "no landmarks": "--crop face needs no landmarks, --crop center no face",
    "blurred": "--min-sharpness {half_sharpness:g} takes more of them (now {crop[min_sharpness]:g})",
    "too many pixels": "--max-pixels {more_pixels} takes larger pictures (now {max_pixels})",
    "not named by the split file": "--split {split} takes only what it names; without it all pictures stay",
    "exact duplicate": "is a folder named twice, or does one hold a copy of another?",
    "near duplicate": "without --drop-near-duplicates they stay",
    "not two pictures side by side": "each half must have the proportions of --size "
    "(now {crop[size]}, squares by default); pairs in two folders: --pairs INPUTS TARGETS",
    "no input of this name": "an input is called as its target, up to the ending: is {pairs} its place?",
    "no target of this name": "a target is called as its input, up to the ending",
    "not an image file": "name the folder or archive that holds the pictures",
    "truncated": "the files end early: was the download or the copy complete?",
}
_WHOLE = "--no-align takes the whole photos, for tight crops of faces"
LABEL_HELP = {
    **{reason: _WHOLE for reason in _FACES},
    **{reason: _HELP[reason] for reason in ("not an image file", "truncated")},
    "too many pixels": "make the photos smaller first",
    "its name does not fit into a table": "rename the files, or pack them with 'facegan prepare' first",
}
"""Advice for ``facegan label``, whose --min-confidence is that of its answers."""
