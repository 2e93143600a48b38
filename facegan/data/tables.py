"""Pictures from arrays (IDX, .npz) and tables (Parquet, prepared datasets, the Hub)."""

from __future__ import annotations

import importlib
import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.archives import capped
from facegan.data.attributes import name_words, split_named
from facegan.data.items import MAX_FILE_BYTES, MAX_RATIO, AttributeValue, Item, hidden
from facegan.data.reading import Reading
from facegan.errors import InputError, first_line

_OURS = ("image", "img", "attributes", "source", "box", "landmarks")  # columns that are no attribute


def _as_pixels(image: np.ndarray) -> np.ndarray:
    return image[..., None] if image.ndim == 2 else image


def _check_shape(what: str, shape: tuple[int, ...]) -> None:
    """InputError unless ``shape`` is ``N,H,W`` or ``N,H,W,C`` with something in it."""
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
        raise InputError(f"{what} has shape {shape}, which is no pictures: expected N,H,W or N,H,W,C")
    if 0 in shape:
        raise InputError(f"{what} is empty (shape {shape})")


def read_idx(path: Path) -> np.ndarray:
    """An IDX file (LeCun), packed by gzip or not, as an array of uint8."""
    import gzip
    import zlib

    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            most = 2**20 + MAX_RATIO * len(raw)
            with gzip.open(path, "rb") as stream:
                unpacked = capped(stream, most)
            if unpacked is None:
                raise InputError(f"{path}: compressed beyond reason")
            raw = unpacked
        if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != 8 or not 1 <= raw[3] <= 4:
            raise InputError(f"{path}: not an IDX file of bytes")
        dims = [int(n) for n in np.frombuffer(raw[4 : 4 + 4 * raw[3]].ljust(4 * raw[3], b"\0"), ">u4")]
        body = raw[4 + 4 * raw[3] :]
        if math.prod(dims) != len(body):
            raise InputError(f"{path}: its header promises {dims}, but {len(body)} bytes follow")
        return np.frombuffer(body, np.uint8).reshape(dims)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable IDX file ({first_line(error)})") from None


def from_idx(path: Path, reading: Reading) -> Iterator[Item]:
    """Pictures ``N,H,W`` (or ``N,H,W,C``); labels from the file beside it that is named alike."""
    images = read_idx(path)
    _check_shape(f"{path}: the array", images.shape)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = read_idx(beside) if beside != path and beside.is_file() else None
    if labels is not None and labels.shape != images.shape[:1]:
        raise InputError(f"{beside}: {len(labels)} labels for {len(images)} pictures")
    split = split_named(name_words(path.name)) or "train"
    for i, image in enumerate(images):
        attributes: dict[str, AttributeValue] = {} if labels is None else {"label": int(labels[i])}
        name = f"{path.name}/{i:06d}"
        yield Item(name, f"{path}!{i}", pixels=_as_pixels(image), attributes=attributes, split=split)


def _read_npz(path: Path) -> tuple[str, np.ndarray, np.ndarray | None]:
    """The name and the array of the pictures, and labels if there are any."""
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(info.file_size for info in packed.infolist())
        if unpacked > 2**20 + MAX_RATIO * path.stat().st_size:
            raise InputError(f"{path}: compressed beyond reason")
        with np.load(path, allow_pickle=False) as archive:
            name = next((n for n in ("images", "arr_0", "x_train") if n in archive.files), None)
            name = name or (archive.files[0] if archive.files else "")
            labels = archive["labels"] if "labels" in archive.files else None
            return name, archive[name], labels
    except InputError:
        raise
    except Exception as error:  # zip, header and dtype errors of many kinds, all of them the file's
        raise InputError(f"{path}: not a readable .npz of pictures ({first_line(error)})") from None


def _scale(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values in [0, 1], [-1, 1] or [0, 255], told by their range, to uint8."""
    images = images.astype(np.float32)
    scaled = images * 255 if low >= 0 and high <= 1 else (images + 1) * 127.5 if high <= 1 else images
    return np.clip(np.round(scaled), 0, 255).astype(np.uint8)


def from_npz(path: Path, reading: Reading) -> Iterator[Item]:
    """``N,H,W[,C]`` of uint8, or of floats in [0, 1] or [-1, 1]; labels from an array ``labels``."""
    name, images, labels = _read_npz(path)
    what = f"{path}: array '{name}'"
    _check_shape(what, images.shape)
    low, high = 0.0, 255.0
    if images.dtype != np.uint8:
        if images.dtype.kind not in "buif":
            raise InputError(f"{what} holds {images.dtype}, not numbers")
        low, high = float(images.min()), float(images.max())
        if not (-1 <= low <= high <= 255):  # false for NaN too
            raise InputError(f"{what} is neither uint8 nor within [0, 1], [-1, 1] or [0, 255]")
    good = labels is not None and labels.shape == (len(images),) and labels.dtype.kind in "biu"
    for i, image in enumerate(images):
        attributes: dict[str, AttributeValue] = {}
        if labels is not None and good:
            attributes["label"] = _small(int(labels[i]))
        pixels = image if images.dtype == np.uint8 else _scale(image, low, high)
        yield Item(f"{path.name}/{i:06d}", f"{path}!{i}", pixels=_as_pixels(pixels), attributes=attributes)


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
