"""Pictures from tables: Parquet and Arrow files, prepared datasets, folders of ``save_to_disk``, the Hub."""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.arrow import (
    ARROW_SUFFIXES,
    Columns,
    DamagedTable,
    NoPictures,
    Opened,
    columns_of,
    leaf_type,
    opened,
)
from facegan.data.folders import (
    SPLIT_COLUMNS,
    folder_word,
    name_words,
    partition,
    register,
    split_named,
    split_value,
)
from facegan.data.items import (
    MAX_FILE_BYTES,
    AttributeValue,
    Item,
    Reading,
    as_array,
    capped,
    from_text,
    is_scalar,
    looks_like_image,
    read_file,
    read_json,
    scalar,
)
from facegan.data.walk import walk
from facegan.errors import ImageError, InputError
from facegan.files import printable
from facegan.values import Meaning, meaning_of

NO_PICTURE = "no picture in this row"
ONLY_NAMED = (
    "only named by its row, and not found beside the table (give the folder of the pictures, and the table "
    "with --attributes)"
)
SAVED_FILES = ("state.json", "dataset_info.json", "dataset_dict.json")  # of save_to_disk
_SURVEYED_ROWS = 64  # rows of a stream whose values decide what all values mean


@dataclass
class Near:
    """Reads files that a table only names, of the source's own folder alone."""

    root: Path
    """Nothing outside of it is read, wherever links or ``..`` lead."""
    table: Path
    prefix: tuple[str, ...] | None = None
    """Leading folders of the named paths, of the place where the files once were."""
    taken: set[Path] = field(default_factory=set)

    def read(self, text: str) -> tuple[str, bytes] | None:
        """Return a file's name below the folder and its content; None where it is not there."""
        parts = tuple(p for p in text.replace("\\", "/").split("/") if p not in ("", "."))
        if not parts or "\0" in text or "://" in text:
            return None
        tries = range(len(parts)) if self.prefix is None else (len(self.prefix),)
        for cut in tries:
            if self.prefix is not None and parts[:cut] != self.prefix:
                return None
            for base in dict.fromkeys((self.table, self.root)):
                if found := self._inside(base.joinpath(*parts[cut:])):
                    self.prefix = parts[:cut]
                    self.taken.add(self.root / found[0])
                    return found
        return None

    def _inside(self, path: Path) -> tuple[str, bytes] | None:
        try:
            full, root = path.resolve(), self.root.resolve()
        except (OSError, ValueError, RuntimeError):  # names beyond reason, loops of links
            return None
        content = read_file(full, MAX_FILE_BYTES) if full.is_relative_to(root) else None
        return None if content is None else (full.relative_to(root).as_posix(), content)


