"""Parquet and Arrow files: opening them, streamed and within bounds, and which column holds what."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.data.folders import SPLIT_COLUMNS, column_splits, odd_split, register, split_value
from facegan.data.items import FILE_COLUMNS, MAX_RATIO, Reading, words
from facegan.data.walk import begin
from facegan.errors import InputError, first_line
from facegan.files import printable

ARROW_SUFFIXES = (".arrow", ".feather", ".ipc")
_AT_ONCE = 64  # rows


class DamagedTable(InputError):
    """A file is no Parquet or Arrow file that can be read."""


@dataclass
class Opened:
    """A table that is read batch by batch; some columns alone, where ``batches`` is given names."""

    schema: Any
    source: Any
    parquet: Any = None

    def batches(self, columns: list[str] | None = None) -> Iterator[Any]:
        """Yield record batches of at most 64 rows."""
        if self.parquet is not None:
            yield from self.parquet.iter_batches(rows_at_once(self.parquet.metadata), columns=columns)
            return
        with _arrow_reader(self.source) as reader:
            count = getattr(reader, "num_record_batches", None)  # a stream has no number
            for batch in reader if count is None else map(reader.get_batch, range(count)):
                batch.validate(full=True)  # lengths and offsets beyond its buffers would end the process
                if batch.nbytes > 2**20 + MAX_RATIO * self.source.stat().st_size:
                    raise InputError(f"{self.source}: compressed beyond reason")
                part = batch.select(columns) if columns is not None else batch
                for start in range(0, part.num_rows, _AT_ONCE):
                    yield part.slice(start, _AT_ONCE)


def _group_sizes(metadata: Any) -> list[int]:
    return [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]


def rows_at_once(metadata: Any) -> int:
    """Return how many rows fit into 256 MiB even if each is as large as its row group."""
    return max(1, min(_AT_ONCE, 2**28 // max([1, *_group_sizes(metadata)])))


@contextlib.contextmanager
def _arrow_reader(path: Path) -> Iterator[Any]:
    """Open an Arrow file or stream, which is mapped and not read into memory."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as mapped:
        head = mapped.read(8)
        mapped.seek(0)
        yield pa.ipc.open_file(mapped) if head[:6] == b"ARROW1" else pa.ipc.open_stream(mapped)


@contextlib.contextmanager
def opened(source: Path | bytes, name: str) -> Iterator[Opened]:
    """Open a Parquet file or (as a path only) an Arrow one; InputError in one line for what is neither."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(source, bytes) or begin(source)[:4] == b"PAR1":
            with pq.ParquetFile(pa.BufferReader(source) if isinstance(source, bytes) else source) as file:
                size = len(source) if isinstance(source, bytes) else source.stat().st_size
                # By whole groups: looking at the columns of damaged ones ends the process (pyarrow 26).
                if sum(_group_sizes(file.metadata)) > 2**20 + MAX_RATIO * size:
                    raise InputError(f"{name}: compressed beyond reason")
                yield Opened(file.schema_arrow, source, file)
        else:
            with _arrow_reader(source) as reader:
                schema = reader.schema
            yield Opened(schema, source)
    except InputError:
        raise
    except Exception as error:  # Arrow's own, and Unicode, number and key errors of damaged files
        kind = "Arrow" if isinstance(source, Path) and source.suffix in ARROW_SUFFIXES else "Parquet"
        raise DamagedTable(f"{name}: not a readable {kind} file ({first_line(error)})") from None


IMAGE_COLUMNS = words(
    "image img jpg png jpeg webp pixel_values image_bytes picture photo images pixels image_data "
    "bytes content"
)
NAME_COLUMNS = ("__key__", *(name for name in FILE_COLUMNS if name != "name"))  # of pictures, not of persons
_UNSAID = {"source", "box", "landmarks", "confidence"}  # of a dataset of ours


class NoPictures(InputError):
    """A table has no column that can hold pictures."""


@dataclass
class Columns:
    """The roles of a table's columns."""

    image: str
    kind: str
    """``struct`` of bytes and path, ``bytes``, ``text`` (a path, or base64), or ``pixels``."""
    shape: tuple[int, ...] | None = None
    """The shape of pixels that are stored as one flat list."""
    name: str | None = None
    split: str | None = None
    attributes: list[str] = field(default_factory=list)
    structs: list[str] = field(default_factory=list)
    """Structs whose fields are attributes."""
    classes: dict[str, list[int]] = field(default_factory=dict)
    """By attribute: what the source's number of a class is in ``Reading.class_names``."""
    class_texts: list[str] = field(default_factory=list)
    """Names of the splits' column, where it holds their numbers."""
    ours: bool = False
    input: str | None = None
    """The inputs of pairs, in a dataset of ours."""

    def split_of(self, value: Any) -> str | None:
        """Return the split that a cell of the column of splits says."""
        return split_value(self._word(value))

    def _word(self, value: Any) -> Any:
        """Return a cell of the column of splits, by its name where the column holds numbers of classes."""
        known = isinstance(value, int) and 0 <= value < len(self.class_texts)
        return self.class_texts[value] if known else value

    def check_split(self, values: Iterable[Any], short: str, reading: Reading) -> None:
        """Make the column of splits an attribute where a value is no split, or all are empty."""
        if (name := self.split) is None:
            return
        splits, odd = column_splits(name, [self._word(value) for value in values])
        if splits is None:
            self.split = None
            self.attributes.append(name)
            if self.class_texts:
                self.classes[name] = register(reading, name, self.class_texts)
            if odd:
                reading.notes.add(f"{short}: {odd_split(name, odd)}")

    def wanted(self) -> list[str]:
        """Return the columns that have to be read."""
        some = [self.image, self.input, self.name, self.split, *self.attributes, *self.structs]
        return [*filter(None, some), *(["source"] if self.ours else [])]


