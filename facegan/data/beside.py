"""Read what lies beside the pictures of a folder or an archive and describes them.

That is folders' names, StyleGAN's ``dataset.json``, ``metadata.csv`` and its like, and WebDataset's
``.cls``, ``.json`` and ``.txt``. All of it is a stranger's: sizes are bounded, and what cannot be read is
left out with a note.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from facegan.data.attribute_tables import AttributeTable
from facegan.data.folders import (
    Folder,
    FolderLabels,
    Folders,
    FolderSplits,
    folder_labels,
    folder_splits,
    forced_labels,
)
from facegan.data.items import AttributeValue, Item, Reading, hidden, is_scalar, looks_like_image, scalar
from facegan.data.sheets import Sheet, sheet_of
from facegan.errors import InputError, first_line
from facegan.files import printable

METADATA_FILES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet", "_classes.csv")
# CelebA's, whose names tell what they are: they lie in other folders than the pictures, also at Kaggle.
_CELEBA = re.compile(
    r"(?P<kind>list_attr|list_eval_partition|list_bbox|list_landmarks|list_landmarks_align)(_celeba)?\.(csv|txt)",
    re.I,
)
MAX_TABLE_BYTES = 2**27  # of a file that describes many pictures
MAX_SIDE_BYTES = 2**20  # of one that describes a single picture
MAX_KEYS = 256  # attributes that single files may bring
SIDE_SUFFIXES = (".cls", ".json", ".txt")
_ARCHIVES = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.\w{2,4})$", re.I)
_SAMPLED_FILES = 32  # files of single pictures that are first read for the names of their attributes
_MAX_LABEL_NUMBERS = 64  # numbers a picture, where they are no classes

Values = dict[str, AttributeValue]
Read = Callable[[str, int], "bytes | None"]
"""A file's content by name, or None where it is gone, damaged, or larger than the limit."""


def folder_of(name: str) -> Folder:
    """Return the folders of a path inside a source."""
    return tuple(p for p in name.replace("\\", "/").split("/")[:-1] if p not in ("", "."))


def stem_of(name: str) -> str:
    """Return the path without its suffix."""
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.rpartition('.')[0] or last}"


def key_of(name: str) -> str:
    """Return the path up to the first dot of its last part: a sample's key in WebDataset."""
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition('.')[0]}"


def is_table(name: str) -> bool:
    """Return whether a file of this name describes many pictures."""
    return name.rpartition("/")[2].lower() in (*METADATA_FILES, "dataset.json") or bool(_celeba(name))


def _celeba(name: str) -> str:
    """Return which of CelebA's tables a file is: list_attr, list_eval_partition, ...; "" for others."""
    found = _CELEBA.fullmatch(name.rpartition("/")[2])
    return found["kind"].lower() if found else ""


def _has_places(name: str) -> bool:
    """Return whether a table of CelebA says where faces are, which prepare finds by itself."""
    return _celeba(name).startswith(("list_bbox", "list_landmarks"))


def _sheet(name: str, content: bytes, where: str) -> Sheet:
    sheet = sheet_of(content, where)
    if _celeba(name) == "list_eval_partition" and len(sheet.header) == 2:
        return replace(sheet, header=["image_id", "partition"], notes=[])  # the authors' has no header
    return sheet


def is_side(name: str) -> bool:
    """Return whether a file of this name may describe the one picture that is named like it."""
    return name.lower().endswith(SIDE_SUFFIXES) and not is_table(name)


def count_pictures(names: Sequence[str]) -> int:
    """Return about how many of a source's files are pictures: all but those that describe others."""
    stems = {stem_of(name) for name in names if looks_like_image(name)}
    return sum(not is_table(n) and not (is_side(n) and stem_of(n) in stems) for n in names)


