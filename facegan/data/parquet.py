"""Pictures from tables: Parquet, prepared datasets, the Hub."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facegan.data.archives import capped
from facegan.data.items import MAX_FILE_BYTES, MAX_RATIO, AttributeValue, Item, hidden
from facegan.data.reading import Reading
from facegan.data.splits import name_words, split_named
from facegan.errors import InputError, first_line

_OURS = ("image", "img", "attributes", "source", "box", "landmarks")  # columns that are no attribute


def _row_item(
    row: dict[str, Any], source: str, index: int, split: str | None, numbers: Sequence[str] = ()
) -> Item:
    """``numbers`` are the columns that become attributes; every whole number if there are none."""
    value = row.get("image", row.get("img"))
    content, name = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    own = row.get("attributes")
    attributes: dict[str, AttributeValue] = (
        {k: _small(v) for k, v in own.items()} if isinstance(own, dict) else {}
    )
    for key, v in row.items():
        if key in numbers or (key not in _OURS and isinstance(v, (bool, int))):
            attributes[key] = _small(v)
    where = f"{source}!{index}"
    if not isinstance(content, bytes):
        return Item(str(name or index), where, reject="no picture in this row")
    if len(content) > MAX_FILE_BYTES:
        return Item(str(name or index), where, reject="file too large")
    return Item(
        str(name or index), str(row.get("source") or where), content, attributes=attributes, split=split
    )


def _small(value: Any) -> int | None:
    return int(value) if isinstance(value, (bool, int)) and -32768 <= value <= 32767 else None


def _check_groups(path: Path, metadata: Any) -> None:
    """InputError for a row group that unpacks beyond reason; a small file may hold large zeros."""
    for i in range(metadata.num_row_groups):
        columns = [metadata.row_group(i).column(j) for j in range(metadata.num_columns)]
        packed = sum(max(column.total_compressed_size, 0) for column in columns)
        unpacked = sum(column.total_uncompressed_size for column in columns)
        if unpacked > 2**20 + MAX_RATIO * packed:
            raise InputError(f"{path}: compressed beyond reason")


def _rows_at_once(metadata: Any) -> int:
    """So few that they fit in 256 MiB even if each is as large as its row group."""
    largest = max((metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)), default=0)
    return max(1, min(64, 2**28 // max(largest, 1)))


def from_parquet(path: Path, reading: Reading, below: Path | None = None) -> Iterator[Item]:
    """Rows with a column ``image``: Hugging Face's struct, or the encoded bytes themselves.

    The file's name says the split (``validation-00000-of-00001``), or a folder ``below`` the source's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    folders = path.relative_to(below).parts[:-1] if below else ()
    split = split_named([name_words(path.name)[0], *folders])
    try:
        with pq.ParquetFile(path) as file:
            _check_groups(path, file.metadata)
            columns = {field.name: field.type for field in file.schema_arrow}
            if not {"image", "img"} & set(columns):
                raise InputError(f"{path}: no column 'image' (columns: {', '.join(columns)})")
            whole = (pa.types.is_integer, pa.types.is_boolean)
            numbers = [n for n, t in columns.items() if n not in _OURS and any(is_(t) for is_ in whole)]
            index = 0
            for batch in file.iter_batches(_rows_at_once(file.metadata)):
                for row in batch.to_pylist():
                    yield _row_item(row, str(path), index, split, numbers)
                    index += 1
    except InputError:
        raise
    except Exception as error:  # Arrow's own, and Unicode, number and key errors of damaged files
        raise InputError(f"{path}: not a readable Parquet file ({first_line(error)})") from None


def from_dataset(path: Path, reading: Reading) -> Iterator[Item]:
    """Another prepared dataset, or any folder of Parquet files."""
    for file in sorted(path.rglob("*.parquet")):
        if not hidden(file.relative_to(path).as_posix()):
            yield from from_parquet(file, reading, path)


def _fetched(value: Any, open_file: Any) -> Any:
    """An image struct with its bytes: datasets of plain files only name them. Of the Hub's files alone,
    so that a stranger's table cannot name one of this machine."""
    if not isinstance(value, dict) or value.get("bytes") is not None:
        return value
    path = str(value.get("path") or "")
    if not path.rpartition("::")[2].startswith("hf://"):
        return value
    with open_file(path, "rb") as stream:
        return {"path": path.partition("::")[0].rpartition("/")[2], "bytes": capped(stream, MAX_FILE_BYTES)}


def from_hub(name: str, reading: Reading) -> Iterator[Item]:
    """A dataset on the Hugging Face Hub, streamed."""
    try:
        datasets: Any = importlib.import_module("datasets")  # a folder of this name may lie in the way
        open_file = importlib.import_module("datasets.utils.file_utils").xopen

        splits = datasets.get_dataset_split_names(name)
        for split in splits:
            stream = datasets.load_dataset(name, split=split, streaming=True)
            column = next((c for c in ("image", "img") if c in (stream.column_names or [])), None)
            if column is None:
                raise InputError(f"{name}: no column 'image' (columns: {stream.column_names})")
            stream = stream.cast_column(column, datasets.Image(decode=False))
            ours = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}.get(
                split
            )
            for index, row in enumerate(stream):
                row[column] = _fetched(row[column], open_file)
                yield _row_item(row, f"{name}/{split}", index, ours)
    except InputError:
        raise
    except Exception as error:  # network, name and permission errors of many libraries
        raise InputError(
            f"{name}: no such file or folder, and not readable as a Hub dataset ({type(error).__name__}); "
            "check the name, or the connection"
        ) from None