@dataclass
class Rows:
    """Makes items of a table's rows."""

    columns: Columns
    source: str
    near: Near | None = None
    dtype: Any = np.uint8
    meaning: Meaning | None = None
    split: str | None = None
    split_from: str = ""
    fixed: dict[str, AttributeValue] = field(default_factory=dict)
    """Attributes of all rows, of the folders in which the table lies."""
    numbered: str = "{}"
    """The name of a picture without one, from the number of its row."""

    def item(self, row: dict[str, Any], index: int) -> Item:
        """Return the picture of one row, or a reject that says why there is none."""
        found, where = self.columns, f"{self.source}!{index}"
        name, content, pixels, reject = self.picture(row.get(found.image))
        name = name or (row.get(found.name) if found.name else None) or self.numbered.format(index)
        split, origin = self.split, self.split_from
        if found.split and (own := found.split_of(row.get(found.split))):
            split, origin = own, f"column '{found.split}'"
        if found.ours and row.get("source"):
            where = str(row["source"])
        if not reject and len(content) > MAX_FILE_BYTES:
            reject, content = "file too large", b""
        about = reject, self._attributes(row), split, origin
        return Item(printable(str(name)), where, content, pixels, *about, paired=self._input(row, str(name)))

    def _input(self, row: dict[str, Any], name: str) -> Item | None:
        """Return the input of a dataset of pairs."""
        if not self.columns.input or not (row.get(self.columns.image) or {}).get("bytes"):
            return None
        content = (row.get(self.columns.input) or {}).get("bytes") or b""
        return Item(printable(name), f"{self.source}!input", content)

    def _attributes(self, row: dict[str, Any]) -> dict[str, AttributeValue]:
        cells = [(name, row.get(name)) for name in self.columns.attributes]
        for name in self.columns.structs:
            cells += (row.get(name) or {}).items()
        values = dict(self.fixed)
        for name, cell in cells:
            value = scalar(cell) if is_scalar(cell) else None
            if (numbers := self.columns.classes.get(name)) and isinstance(value, int):
                value = numbers[value] if 0 <= value < len(numbers) else None if value == -1 else value
            values[printable(name)[:100]] = value
        return values

    def picture(self, cell: Any) -> tuple[str | None, bytes, np.ndarray | None, str]:
        """Return a picture's name, its content or its pixels, or why there is none."""
        name: str | None = None
        if isinstance(cell, dict):
            path, cell = cell.get("path"), cell.get("bytes")
            name = path if isinstance(path, str) else None
            cell = name if cell is None else cell
        if isinstance(cell, str):
            content = from_text(cell)
            if content is not None:
                return name, content, None, ""
            found = self.near.read(cell) if self.near else None
            return (*found, None, "") if found else (cell[-200:], b"", None, ONLY_NAMED)
        if isinstance(cell, bytes) and cell:
            return name, cell, None, ""
        if self.columns.kind != "pixels" or cell is None:
            return name, b"", None, NO_PICTURE
        array = as_array(cell, self.dtype, self.columns.shape)
        if array is None or self.meaning is None:
            return name, b"", None, "no shape of a picture (height, width, channels)"
        try:
            return name, b"", self.meaning.levels(array), ""
        except ImageError as error:
            return name, b"", None, error.reason


def _survey(table: Opened, column: str, dtype: Any) -> np.ndarray:
    """Return the least and the greatest values of a column of pixels, a pair for each batch."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pairs = []
    for batch in table.batches([column]):
        values = batch.column(batch.schema.get_field_index(column))
        if isinstance(values, pa.ExtensionArray):
            values = values.storage
        while hasattr(values, "flatten") and not pa.types.is_primitive(values.type):
            values = values.flatten()
        ends = pc.min_max(values).as_py()
        if ends["min"] is not None:
            pairs.append([ends["min"], ends["max"]])
    return np.asarray(pairs, dtype)


def _mean(values: np.ndarray, what: str, short: str, *, reading: Reading) -> Meaning | None:
    """Return what a column's numbers mean, noted where they are no bytes."""
    if not values.size:
        return None
    meaning = meaning_of(values, what, reading.value_range)
    if values.dtype != np.uint8:
        clipped = "; what lies outside is clipped" if meaning.outside else ""
        found = f"{values.dtype} values {meaning.low:g}..{meaning.high:g}"
        reading.notes.add(f"{short}: {found} read as {meaning.range}{clipped}")
    return meaning


def distinct(values: Iterable[Any]) -> list[Any]:
    """Return different values, about a thousand at most."""
    found: dict[Any, None] = {}
    for value in values:
        found[value] = None
        if len(found) > 1000:
            break
    return list(found)


def _of_path(path: Path, below: Path | None) -> tuple[str | None, str, dict[str, AttributeValue]]:
    """Return split, what says so, and attributes, by the file's name and its folders in the source."""
    folders = path.relative_to(below).parts[:-1] if below else ()
    values: dict[str, AttributeValue] = dict(filter(None, map(partition, folders)))
    for key in [k for k in values if k.lower() in SPLIT_COLUMNS]:
        if split := split_value(values[key]):
            del values[key]
            return split, "folders", values
    if split := split_named([name_words(path.name)[0]]):
        return split, "file names", values
    split = split_named(folder.removeprefix("partial-") for folder in folders)
    return split, "folders" if split else "", values