class Beside:
    """Adds to each item what the names and the descriptive files of its source say of it.

    ``names`` are all files of the source called ``source``, ``read`` gives the content of one, ``pictures``
    tells of a file without a picture's suffix whether it is one all the same; ``enters_archives`` says that
    archives among the files are read, too.
    """

    def __init__(
        self,
        source: str,
        names: Iterable[str],
        read: Read,
        *,
        reading: Reading,
        pictures: Callable[[str], bool] = lambda _: False,
        enters_archives: bool = False,
    ) -> None:
        self.source, self.read, self.reading = source, read, reading
        self.tables: dict[str, list[AttributeTable]] = {}  # by the folder in which they lie
        self.used: set[str] = set()  # files that were read as descriptions, and so are no rejects
        self.noted: set[str] = set()
        self.side: dict[str, list[str]] = {}
        self.side_names: dict[str, None] = {}
        names = [name for name in names if not hidden(name)]
        rest = [name for name in names if not is_table(name) and not is_side(name)]
        listed = sorted(name for name in rest if looks_like_image(name) or pictures(name))
        folders = Folders()
        for name in listed:
            folders.add(folder_of(name), stem_of(name))
        tables = sorted(filter(is_table, names))
        self.used.update(filter(_has_places, tables))
        labelled = [self._table(name, listed) for name in tables if name not in self.used]
        self._sides(names, listed)
        archives: Counter[Folder] = Counter()  # stand for folders, as in train.zip and test.zip
        if enters_archives:
            found = filter(_ARCHIVES.search, dict.fromkeys(rest).keys() - set(listed))
            archives.update((*folder_of(name), name.rpartition("/")[2]) for name in sorted(found))
        self.splits: FolderSplits = folder_splits(folders.counts + archives)
        self.labels = FolderLabels()
        if reading.classes == "folders":
            self.labels = forced_labels(folders, self.splits, reading, source=source)
        elif reading.classes == "auto" and not any(labelled):
            self.labels = folder_labels(folders, self.splits, reading)
        for note in (self.splits.note, self.labels.note):
            self._note(note)

    def _sides(self, names: Sequence[str], pictures: Sequence[str]) -> None:
        """Find the files that describe single ``pictures``, and the names of their attributes in some."""
        known = {key for name in pictures for key in (stem_of(name), key_of(name))}
        for name in filter(is_side, names):
            if (stem := stem_of(name)) in known:
                self.side.setdefault(stem, []).append(name)
                self.used.add(name)
        for name in sorted(n for names in list(self.side.values())[:_SAMPLED_FILES] for n in names):
            self._keys(self._side(name))

    def _note(self, text: str) -> None:
        """Note something of this source, once."""
        if text and text not in self.noted:
            self.noted.add(text)
            self.reading.notes.add(f"{self.source}: {text}")

    def _table(self, name: str, pictures: Sequence[str]) -> bool:
        """Read a file that describes many of the sorted ``pictures``; whether it lists StyleGAN's labels."""
        content, of_stylegan = self.read(name, MAX_TABLE_BYTES), name.lower().endswith("dataset.json")
        where = f"{self.source}: {printable(name)}"
        try:
            if content is None:
                raise InputError(f"{where}: unreadable, or larger than {MAX_TABLE_BYTES:,} bytes")
            sheet = stylegan_sheet(content, where) if of_stylegan else _sheet(name, content, where)
        except InputError as error:
            self.reading.notes.add(f"{error}; it is left out")
            self.used.add(name)
            return False
        if sheet is None:
            return False
        self.used.add(name)
        below = "" if _celeba(name) else name.rpartition("/")[0]
        table = AttributeTable(sheet)
        if sheet.rows:
            if below:
                first, last = (bisect.bisect_left(pictures, below + end) for end in "/0")  # 0 follows /
                pictures = pictures[first:last]
            for picture in pictures:
                digest = hashlib.sha256(picture.encode(errors="replace")).digest()
                table.use(picture.removeprefix(f"{below}/"), "", digest)
            for note in table.notes_on_matches():
                self.reading.notes.add(f"{where}: {note}")
        if table.matches.found:
            self.tables.setdefault(below, []).append(table)
        return of_stylegan

    def _tables_of(self, name: str) -> Iterator[tuple[str, AttributeTable]]:
        """Yield the tables in the folders of a path, the outermost first, with the path's rest for each."""
        starts = [0, *(i + 1 for i, sign in enumerate(name) if sign == "/")] if self.tables else ()
        for start in starts:
            for table in self.tables.get(name[: max(0, start - 1)], ()):
                yield name[start:], table

    def _keys(self, values: Mapping[str, Any]) -> None:
        for key in values:
            if len(self.side_names) < MAX_KEYS:
                self.side_names.setdefault(key)

    def _side(self, name: str) -> Values:
        """Return what the file of one picture says."""
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
        named = {printable(str(key))[:100]: cell for key, cell in value.items()}
        values = {key: scalar(cell) for key, cell in named.items() if is_scalar(cell)}
        for key in sorted(named.keys() - values.keys()):
            self._note(f"'{key}' of {suffix} files left out: several values a picture")
        return values

    def _of_side(self, name: str) -> Values:
        if not self.side:
            return {}
        values: Values = {}
        for file in sorted(self.side.get(stem_of(name)) or self.side.get(key_of(name)) or ()):
            values |= self._side(file)
        self._keys(values)
        return {key: values.get(key) for key in self.side_names}

    def __call__(self, item: Item) -> Item:
        """Return the item with the split and the attributes that are known of it."""
        if item.reject:
            return item
        folder = folder_of(item.name)
        split = self.splits.split(folder)
        values = {**self.labels(folder), **self._of_side(item.name)}
        origin = "folders" if split else ""
        for inside, table in self._tables_of(item.name):
            values = table.merged(inside, "", values)
            row, how = table.find(inside)
            if table.splits and row is not None and table.matches.sure(row, how) and table.splits[row]:
                split, origin = table.splits[row], "a column"
        if item.split and not split:
            split, origin = item.split, item.split_from
        if not values and (split, origin) == (item.split, item.split_from):
            return item
        return replace(item, attributes={**values, **item.attributes}, split=split, split_from=origin)


