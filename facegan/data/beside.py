"""What lies beside the pictures of a folder or an archive and describes them: folders' names, StyleGAN's
``dataset.json``, ``metadata.csv`` and its like, WebDataset's ``.cls``, ``.json`` and ``.txt``.

All of it is a stranger's: sizes are bounded, and what cannot be read is left out with a note.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from facegan.data.cells import is_scalar, scalar, scalars
from facegan.data.items import Item, hidden, looks_like_image
from facegan.data.labels import FolderLabels, Folders, folder_labels
from facegan.data.metadata import METADATA_FILES, Table, Values, read_metadata
from facegan.data.reading import Reading
from facegan.data.splits import Folder, FolderSplits, folder_splits
from facegan.errors import InputError, first_line
from facegan.files import printable

MAX_TABLE_BYTES = 2**27  # of a file that describes many pictures
MAX_SIDE_BYTES = 2**20  # of one that describes a single picture
MAX_KEYS = 256  # attributes that single files may bring
SIDE_SUFFIXES = (".cls", ".json", ".txt")
_SAMPLE = 32  # files of single pictures that are looked at beforehand, for the names of their attributes
_WIDEST = 64  # numbers a picture, where they are no classes

Read = Callable[[str, int], "bytes | None"]
"""A file's content by name, or None where it is gone, damaged, or larger than the limit."""


def folder_of(name: str) -> Folder:
    """The folders of a path inside a source."""
    return tuple(p for p in name.replace("\\", "/").split("/")[:-1] if p not in ("", "."))


def stem_of(name: str) -> str:
    """The path without its suffix."""
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.rpartition('.')[0] or last}"


def key_of(name: str) -> str:
    """The path up to the first dot of its last part: a sample's key in WebDataset."""
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition('.')[0]}"


def is_table(name: str) -> bool:
    """Whether a file of this name describes many pictures."""
    return name.rpartition("/")[2].lower() in (*METADATA_FILES, "dataset.json")


def is_side(name: str) -> bool:
    """Whether a file of this name may describe the one picture that is named like it."""
    return name.lower().endswith(SIDE_SUFFIXES) and not is_table(name)


