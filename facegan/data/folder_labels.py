"""Labels that the folders of a source say: ``cats/1.jpg`` and ``dogs/2.jpg`` are two classes."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from facegan.data.items import AttributeValue
from facegan.data.reading import Reading
from facegan.data.splits import Folder, FolderSplits, common_part
from facegan.files import printable

MAX_CLASSES = 1000  # folders that can be classes
MAX_NAMES = 100_000  # of classes that a source may list
_MIN_PICTURES = 2  # pictures a class on average
_NOTHING = "__HIVE_DEFAULT_PARTITION__"  # as Hive, Spark and Arrow write an empty value


def register(reading: Reading, attribute: str, names: Iterable[object]) -> list[int]:
    """Return the numbers of classes ``names`` among those of ``attribute``; new ones come behind those known.

    So sources that list other classes, or the same in another order, agree on the numbers.
    """
    known = reading.class_names.setdefault(attribute, [])
    index = {name: i for i, name in enumerate(known)}
    numbers = []
    for name in names:
        text = printable(str(name))[:200]
        if text not in index and len(known) < MAX_NAMES:
            index[text] = len(known)
            known.append(text)
        numbers.append(index.get(text, -1))
    return numbers


def partition(name: str) -> tuple[str, str | None] | None:
    """Return attribute and value of a folder such as ``Smiling=1``; None for other names."""
    key, equals, value = name.partition("=")
    if not equals or not key.strip():
        return None
    return printable(unquote(key)), None if value == _NOTHING else printable(unquote(value))


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts ``2`` before ``10``."""
    parts = [p for p in re.split(r"([0-9]+)", name) if p]
    return [(not p.isdecimal(), int(p[:18]) if p.isdecimal() else 0, p) for p in parts]


@dataclass
class Folders:
    """What is known of the folders of one source's pictures."""

    counts: Counter[Folder] = field(default_factory=Counter)
    numbers: dict[Folder, tuple[int, int]] = field(default_factory=dict)
    """Least and largest of the numbers at the ends of the pictures' names, where all have one."""

    def add(self, folder: Folder, stem: str) -> None:
        first = not self.counts[folder]
        self.counts[folder] += 1
        match = re.search(r"(\d{1,18})$", stem)
        if match and (first or folder in self.numbers):
            number = int(match[1])
            low, high = self.numbers.get(folder, (number, number))
            self.numbers[folder] = min(low, number), max(high, number)
        else:
            self.numbers.pop(folder, None)


@dataclass
class FolderLabels:
    """The attributes of each folder's pictures."""

    values: dict[Folder, dict[str, AttributeValue]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    note: str = ""

    def __call__(self, folder: Folder) -> dict[str, AttributeValue]:
        return self.values.get(folder) or dict.fromkeys(self.names)


def folder_labels(folders: Folders, splits: FolderSplits, reading: Reading) -> FolderLabels:
    """Return labels, where all pictures lie equally deep in 2 to 1,000 folders, at least two in each on
    average.

    The innermost folder is the class ``label``; folders above it, where they are several, are attributes
    ``folder_1``, ``folder_2``, ...; ``Smiling=1`` is an attribute of its own. A split without such folders,
    as test pictures often come, has no labels.
    """
    rest = {folder: splits.rest(folder) for folder in folders.counts}
    some = next(iter(rest.values()), ())
    shared = common_part(rest.values())
    shared = next((i for i, name in enumerate(some[:shared]) if partition(name)), shared)
    rest = {folder: parts[shared:] for folder, parts in rest.items()}
    nested = {splits.group(folder) for folder, parts in rest.items() if parts}
    inside = {folder: parts for folder, parts in rest.items() if splits.group(folder) in nested}
    if not inside:
        return FolderLabels()
    depths = {len(parts) for parts in inside.values()}
    if len(depths) > 1:
        a, b = (min(p for p in inside.values() if len(p) == d) for d in (min(depths), max(depths)))
        where = f"some in '{'/'.join(a)}'" if a else "some beside the folders"
        return FolderLabels(
            note=f"no labels from folders: pictures lie at several depths, {where}, some in '{'/'.join(b)}'"
        )
    values: dict[Folder, dict[str, AttributeValue]] = {folder: {} for folder in inside}
    notes = []
    for level in range(depth := depths.pop()):
        here = {folder: parts[level] for folder, parts in inside.items()}
        attribute = "label" if level == depth - 1 else f"folder_{level + 1}"
        notes.append(_level(attribute, here, folders, values=values, reading=reading))
    names = dict.fromkeys(name for found in values.values() for name in found)
    return FolderLabels(values, tuple(names), "; ".join(note for note in notes if note))


def _level(
    attribute: str,
    here: dict[Folder, str],
    folders: Folders,
    *,
    values: dict[Folder, dict[str, AttributeValue]],
    reading: Reading,
) -> str:
    """Put into ``values`` what the folders of one level say; return a note on it."""
    parts = [partition(name) for name in set(here.values())]
    if all(parts) and len({key for key, _ in filter(None, parts)}) == 1:
        for folder, name in here.items():
            key, value = partition(name) or ("", None)
            values[folder][key] = value
        return f"attribute '{key}' from folders such as '{name}'"
    names = sorted(set(here.values()), key=natural)
    if len(names) < 2:
        return ""
    shown = ", ".join(printable(n) for n in names[:4]) + (", ..." if len(names) > 4 else "")
    count = sum(folders.counts[folder] for folder in here)
    if len(names) > MAX_CLASSES:
        return f"no labels from folders: {len(names):,} ({shown}) are more than {MAX_CLASSES:,} classes"
    if count < _MIN_PICTURES * len(names):
        return (
            f"no labels from folders: {len(names):,} ({shown}) hold {count:,} pictures, fewer than two each"
        )
    if _pieces(names, here, folders):
        return f"no labels from folders: {names[0]} to {names[-1]} are numbered pieces of one list"
    if all(re.fullmatch(r"0|[1-9][0-9]{0,8}", name) for name in names):
        number = {name: int(name) for name in names}
    else:
        number = dict(zip(names, register(reading, attribute, names), strict=True))
    for folder, name in here.items():
        values[folder][attribute] = number[name]
    return f"attribute '{attribute}' from {len(names):,} folders: {shown}"


def _pieces(names: Sequence[str], here: dict[Folder, str], folders: Folders) -> bool:
    """Return whether folders such as FFHQ's ``00000``, ``01000``, ... only cut one numbered list of
    pictures."""
    if not all(re.fullmatch(r"[0-9]{3,}", n) for n in names) or len({len(n) for n in names}) > 1:
        return False
    ranges = []
    for name in names:
        found = [folders.numbers.get(folder) for folder in here if here[folder] == name]
        known = [r for r in found if r is not None]
        if len(known) < len(found):
            return False
        ranges.append((min(low for low, _ in known), max(high for _, high in known)))
    return all(a[1] < b[0] for a, b in itertools.pairwise(ranges))