def stylegan_sheet(content: bytes, where: str) -> Sheet | None:
    """Read StyleGAN's ``{"labels": [[name, class or numbers], ...]}``, or a dictionary, or null.

    Vectors of one 1 and zeros are classes, others columns ``label_0``, ``label_1``, ... None for any other
    JSON, such as a dataset's of ours; InputError, which begins with ``where``, for labels that are none.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: no JSON ({first_line(error)})") from None
    if not isinstance(value, dict) or "labels" not in value:
        return None
    pairs = value["labels"] or []
    pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if not isinstance(pairs, list) or any(not isinstance(p, (list, tuple)) or len(p) != 2 for p in pairs):
        raise InputError(f"{where}: its labels are no pairs of name and label")
    rows = [[str(name), label] for name, label in pairs]
    vectors = [v for _, v in rows if isinstance(v, list) and v and all(type(n) in (int, float) for n in v)]
    widths = {len(vector) for vector in vectors}
    if len(widths) > 1 or (vectors and len(vectors) < len(rows)):
        raise InputError(f"{where}: labels of several kinds")
    if not vectors:
        return Sheet(["file", "label"], rows)
    width = widths.pop()
    if width > 1 and all(sum(v) == 1 and set(v) <= {0, 1} for v in vectors):
        return Sheet(["file", "label"], [[name, v.index(1)] for name, v in rows])
    if width > _MAX_LABEL_NUMBERS:
        raise InputError(f"{where}: labels of {width:,} numbers each are more than {_MAX_LABEL_NUMBERS}")
    return Sheet(["file", *(f"label_{i}" for i in range(width))], [[name, *v] for name, v in rows])