def features_of(schema: Any) -> dict[str, Any]:
    """Return Hugging Face's features by column, or nothing where a schema has none that can be read."""
    try:
        found = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _type_of(feature: Any) -> str:
    return str(feature.get("_type")) if isinstance(feature, Mapping) else ""


def _names_of(feature: Any) -> list[str]:
    """Return the names of a ClassLabel, or nothing."""
    names = feature.get("names") if _type_of(feature) == "ClassLabel" else None
    return [str(n) for n in names] if isinstance(names, list) else []


def _is(kind: Any, names: str) -> bool:
    """Return whether an Arrow type is one of those ``names``."""
    import pyarrow as pa

    return any(getattr(pa.types, f"is_{name}")(kind) for name in names.split())


def leaf_type(kind: Any) -> tuple[Any, int]:
    """Return the type inside nested lists, and how many lists are around it."""
    import pyarrow as pa

    depth = 0
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif _is(kind, "list large_list fixed_size_list"):
            kind, depth = kind.value_type, depth + 1
        else:
            return kind, depth


def picture_kind(kind: Any) -> str:
    """Return how a column of this Arrow type could hold pictures, or ''."""
    if _is(kind, "struct"):
        fields = {field.name for field in kind}
        return "struct" if "bytes" in fields and ("path" in fields or len(fields) == 1) else ""
    if _is(kind, "binary large_binary binary_view"):
        return "bytes"
    if _is(kind, "string large_string string_view"):
        return "text"
    leaf, depth = leaf_type(kind)
    return "pixels" if depth and _is(leaf, "integer floating") else ""


def _is_scalar(kind: Any) -> bool:
    kind = kind.value_type if _is(kind, "dictionary") else kind
    return _is(kind, "integer boolean floating decimal string large_string string_view null")


def _shape(field: Any) -> tuple[int, ...] | None:
    """Return the shape that Arrow's and Ray's tensors have in their type."""
    shape = getattr(field.type, "shape", None)
    if shape is None and "tensor" in str((field.metadata or {}).get(b"ARROW:extension:name", b"")):
        try:
            shape = json.loads(field.metadata[b"ARROW:extension:metadata"])
            shape = shape.get("shape") if isinstance(shape, dict) else shape
        except (KeyError, ValueError):
            return None
    good = isinstance(shape, (list, tuple)) and all(isinstance(n, int) and 0 < n < 2**16 for n in shape)
    return tuple(shape) if shape and good else None


