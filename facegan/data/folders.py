"""Splits and classes that follow from the names of folders, files and columns."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from urllib.parse import unquote

from facegan.data.items import AttributeValue, Reading, words
from facegan.errors import InputError
from facegan.files import printable

_SPLIT_WORDS = {
    "train": words("train training 0"),
    "val": words("val valid validation dev 1 publictest"),
    "test": words("test testing 2 privatetest"),
}
SPLIT_NAMES = {word: split for split, found in _SPLIT_WORDS.items() for word in found}
_IN_NAMES = {word: s for word, s in SPLIT_NAMES.items() if len(word) > 1} | {"t10k": "test"}
_MAX_DEPTH = 2  # levels below the first that may hold split folders, as in cats/train and dogs/train
SPLIT_COLUMNS = ("split", "partition", "subset", "set", "usage")

Folder = tuple[str, ...]
"""The folders of a path, without the file's name."""


def name_words(name: str) -> list[str]:
    """Split a name such as ``t10k-images.idx3`` into its words."""
    return re.split(r"[-_.]", name)


def split_named(words: Iterable[str]) -> str | None:
    """Return the first split that ``words``, parts of a file's name, speak of."""
    return next((_IN_NAMES[word.lower()] for word in words if word.lower() in _IN_NAMES), None)


def split_value(value: object) -> str | None:
    """Return the split that a cell of a column of splits names, or None."""
    return SPLIT_NAMES.get(str(value).strip().lower())


def column_splits(column: str, cells: Sequence[object]) -> tuple[list[str | None] | None, str]:
    """Return the splits that a column's cells name, None for empty ones; or None, and a cell that names none.

    Numbers (0, 1, 2 for train, val, test) count only in ``split`` and ``partition``.
    """
    if (called := column.strip().lower()) not in SPLIT_COLUMNS:
        return None, ""
    words = ["" if cell is None else str(cell).strip().lower() for cell in cells]
    numbers = called in ("split", "partition")
    odd = [w for w in words if w and (w not in SPLIT_NAMES or (w.isdecimal() and not numbers))]
    if odd or not any(words):
        return None, (odd or [""])[0]
    return [SPLIT_NAMES.get(word) for word in words], ""


def odd_split(column: str, cell: str) -> str:
    """Return what is said of a column of splits that is none because of one cell."""
    return f"column '{column}' is an attribute: '{printable(cell)[:40]}' is no split"


def folder_word(name: str) -> str | None:
    """Return the split in a folder's name: ``train2017``, ``test_set``; None for ``contest``."""
    return split_named([name]) or split_named(re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))


def are_splits(names: Iterable[str]) -> dict[str, str]:
    """Return splits by name where ``names``, which stand beside each other, mean splits; else nothing.

    They do where each is nothing but a split's word, or where one says train and another val or test.
    A folder ``train`` beside ``boat`` and ``car`` is a class.
    """
    words = {name: folder_word(name) for name in names}
    found = {split for split in words.values() if split}
    exact = bool(words) and all(name.lower() in _IN_NAMES for name in words)
    if exact or ("train" in found and len(found) > 1):
        return {name: split for name, split in words.items() if split}
    return {}


def shard_split(name: str) -> str | None:
    """Return the split of a numbered shard such as ``train-000017.tar`` or ``faces-val-0003.tar``."""
    words = name_words(PurePath(name).name)
    return split_named(words) if any(re.fullmatch(r"\d{3,}", word) for word in words) else None


def source_splits(sources: Sequence[str]) -> dict[str, str]:
    """Return splits of sources that are named by them, such as ``faces/train`` and ``faces/test.zip``."""
    stems = {text: PurePath(text).name.partition(".")[0] for text in sources}
    found = are_splits(stems.values()) if len(stems) > 1 else {}
    return {text: found[stem] for text, stem in stems.items() if stem in found}


def _common_part(folders: Iterable[Folder]) -> int:
    """Return how many folders from the top all paths share."""
    levels = zip(*folders, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda names: len(set(names)) == 1, levels))


@dataclass
class FolderSplits:
    """The level at which paths of one source name splits, and the splits."""

    level: int = -1
    """Index of the folder of a path that names the split; -1 where none does."""
    names: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    """So many folders below repeat the split's name, as in ``seg_train/seg_train``."""
    note: str = ""

    def split(self, folder: Folder) -> str | None:
        """train, val, test, or None for pictures that lie elsewhere."""
        return self.names.get(folder[self.level]) if 0 <= self.level < len(folder) else None

    def rest(self, folder: Folder) -> Folder:
        """Return the path without what names the split, or what stands in its place."""
        if not 0 <= self.level < len(folder):
            return folder
        return folder[: self.level] + folder[self.level + 1 + self.repeated :]

    def group(self, folder: Folder) -> str:
        """Return the split, or the folder beside those of the splits, to which pictures belong."""
        beside = folder[self.level] if 0 <= self.level < len(folder) else ""
        return self.split(folder) or f"/{beside}"


