"""Write a dataset's folder: Parquet shards, and what dataset.json, card and preview say of them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.card import card
from facegan.data.content import ContentHash
from facegan.data.items import Row
from facegan.data.schema import Schema
from facegan.data.summary import AttributeTally
from facegan.files import write_bytes
from facegan.images import grid, resize

SHARD_ROWS, SHARD_BYTES = 4096, 500 * 10**6
GROUP_ROWS, GROUP_BYTES = 256, 16 * 2**20  # small row groups let a reader, and this writer, stream
_PREVIEWS, _PREVIEW_SIDE = 100, 128  # pictures of preview.jpg, and px of a cell at most


class ShardCut:
    """Where a split's shards and their row groups end: by rows and bytes, so that memory stays constant
    however large the pictures are."""

    def __init__(self) -> None:
        self.shards, self.rows, self.bytes = 0, 0, 0

    def next_shard(self, size: int) -> bool:
        """Count one more picture; whether it begins a shard."""
        begins = not self.shards or self.rows == SHARD_ROWS or self.bytes + size > SHARD_BYTES
        if begins:
            self.shards, self.rows, self.bytes = self.shards + 1, 0, 0
        self.rows, self.bytes = self.rows + 1, self.bytes + size
        return begins


class ShardWriter:
    """Writes one split's shards, group by group, each under its final name once it is whole."""

    def __init__(self, folder: Path, split: str, total: int, *, schema: Schema) -> None:
        self.folder, self.split, self.total, self.schema = folder, split, total, schema
        self.arrow = schema.arrow()
        self.cut, self.rows, self.bytes = ShardCut(), [], 0  # type: ignore[var-annotated]
        self.writer: Any = None

    def add(self, row: Row) -> None:
        import pyarrow.parquet as pq

        if self.cut.next_shard(len(row.png)):
            self.close()
            name = f"{self.split}-{self.cut.shards - 1:05d}-of-{self.total:05d}.parquet"
            self.path, self.temporary = self.folder / name, self.folder / f".{name}.tmp"
            # PNG bytes do not compress any further.
            self.writer = pq.ParquetWriter(
                self.temporary, self.arrow, compression="none", write_statistics=False
            )
        value: dict[str, Any] = {
            "image": {"bytes": row.png, "path": row.name.rpartition("/")[2]},
            "source": row.source,
            **{name: getattr(row, name) for name in self.schema.places},
        }
        if names := self.schema.attributes:
            value["attributes"] = {name: row.attributes.get(name) for name in names}
        if names := self.schema.predicted:
            value["confidence"] = {name: row.confidence.get(name) for name in names}
        self.rows.append(value)
        self.bytes += len(row.png)
        if len(self.rows) == GROUP_ROWS or self.bytes > GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, self.arrow))
        self.rows, self.bytes = [], 0

    def close(self) -> None:
        """Finish the shard under way, if there is one."""
        if self.writer is None:
            return
        self._write_group()
        self.writer.close()
        self.writer = None
        with open(self.temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(self.temporary, self.path)


class Contents:
    """Content hash, counts of attributes and preview of the pictures that are written, added one by one."""

    def __init__(self) -> None:
        self.hash, self.tally = ContentHash(), AttributeTally()
        self.preview: list[np.ndarray] = []

    @property
    def shows_next(self) -> bool:
        """Whether the next picture is one of the preview's."""
        return len(self.preview) < _PREVIEWS

    def add(
        self, split: str, digest: bytes, attributes: Mapping[str, int | None], *, picture: np.ndarray | None
    ) -> None:
        """Add a picture, which may be None where :attr:`shows_next` is false."""
        self.hash.add(split, digest, attributes)
        self.tally.add(attributes)
        if picture is not None and self.shows_next:
            self.preview.append(_small(picture))


def write_description(folder: Path, name: str, info: dict[str, Any], *, preview: list[np.ndarray]) -> None:
    """Write preview.jpg, README.md and, last, dataset.json of the dataset called ``name``."""
    write_sheet(folder / "preview.jpg", preview)
    write_bytes(folder / "README.md", card(name, info).encode(errors="replace"))
    write_bytes(folder / "dataset.json", json.dumps(info, indent=1).encode())


def _small(picture: np.ndarray) -> np.ndarray:
    scale = _PREVIEW_SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    h, w = (max(1, round(n * scale)) for n in picture.shape[:2])
    return resize(picture, (h, w))


def write_sheet(path: Path, images: list[np.ndarray]) -> None:
    """Write a contact sheet of ten pictures a row as JPEG."""
    from PIL import Image

    made = grid(np.stack(images), min(10, len(images)))
    buffer = io.BytesIO()
    Image.fromarray(made[..., 0] if made.shape[2] == 1 else made).save(buffer, "JPEG", quality=90)
    write_bytes(path, buffer.getvalue())