def _image_column(what: str, fields: Mapping[str, Any], features: Mapping[str, Any], *, wish: str) -> str:
    """Return the column that holds the pictures; InputError ``WHAT: why`` where there is none."""
    kinds = {name: picture_kind(field.type) for name, field in fields.items()}
    if wish:
        found = [n for n in fields if n == wish] or [n for n in fields if n.lower() == wish.lower()]
        if not found or not kinds[found[0]]:
            why = "there is none" if not found else f"it holds {fields[found[0]].type}, which is no picture"
            raise InputError(f"{what}: --image-column {wish}: {why} (columns: {_listed(fields)})")
        return found[0]
    marked = [n for n, f in features.items() if _type_of(f) == "Image" and kinds.get(n)]
    marked.sort(key=lambda n: IMAGE_COLUMNS.index(n.lower()) if n.lower() in IMAGE_COLUMNS else 99)
    lower = {name.lower(): name for name in reversed(list(fields))}
    usual = [lower[name] for name in IMAGE_COLUMNS if name in lower]
    files = [lower[name] for name in NAME_COLUMNS if name in lower and "id" not in name]
    choices = (
        marked,
        [n for n in usual if kinds[n] and kinds[n] != "text"],
        [n for n in fields if kinds[n] == "struct"],
        [n for n in fields if kinds[n] == "bytes"],
        [n for n in fields if _type_of(features.get(n)) in ("Array2D", "Array3D")],
        [n for n in (*usual, *files) if kinds[n] == "text"],
    )
    if best := next(filter(None, choices), None):
        return best[0]
    raise NoPictures(
        f"{what}: no column 'image' or the like (columns: {_listed(fields)}); --image-column NAME says which"
    )


def _listed(names: Iterable[str]) -> str:
    names = [printable(n) for n in names]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def columns_of(schema: Any, what: str, short: str, *, reading: Reading, prepared: bool = False) -> Columns:
    """Return the roles of the columns of an Arrow schema; what is left out is noted.

    ``what`` begins messages, ``short`` notes; ``prepared`` says that a ``dataset.json`` lies above the
    table. InputError where no column can hold pictures.
    """
    fields = {field.name: field for field in reversed(list(schema))}
    fields = {name: fields[name] for name in dict.fromkeys(schema.names)}
    features = features_of(schema)
    image = _image_column(what, fields, features, wish=reading.image_column)
    found = Columns(image, picture_kind(fields[image].type), _shape(fields[image]))
    alike = len(fields) > 2 and set(fields) <= {"image", "input", "attributes", *_UNSAID}
    found.ours = {"image", "source"} <= set(fields) and (prepared or alike)
    if found.ours and image == "image" and found.kind == "struct" and "input" in fields:
        found.input = "input" if picture_kind(fields["input"].type) == "struct" else None
    texts = [n for n in fields if picture_kind(fields[n].type) == "text" and n != image]
    found.name = next((n for n in texts if n.lower() in NAME_COLUMNS), None)
    others = []
    for name, arrow_field in fields.items():
        if name in (image, found.input, found.name) or (found.ours and name in _UNSAID):
            continue
        if name.lower() in SPLIT_COLUMNS and _is_scalar(arrow_field.type) and not found.split:
            found.split, found.class_texts = name, _names_of(features.get(name))
        elif name == "attributes" and hasattr(arrow_field.type, "fields"):
            found.structs.append(name)
            inner = features.get(name)
            for key, feature in inner.items() if isinstance(inner, dict) else ():
                _register(found, str(key), feature, reading=reading)
        elif _is_scalar(arrow_field.type):
            found.attributes.append(name)
            _register(found, name, features.get(name), reading=reading)
        else:
            kind = picture_kind(arrow_field.type)
            pictures = kind in ("struct", "bytes") or _type_of(features.get(name)) == "Image"
            others.append((name, "" if pictures else str(arrow_field.type)))
    if image.lower() not in ("image", "img"):
        reading.notes.add(f"{short}: pictures from column '{printable(image)}'")
    for name, kind in others:
        why = f"{kind[:40]} is no attribute" if kind else f"--image-column {name} takes its pictures instead"
        reading.notes.add(f"{short}: column '{printable(name)}' left out: {printable(why)}")
    return found


def _register(found: Columns, attribute: str, feature: Any, *, reading: Reading) -> None:
    if names := _names_of(feature):
        found.classes[attribute] = register(reading, printable(attribute)[:100], names)
