"""Pictures from arrays (IDX, .npz) and tables (Parquet, prepared datasets, the Hub)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.archives import capped
from facegan.data.items import Item, first_line, hidden
from facegan.errors import InputError


def _as_pixels(image: np.ndarray) -> np.ndarray:
    return image[..., None] if image.ndim == 2 else image


def read_idx(path: Path) -> np.ndarray:
    """An IDX file (LeCun), packed by gzip or not, as an array of uint8."""
    import gzip
    import zlib

    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as stream:
                unpacked = capped(stream, 4 * 2**30)
            if unpacked is None:
                raise InputError(f"{path}: larger than 4 GiB unpacked")
            raw = unpacked
        if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != 8 or not 1 <= raw[3] <= 4:
            raise InputError(f"{path}: not an IDX file of bytes")
        dims = np.frombuffer(raw[4 : 4 + 4 * raw[3]], ">u4").astype(np.int64)
        body = raw[4 + 4 * raw[3] :]
        if len(dims) != raw[3] or int(np.prod(dims)) != len(body):
            raise InputError(f"{path}: its header promises {dims.tolist()}, but {len(body)} bytes follow")
        return np.frombuffer(body, np.uint8).reshape(dims)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable IDX file ({first_line(error)})") from None


def from_idx(path: Path) -> Iterator[Item]:
    """Pictures ``N,H,W`` (or ``N,H,W,C``); labels from the file beside it that is named alike."""
    images = read_idx(path)
    if images.ndim not in (3, 4):
        raise InputError(f"{path}: holds no pictures (dimensions {list(images.shape)})")
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = read_idx(beside) if beside != path and beside.is_file() else None
    if labels is not None and len(labels) != len(images):
        raise InputError(f"{beside}: {len(labels)} labels for {len(images)} pictures")
    split = "test" if path.name.startswith(("t10k", "test")) else "train"
    for i, image in enumerate(images):
        attributes: dict[str, int | None] = {} if labels is None else {"label": int(labels[i])}
        name = f"{path.name}/{i:06d}"
        yield Item(name, f"{path}!{i}", pixels=_as_pixels(image), attributes=attributes, split=split)


def from_npz(path: Path) -> Iterator[Item]:
    """``N,H,W[,C]`` of uint8, or of floats in [0, 1] or [-1, 1]; labels from an array ``labels``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            name = next((n for n in ("images", "arr_0", "x_train") if n in archive.files), None)
            name = name or (archive.files[0] if archive.files else "")
            images = archive[name]
            labels = archive["labels"] if "labels" in archive.files else None
    except Exception as error:  # zip, header and dtype errors of many kinds, all of them the file's
        raise InputError(f"{path}: not a readable .npz of pictures ({first_line(error)})") from None
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3, 4)):
        raise InputError(f"{path}: array '{name}' has shape {images.shape}; expected N,H,W or N,H,W,C")
    if images.dtype != np.uint8:
        if images.size and (not np.isfinite(images).all() or images.max() > 255 or images.min() < -1):
            raise InputError(
                f"{path}: array '{name}' is neither uint8 nor within [0, 1], [-1, 1] or [0, 255]"
            )
        images = images.astype(np.float32)
        low, high = (images.min(), images.max()) if images.size else (0, 1)
        scaled = images * 255 if low >= 0 and high <= 1 else (images + 1) * 127.5 if high <= 1 else images
        images = np.clip(np.round(scaled), 0, 255).astype(np.uint8)
    for i, image in enumerate(images):
        attributes: dict[str, int | None] = {}
        if labels is not None and labels.shape == (len(images),):
            attributes = {"label": int(labels[i])}
        yield Item(f"{path.name}/{i:06d}", f"{path}!{i}", pixels=_as_pixels(image), attributes=attributes)


def _row_item(row: dict[str, Any], source: str, index: int, split: str | None) -> Item:
    value = row.get("image", row.get("img"))
    content, name = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
    attributes = {k: _small(v) for k, v in (row.get("attributes") or {}).items()}
    for key, v in row.items():
        if key not in ("image", "img", "attributes", "source", "box", "landmarks") and isinstance(
            v, (bool, int)
        ):
            attributes[key] = _small(v)
    where = f"{source}!{index}"
    if not isinstance(content, bytes):
        return Item(str(name or index), where, reject="no picture in this row")
    return Item(
        str(name or index), str(row.get("source") or where), content, attributes=attributes, split=split
    )


def _small(value: Any) -> int | None:
    return int(value) if isinstance(value, (bool, int)) and -32768 <= value <= 32767 else None


def from_parquet(path: Path) -> Iterator[Item]:
    """Rows with a column ``image``: Hugging Face's struct, or the encoded bytes themselves."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    split = next((s for s in ("train", "val", "test") if path.name.startswith(f"{s}-")), None)
    try:
        with pq.ParquetFile(path) as file:
            if not {"image", "img"} & set(file.schema_arrow.names):
                raise InputError(f"{path}: no column 'image' (columns: {', '.join(file.schema_arrow.names)})")
            index = 0
            for batch in file.iter_batches(64):
                for row in batch.to_pylist():
                    yield _row_item(row, str(path), index, split)
                    index += 1
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({first_line(error)})") from None


def from_dataset(path: Path) -> Iterator[Item]:
    """Another prepared dataset, or any folder of Parquet files."""
    for file in sorted(path.rglob("*.parquet")):
        if not hidden(file.relative_to(path).as_posix()):
            yield from from_parquet(file)


def from_hub(name: str) -> Iterator[Item]:
    """A dataset on the Hugging Face Hub, streamed."""
    try:
        import datasets

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
                yield _row_item(row, f"{name}/{split}", index, ours)
    except InputError:
        raise
    except Exception as error:  # network, name and permission errors of many libraries
        raise InputError(
            f"{name}: no such file or folder, and not readable as a Hub dataset ({type(error).__name__}); "
            "check the name, or the connection"
        ) from None
