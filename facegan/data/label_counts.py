"""Labels before they are used: how many pictures have each, examples of each, and which are too rare.

Nothing shows a wrong label sooner than a row of its pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan import figures, rng
from facegan.data.attribute_columns import MAX_CLASSES
from facegan.data.filters import class_label, plain
from facegan.data.summary import percent
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset

FEW_PICTURES = 50
"""With fewer pictures of a kind, a generator knows them by heart at best."""
FEW_SHARE = 0.01
"""The same of a share: of the pictures for a yes/no attribute, of an even share (times 10) for a class."""
EXAMPLES = 10  # pictures of each kind on the sheet
MAX_ROWS = 60  # of the sheet
_MOST = 12  # kinds that a line lists


@dataclass(frozen=True)
class Kind:
    """Pictures that share one label: those of a class, or those with or without an attribute."""

    name: str
    """``label=7``, ``smiling`` or ``not smiling``."""
    rows: np.ndarray
    """Which pictures of the split they are."""
    share: float
    """Of all pictures."""
    scarce: bool
    """Whether there are almost none, and so almost all are something else."""


def kinds(labels: Sequence[str], table: np.ndarray) -> list[Kind]:
    """Return the kinds of pictures by labels ``N,L``, classes in order, then each attribute's yes and no.

    A kind is scarce if it has fewer than 50 pictures, or less than 1% of all pictures; of K classes, the
    latter is a tenth of an even share (1/10K of the pictures) if that is less.
    """
    total, found = len(table), []
    groups: dict[str, int] = {}
    for label in labels:
        name, is_class, _ = label.partition("=")
        groups[name] = groups.get(name, 0) + bool(is_class)
    for i, label in enumerate(labels):
        name, is_class, _ = label.partition("=")
        least = min(FEW_SHARE, 0.1 / groups[name]) if is_class else FEW_SHARE
        for text, value in [(label, 1)] if is_class else [(label, 1), (f"not {label}", 0)]:
            rows = np.flatnonzero(table[:, i] == value)
            share = len(rows) / max(total, 1)
            found.append(Kind(text, rows, share, len(rows) < FEW_PICTURES or share < least))
    return found


def dataset_kinds(data: Dataset, split: str = "train") -> list[Kind]:
    """Return the kinds of pictures by every attribute of a dataset; unknown values are of no kind.

    Numbers that are no classes, such as ages, are left out.
    """
    table, found = data.attributes(split), []
    for i, name in enumerate(data.attribute_names):
        values = np.unique(table[:, i])
        values = values[values >= 0]
        called = data.class_names.get(name, ())
        if set(values.tolist()) <= {0, 1} and not called:
            found += kinds([name], table[:, [i]])
        elif len(values) <= min(MAX_CLASSES, max(len(table) // 2, 2)):
            named = [called[v] if v < len(called) else str(v) for v in values]
            columns = (table[:, [i]] == values[None]).astype(np.int32)
            found += kinds([f"{name}={text}" for text in named], columns)
    return found


def rows_having(data: Dataset, wanted: Mapping[str, float], split: str) -> np.ndarray:
    """Return which pictures of a split have the labels ``{"smiling": 1, "label=7": 0}``.

    Raises:
        InputError: The dataset does not know one of them.
    """
    table = data.attributes(split)
    columns = {plain(name): i for i, name in enumerate(data.attribute_names)}
    agree = np.ones(len(table), bool)
    for label, value in wanted.items():
        name, is_class, text = label.partition("=")
        if plain(name) not in columns:
            raise InputError(
                f"--labels: {data.path} has no attribute '{name}', so no pictures to compare with"
            )
        index = columns[plain(name)]
        if not is_class:
            agree &= table[:, index] == value
            continue
        called = [class_label(c) for c in data.class_names.get(data.attribute_names[index], ())]
        number = called.index(text) if text in called else int(text) if text.isdecimal() else -2
        agree &= (table[:, index] == number) == bool(value)
    return np.flatnonzero(agree)


def counts_lines(found: Sequence[Kind]) -> list[str]:
    """Return lines such as ``label: 10 classes (0 9.9%, 1 11%, ...)`` and ``smiling: 48% yes (3,840)``."""
    classes: dict[str, list[Kind]] = {}
    lines = []
    for kind in found:
        name, is_class, _ = kind.name.partition("=")
        if is_class:
            classes.setdefault(name, []).append(kind)
        elif not kind.name.startswith("not "):
            lines.append(f"{kind.name}: yes in {len(kind.rows):,} pictures ({percent(kind.share)})")
    for name, members in classes.items():
        listed = [
            f"{k.name.partition('=')[2]}: {len(k.rows):,} ({percent(k.share)})" for k in members[:_MOST]
        ]
        more = f" and {len(members) - _MOST:,} more" if len(members) > _MOST else ""
        lines.append(f"{name}: {len(members):,} classes: {', '.join(listed)}{more}")
    return lines


def alarms(found: Sequence[Kind], balance: bool = False) -> list[str]:
    """Return a sentence on kinds of which there are almost no pictures; none if all are common."""
    scarce = [kind for kind in found if kind.scarce]
    if not scarce:
        return []
    listed = ", ".join(f"{k.name} ({len(k.rows):,} pictures, {percent(k.share)})" for k in scarce[:_MOST])
    more = f" and {len(scarce) - _MOST:,} more" if len(scarce) > _MOST else ""
    help_ = "" if balance else ", or show rare ones as often as the others (--balance)"
    return [
        f"labels of which there are almost no pictures: {listed}{more}; a generator learns little of them: "
        f"add pictures, leave the label out{help_}"
    ]


def examples(images: np.ndarray, found: Sequence[Kind], count: int = EXAMPLES) -> np.ndarray:
    """Draw a sheet with a row of pictures for each kind, uint8 ``H,W,3``; which ones is drawn by its name.

    Args:
        images: the split's pictures, uint8 ``N,H,W,C``.
        found: the kinds; with more than 60, the scarcest 60 are shown.
        count: pictures in a row.
    """
    shown = sorted(found, key=lambda k: len(k.rows))[:MAX_ROWS] if len(found) > MAX_ROWS else list(found)
    chosen = {id(kind) for kind in shown}
    blank = np.full((1, *images.shape[1:]), 255, np.uint8)
    rows = []
    for kind in (k for k in found if id(k) in chosen):
        order: Sequence[int] | np.ndarray = (
            rng.permutation(0, f"examples-{kind.name}", 0, n=len(kind.rows)) if len(kind.rows) else []
        )
        picked = [images[kind.rows[i]] for i in order[:count]]
        pictures = np.concatenate([np.stack(picked), *[blank] * (count - len(picked))]) if picked else None
        pictures = np.repeat(blank, count, 0) if pictures is None else pictures
        rows.append((f"{kind.name}\n", list(figures.colour(figures.magnified(pictures, count + 1)))))
    return figures.table([(name.strip(), cells) for name, cells in rows])


def record(found: Sequence[Kind], balance: bool) -> dict[str, Any]:
    """Return what ``labels.json`` of a run folder holds."""
    return {
        "counts": {kind.name: len(kind.rows) for kind in found},
        "lines": counts_lines(found),
        "alarms": alarms(found, balance),
        "balance": balance,
    }
