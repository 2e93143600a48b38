"""Splits as sources tell them: by folders, by names of shards and archives, by a column's words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from facegan.files import printable

SPLITS = ("train", "val", "test")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "0": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "1": "val",
    "test": "test",
    "testing": "test",
    "2": "test",
    "publictest": "val",
    "privatetest": "test",
}
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
    """Return the splits that the cells of a column called so name, None for empty ones; or None, and the
    first cell that names none. Numbers (0, 1, 2 for train, val, test) count only in ``split`` and
    ``partition``."""
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
    """Return the split in a folder's name: ``train2017``, ``test_set``, ``PublicTest``; None for
    ``contest``."""
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


def common_part(folders: Iterable[Folder]) -> int:
    """Return how many folders from the top all paths share."""
    found = list(folders)
    if not found:
        return 0
    first, last = min(found), max(found)
    return next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(map(len, found))
    )


@dataclass
class FolderSplits:
    """Where in the paths of one source the names of splits stand, and what they say."""

    level: int = -1
    """Which folder of a path names the split, counted from 0; -1 where none does."""
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
        """Return the pictures that belong together: of one split, or of one folder beside those of the
        splits."""
        beside = folder[self.level] if 0 <= self.level < len(folder) else ""
        return self.split(folder) or f"/{beside}"


def folder_splits(folders: Counter[Folder]) -> FolderSplits:
    """Return what the folders of a source's pictures, with the number of pictures in each, say of splits."""
    shared = common_part(folders)
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
    note = ""
    if elsewhere:
        note = f"folder '{elsewhere[0]}' beside the splits' folders is taken for train"
    return FolderSplits(level, names, repeated, note)