def from_parquet(
    path: Path,
    reading: Reading,
    below: Path | None = None,
    *,
    near: Near | None = None,
    own_classes: dict[str, list[int]] | None = None,
) -> Iterator[Item]:
    """Yield rows of a Parquet or Arrow file with a column of pictures: see :func:`columns_of`.

    The file's name says the split (``validation-00000-of-00001``), or a folder ``below`` the source's, or
    a column; folders such as ``Smiling=1`` are attributes. Files that rows only name are read where they
    lie in the source's folder. ``own_classes`` are the numbers of a prepared dataset's classes.
    """
    near = near or Near(below or path.parent, path.parent)
    short = path.name
    with opened(path, str(path)) as table:
        prepared = (path.parent.parent / "dataset.json").is_file()
        columns = columns_of(table.schema, str(path), short, reading=reading, prepared=prepared)
        if columns.split:
            batches = (batch.to_pylist() for batch in table.batches([columns.split]))
            words = (row[columns.split] for rows in batches for row in rows)
            columns.check_split(distinct(words), short, reading)
        columns.classes |= own_classes or {}
        split, origin, fixed = _of_path(path, below)
        rows = Rows(columns, str(path), near, split=split, split_from=origin, fixed=fixed)
        if columns.kind == "pixels":
            leaf, _ = leaf_type(table.schema.field(columns.image).type)
            rows.dtype = np.dtype(leaf.to_pandas_dtype())
            values = _survey(table, columns.image, rows.dtype)
            rows.meaning = _mean(values, f"{path}: column '{columns.image}'", short, reading=reading)
        numbers = itertools.count()
        for batch in table.batches(columns.wanted()):
            yield from map(rows.item, batch.to_pylist(), numbers)


def is_table(name: str) -> bool:
    """Return whether a file of this name is a table that can hold pictures."""
    return name.lower().endswith((".parquet", *ARROW_SUFFIXES))


def is_cache(name: str) -> bool:
    """Return whether ``datasets`` keeps a table of this name for itself."""
    return bool(re.match(r"(cache|tmp)[-\w]*\.arrow$", name))


def tables_in(path: Path, follow_links: bool = False) -> list[Path]:
    """Return the tables of a folder, which may hold pictures in their rows, in the order of their names.

    ``metadata.parquet`` beside pictures describes these, and caches of ``datasets`` are copies.
    """

    def described(file: Path) -> bool:
        beside = (path.name for path in file.parent.iterdir())
        return file.name == "metadata.parquet" and any(map(looks_like_image, beside))

    found = sorted(e.path for e in walk(path, follow_links) if is_table(e.name) and not e.reject)
    return [file for file in found if file.is_file() and not is_cache(file.name) and not described(file)]


def _own_classes(path: Path, reading: Reading) -> dict[str, list[int]]:
    """Return the numbers of the classes that a prepared dataset names."""
    named = read_json(path / "dataset.json").get("class_names")
    if not isinstance(named, dict):
        return {}
    return {name: register(reading, name, names) for name, names in named.items() if isinstance(names, list)}


def _saved_split(folder: Path, root: Path) -> str | None:
    """Return the split of a folder that ``datasets`` saved: its name in a DatasetDict, or its state's."""
    if folder != root and (folder.parent / "dataset_dict.json").is_file():
        return folder_word(folder.name)
    name = read_json(folder / "state.json").get("_split")
    return split_named(re.split(r"[^a-z]+", name.lower())) if isinstance(name, str) else None