def folder_splits(folders: Counter[Folder]) -> FolderSplits:
    """Return what the folders of a source's pictures, with the number of pictures in each, say of splits."""
    shared = _common_part(folders)
    some = next(iter(folders), ())
    for level in range(max(0, shared - 2), shared):  # all in one folder: an archive of nothing but test/
        if some[level].lower() in _IN_NAMES and some[level].lower() != "dev":
            return _found(folders, level, {some[level]: _IN_NAMES[some[level].lower()]})
    note = ""
    for level in range(shared, shared + 1 + _MAX_DEPTH):
        names = {folder[level] for folder in folders if len(folder) > level}
        found = are_splits(names)
        if level > shared and (len(found) < len(names) or any(len(f) <= level for f in folders)):
            continue
        if found:
            return _found(folders, level, found)
        doubtful = sorted(n for n in names if n.lower() in _IN_NAMES)
        others = [n for n in sorted(names) if n not in doubtful]
        if doubtful and not note:
            beside = " and ".join(repr(n) for n in others[:2])
            none = "is not one" if len(others) == 1 else "are none"
            note = f"folder '{doubtful[0]}' is not taken for a split, because {beside} beside it {none}"
    return FolderSplits(note=note)


def _found(folders: Counter[Folder], level: int, names: dict[str, str]) -> FolderSplits:
    inside = [(f, names[f[level]]) for f in folders if len(f) > level and f[level] in names]
    repeated = 0
    while all(len(f) > level + 1 + repeated for f, _ in inside):
        if any(folder_word(f[level + 1 + repeated]) != split for f, split in inside):
            break
        repeated += 1
    elsewhere = sorted({f[level] for f in folders if len(f) > level and f[level] not in names})
    note = f"folder '{elsewhere[0]}' beside the splits' folders is taken for train" if elsewhere else ""
    return FolderSplits(level, names, repeated, note)


CLASSES = ("auto", "folders", "none")
"""Whether folders are classes: where they look like it, always, never."""
MAX_CLASSES = 1000  # folders that can be classes
MAX_NAMES = 100_000  # of classes that a source may list
_NO_LABELS = "no labels from folders"
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
    """Counts and numbers of the pictures in each folder of one source."""

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
    """Return labels, where all pictures lie equally deep in 2 to 1,000 folders, two in each on average.

    The innermost folder is the class ``label``; folders above it, where they are several, are attributes
    ``folder_1``, ``folder_2``, ...; ``Smiling=1`` is an attribute of its own. A split without such folders,
    as test pictures often come, has no labels.
    """
    rest = {folder: splits.rest(folder) for folder in folders.counts}
    some = next(iter(rest.values()), ())
    shared = _common_part(rest.values())
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
        where = f"pictures lie at several depths, {where}, some in '{'/'.join(b)}'"
        return FolderLabels(note=f"{_NO_LABELS}: {where}")
    values: dict[Folder, dict[str, AttributeValue]] = {folder: {} for folder in inside}
    notes = []
    for level in range(depth := depths.pop()):
        here = {folder: parts[level] for folder, parts in inside.items()}
        attribute = "label" if level == depth - 1 else f"folder_{level + 1}"
        notes.append(_level(attribute, here, folders, values=values, reading=reading))
    names = dict.fromkeys(name for found in values.values() for name in found)
    return FolderLabels(values, tuple(names), "; ".join(note for note in notes if note))


def forced_labels(folders: Folders, splits: FolderSplits, reading: Reading, *, source: str) -> FolderLabels:
    """Return as each picture's ``label`` the folder in which it lies, below those of splits.

    A picture that lies in no folder of the source has the source's own name.
    """
    own = PurePath(source).name.partition(".")[0] or source
    named = {folder: (splits.rest(folder) or (own,))[-1] for folder in folders.counts}
    names = sorted(set(named.values()), key=natural)
    if len(names) > MAX_CLASSES:
        raise InputError(
            f"--classes folders: {source} has {len(names):,} folders with pictures, more than {MAX_CLASSES:,}"
        )
    if all(re.fullmatch(r"0|[1-9][0-9]{0,8}", name) for name in names):
        number = {name: int(name) for name in names}
    else:
        number = dict(zip(names, register(reading, "label", names), strict=True))
    values: dict[Folder, dict[str, AttributeValue]] = {f: {"label": number[n]} for f, n in named.items()}
    shown = ", ".join(printable(n) for n in names[:4]) + (", ..." if len(names) > 4 else "")
    return FolderLabels(values, ("label",), f"attribute 'label' from {len(names):,} folders: {shown}")


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
        return f"{_NO_LABELS}: {len(names):,} ({shown}) are more than {MAX_CLASSES:,} classes"
    if count < _MIN_PICTURES * len(names):
        return f"{_NO_LABELS}: {len(names):,} ({shown}) hold {count:,} pictures, fewer than two each"
    if _pieces(names, here, folders):
        return f"{_NO_LABELS}: {names[0]} to {names[-1]} are numbered pieces of one list"
    if all(re.fullmatch(r"0|[1-9][0-9]{0,8}", name) for name in names):
        number = {name: int(name) for name in names}
    else:
        number = dict(zip(names, register(reading, attribute, names), strict=True))
    for folder, name in here.items():
        values[folder][attribute] = number[name]
    return f"attribute '{attribute}' from {len(names):,} folders: {shown}"


def _pieces(names: Sequence[str], here: dict[Folder, str], folders: Folders) -> bool:
    """Return whether folders such as FFHQ's ``00000``, ``01000`` only cut one numbered list."""
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