class Beside:
    """What a source's names and the files among them say of its pictures; call it with each item.

    ``names`` are all files of the source called ``source``, ``read`` gives the content of one.
    """

    def __init__(self, source: str, names: Iterable[str], read: Read, reading: Reading) -> None:
        self.source, self.read, self.reading = source, read, reading
        self.tables: list[tuple[str, Table]] = []
        self.used: set[str] = set()
        self.side: dict[str, list[str]] = {}
        self.side_names: dict[str, None] = {}
        folders, labelled = Folders(), False
        pictures: set[str] = set()
        side: list[str] = []
        found: list[str] = []
        for name in names:
            if hidden(name):
                continue
            if looks_like_image(name):
                stem = stem_of(name)
                folders.add(folder_of(name), stem)
                pictures |= {stem, key_of(name)}
            elif is_table(name):
                found.append(name)
            elif is_side(name):
                side.append(name)
        for name in sorted(found):
            labelled |= self._table(name)
        for name in side:
            if (stem := stem_of(name)) in pictures:
                self.side.setdefault(stem, []).append(name)
                self.used.add(name)
        for name in sorted(n for names in list(self.side.values())[:_SAMPLE] for n in names):
            self._keys(self._side(name))
        self.splits: FolderSplits = folder_splits(folders.counts)
        self.labels = FolderLabels()
        if not labelled:
            self.labels = folder_labels(folders, self.splits, reading)
        for note in (self.splits.note, self.labels.note):
            self._note(note)

    def _note(self, text: str) -> None:
        if text:
            self.reading.notes.add(f"{self.source}: {text}")

    def takes(self, name: str) -> bool:
        """Whether the file was read as a description, and so is no reject."""
        return name in self.used

    def _table(self, name: str) -> bool:
        """Read a file that describes many pictures; whether it is one of StyleGAN's lists of labels."""
        content = self.read(name, MAX_TABLE_BYTES)
        table: Table | None
        try:
            if content is None:
                raise InputError(f"unreadable, or larger than {MAX_TABLE_BYTES:,} bytes")
            if name.rpartition("/")[2].lower() != "dataset.json":
                table = read_metadata(name, content)
            elif (table := read_stylegan(content)) is None:
                return False
        except InputError as error:
            self._note(f"{printable(name)} left out: {error}")
            self.used.add(name)
            return False
        self.used.add(name)
        for note in table.notes:
            self._note(f"{printable(name)}: {note}")
        self.tables.append((name.rpartition("/")[0], table))
        return name.endswith("dataset.json")

    def _keys(self, values: Mapping[str, Any]) -> None:
        for key in values:
            if len(self.side_names) < MAX_KEYS:
                self.side_names.setdefault(key)

    def _side(self, name: str) -> Values:
        """What the file of one picture says."""
        content = self.read(name, MAX_SIDE_BYTES)
        suffix = name[name.rindex(".") :].lower()
        if content is None:
            self._note(f"{suffix} files beside pictures left out: unreadable, or larger than 1 MiB")
            return {}
        try:
            text = content.decode("utf-8-sig").strip()
            value = json.loads(text) if suffix == ".json" else text
        except (ValueError, RecursionError):
            self._note(f"{suffix} files beside pictures left out: damaged")
            return {}
        if not isinstance(value, dict):
            value = {"text" if suffix == ".txt" else "label": value}
        values, others = scalars(value)
        for key in sorted(others):
            self._note(f"'{key}' of {suffix} files left out: several values a picture")
        return values

    def _of_side(self, name: str) -> Values:
        files = self.side.get(stem_of(name)) or self.side.get(key_of(name))
        if not self.side:
            return {}
        values: Values = {}
        for file in sorted(files or ()):
            values |= self._side(file)
        self._keys(values)
        return {key: values.get(key) for key in self.side_names}

    def __call__(self, item: Item) -> Item:
        """The item with the split and the attributes that are known of it."""
        if item.reject:
            return item
        folder = folder_of(item.name)
        split = self.splits.split(folder)
        values = {**self.labels(folder), **self._of_side(item.name)}
        origin = "folders" if split else ""
        for below, table in self.tables:
            if not below or item.name.startswith(f"{below}/"):
                found, own = table.of(item.name[len(below) + 1 if below else 0 :])
                values |= {k: v for k, v in found.items() if v is not None or k not in values}
                if own:
                    split, origin = own, "a column"
        if item.split and not split:
            split, origin = item.split, item.split_from
        return replace(item, attributes={**values, **item.attributes}, split=split, split_from=origin)


def _vector(label: Any) -> list[float] | None:
    """A label that is a list of numbers."""
    good = isinstance(label, list) and label and all(type(v) in (int, float) for v in label)
    return label if good else None


def read_stylegan(content: bytes) -> Table | None:
    """StyleGAN's ``{"labels": [[name, class or numbers], ...]}``, or a dictionary, or null.

    Vectors of one 1 and zeros are classes, others attributes ``label_0``, ``label_1``, ... None for any
    other JSON, such as a dataset's of ours.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON ({first_line(error)})") from None
    if not isinstance(value, dict) or "labels" not in value:
        return None
    pairs = value["labels"] or []
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if not isinstance(pairs, list) or any(not isinstance(p, (list, tuple)) or len(p) != 2 for p in pairs):
        raise InputError("its labels are no pairs of name and label")
    labels = [(str(name).replace("\\", "/").removeprefix("./"), label) for name, label in pairs]
    vectors = {name: vector for name, label in labels if (vector := _vector(label)) is not None}
    widths = {len(v) for v in vectors.values()}
    if len(widths) > 1 or (vectors and len(vectors) < len({name for name, _ in labels})):
        raise InputError("labels of several kinds")
    if vectors and all(sum(v) == 1 and set(v) <= {0, 1} for v in vectors.values()) and widths != {1}:
        return Table({name: {"label": vector.index(1)} for name, vector in vectors.items()})
    if vectors:
        if max(widths) > _WIDEST:
            raise InputError(f"labels of {max(widths):,} numbers each are more than {_WIDEST}")
        return Table({n: {f"label_{i}": x for i, x in enumerate(v)} for n, v in vectors.items()})
    good = {name: {"label": scalar(label)} for name, label in labels if is_scalar(label)}
    notes = ["labels that are neither numbers nor text left out"] if len(good) < len(dict(labels)) else []
    return Table(good, notes=notes)