def from_dataset(path: Path, reading: Reading, taken: set[Path] | None = None) -> Iterator[Item]:
    """Yield the pictures of a prepared dataset, of ``save_to_disk``'s folders, or any with such tables.

    Into ``taken`` go the files that were read because rows name them. A table without pictures is a reject,
    and so is one that is damaged: what it gave before stays.
    """
    classes = _own_classes(path, reading)
    for file in tables_in(path, reading.follow_links):
        near = Near(path, file.parent, taken=set() if taken is None else taken)
        split = _saved_split(file.parent, path) if file.suffix == ".arrow" else None
        try:
            for item in from_parquet(file, reading, path, near=near, own_classes=classes):
                if split and not item.split:
                    item = replace(item, split=split, split_from="save_to_disk")
                yield item
        except (NoPictures, DamagedTable) as error:
            reason = str(error).removeprefix(f"{file}: ")
            if isinstance(error, NoPictures):
                reading.notes.add(str(error))
                reason = "table without a column of pictures"
            yield Item(file.relative_to(path).as_posix(), str(file), reject=reason)


def fetched(value: Any, open_file: Any) -> Any:
    """Return an image struct with its bytes, where a dataset of plain files on the Hub only names them.

    Of the Hub's files alone, so that a stranger's table cannot name one of this machine.
    """
    if not isinstance(value, dict) or value.get("bytes") is not None:
        return value
    path = str(value.get("path") or "")
    if not path.rpartition("::")[2].startswith("hf://"):
        return value
    with open_file(path, "rb") as stream:
        return {"path": path.partition("::")[0].rpartition("/")[2], "bytes": capped(stream, MAX_FILE_BYTES)}


def _from_stream(name: str, split: str, reading: Reading) -> Iterator[Item]:
    """Return the items of one split of a Hub dataset."""
    datasets: Any = importlib.import_module("datasets")  # a folder of this name may lie in the way
    open_file = importlib.import_module("datasets.utils.file_utils").xopen
    stream = datasets.load_dataset(name, split=split, streaming=True)
    features = stream.features or stream._resolve_features().features
    columns = columns_of(features.arrow_schema, name, name, reading=reading)
    wanted = columns.wanted()
    for column in wanted:
        if type(features[column]).__name__ == "Image":
            stream = stream.cast_column(column, datasets.Image(decode=False))
    ours = split_named(re.split(r"[^a-z]+", split.lower()))
    rows = Rows(columns, f"{name}/{split}", split=ours, split_from="the Hub" if ours else "")
    image = columns.image
    stream = stream.select_columns(wanted)
    values: Iterator[dict[str, Any]] = ({**row, image: fetched(row.get(image), open_file)} for row in stream)
    surveyed = _SURVEYED_ROWS if columns.split or columns.kind == "pixels" else 0
    first = list(itertools.islice(values, surveyed))
    if columns.split:
        columns.check_split([row.get(columns.split) for row in first], name, reading)
    if columns.kind == "pixels":
        leaf, _ = leaf_type(features.arrow_schema.field(image).type)
        rows.dtype = np.dtype(leaf.to_pandas_dtype())
        arrays = (as_array(row[image], rows.dtype, columns.shape) for row in first)
        ends = [[a.min(), a.max()] for a in arrays if a is not None]
        what = f"{name}: column '{image}'"
        rows.meaning = _mean(np.asarray(ends, rows.dtype), what, name, reading=reading)
    return map(rows.item, itertools.chain(first, values), itertools.count())


def from_hub(name: str, reading: Reading) -> Iterator[Item]:
    """Stream a dataset of the Hugging Face Hub."""
    try:
        for split in importlib.import_module("datasets").get_dataset_split_names(name):
            yield from _from_stream(name, split, reading)
    except InputError:
        raise
    except Exception as error:  # network, name and permission errors of many libraries
        raise InputError(
            f"{name}: no such file or folder, and not readable as a Hub dataset ({type(error).__name__}); "
            "check the name, or the connection"
        ) from None
