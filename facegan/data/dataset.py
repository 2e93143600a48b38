"""A prepared dataset: Parquet shards that other tools read, and a memory map for training.

See docs/conventions.md for the layout. Nothing here imports torch.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from facegan.errors import DatasetError, first_line

FORMAT = 1
SPLITS = ("train", "val", "test")
_STALE = 600.0  # seconds without a write: whoever made a temporary file is no more


class Dataset:
    """A folder written by ``facegan prepare``; DatasetError in one line if it is missing or damaged."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        file = self.path / "dataset.json"
        if not file.is_file():
            hint = "make one with 'facegan prepare'" if self.path.exists() else "there is no such folder"
            raise DatasetError(f"{self.path}: not a prepared dataset ({hint})")
        try:
            self.info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if self.info["format"] != FORMAT:
                raise DatasetError(
                    f"{file}: format {self.info['format']} is not {FORMAT}; is facegan up to date?"
                )
            self.size: tuple[int, int] = (int(self.info["size"][0]), int(self.info["size"][1]))
            self.channels = int(self.info["channels"])
            self.content_hash = str(self.info["content_hash"])
            self.attribute_names: tuple[str, ...] = tuple(self.info["attribute_names"])
            self.class_names: dict[str, list[str]] = {
                name: [str(n) for n in names] for name, names in self.info.get("class_names", {}).items()
            }
            self.counts: dict[str, int] = {k: int(v) for k, v in self.info["counts"].items()}
            self.crop: dict[str, Any] = dict(self.info["crop"])
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            RecursionError,
        ) as error:
            raise DatasetError(f"{file}: damaged ({type(error).__name__}: {error}); prepare again") from None

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        return cls(path)

    def shards(self, split: str = "train") -> list[Path]:
        """The split's Parquet files in order; DatasetError for a split that is not there."""
        if split not in self.counts:
            raise DatasetError(
                f"{self.path}: there is no split '{split}' (there are: {', '.join(self.counts)})"
            )
        return sorted((self.path / "data").glob(f"{split}-*.parquet"))

    def rows(self, split: str = "train", columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """Rows in order, a few at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        for shard in self.shards(split):
            try:
                with pq.ParquetFile(shard) as file:
                    for batch in file.iter_batches(256, columns=columns):
                        yield from batch.to_pylist()
            except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
                raise DatasetError(f"{shard}: damaged ({first_line(error)}); prepare again") from None

    def images(self, split: str = "train") -> np.ndarray:
        """Read-only memory map uint8 ``N,H,W,C``, decoded once into ``.cache``."""
        count = self.counts.get(split, 0)
        shards = self.shards(split)
        file = self.path / ".cache" / self.content_hash / f"{split}.npy"
        shape = (count, *self.size, self.channels)
        if not _is_map(file, shape):
            self._decode(file, shape, split, bool(shards))
        return np.load(file, mmap_mode="r")

    def peek(self, count: int, split: str = "train") -> np.ndarray:
        """The split's pictures uint8 ``N,H,W,C``, or only the first ``count`` where there is no memory
        map yet; writes nothing."""
        file = self.path / ".cache" / self.content_hash / f"{split}.npy"
        if _is_map(file, (self.counts.get(split, 0), *self.size, self.channels)):
            return np.load(file, mmap_mode="r")
        rows = itertools.islice(self.rows(split, ["image"]), count)
        return np.stack([self._picture(row, split) for row in rows])

    def batches(self, split: str = "train", size: int = 256) -> Iterator[np.ndarray]:
        """The split's pictures in order, uint8 ``n,H,W,C`` at a time; needs no memory map, writes nothing."""
        rows = self.rows(split, ["image"])
        while part := [self._picture(row, split) for row in itertools.islice(rows, size)]:
            yield np.stack(part)

    def _decode(self, file: Path, shape: tuple[int, ...], split: str, any_rows: bool) -> None:
        temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            if file.parent.parent.is_dir():  # maps of earlier contents are of no use
                for old in file.parent.parent.iterdir():
                    if old.is_dir() and old.name != self.content_hash:
                        shutil.rmtree(old, ignore_errors=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            for left in file.parent.glob(f".{file.name}.*.tmp"):  # by a process that was killed
                with suppress(FileNotFoundError):
                    if time.time() - left.stat().st_mtime > _STALE:
                        left.unlink()
            # Written, not mapped: on a full disk a map's pages end the process without a word.
            with open(temporary, "wb") as handle:
                header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(handle, header)
                index = 0
                for index, row in enumerate(self.rows(split, ["image"]) if any_rows else (), 1):
                    if index > shape[0]:
                        break
                    handle.write(self._picture(row, split).tobytes())
                if index != shape[0]:
                    raise DatasetError(
                        f"{self.path}: split '{split}' has {index} of {shape[0]} pictures; prepare again"
                    )
            os.replace(temporary, file)  # two processes write the same bytes: the last one wins
        except OSError as error:
            raise DatasetError(f"{file}: the memory map could not be written ({error.strerror})") from None
        finally:
            temporary.unlink(missing_ok=True)

    def _picture(self, row: dict[str, Any], split: str) -> np.ndarray:
        import io

        from PIL import Image

        try:
            with Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
                pixels = np.asarray(picture.convert("L" if self.channels == 1 else "RGB"))
            return pixels.reshape(*self.size, self.channels)
        except Exception as error:  # whatever a decoder makes of damaged bytes
            raise DatasetError(
                f"{self.path}: a picture of split '{split}' cannot be decoded ({first_line(error)})"
            ) from None

    def attributes(self, split: str = "train") -> np.ndarray:
        """int32 ``N,K`` in the order of ``attribute_names``: 1 yes, 0 no (or a class), -1 unknown.

        Where classes have names, ``class_names`` of the attribute holds those of the classes 0, 1, ...
        """
        names = self.attribute_names
        table = np.full((self.counts.get(split, 0), len(names)), -1, np.int32)
        if names:
            for i, row in enumerate(self._whole(split, "attributes")):
                values = row["attributes"] or {}
                table[i] = [-1 if values.get(name) is None else values[name] for name in names]
        return table

    def undescribed(self) -> int:
        """Of how many pictures, in all splits, no attribute is known."""
        return sum(int((self.attributes(split) == -1).all(1).sum()) for split in self.counts)

    def sources(self, split: str = "train") -> list[str]:
        """Where each picture came from."""
        return [row["source"] for row in self._whole(split, "source")]

    def _whole(self, split: str, column: str) -> list[dict[str, Any]]:
        """A column's rows, as many as dataset.json says."""
        rows = list(self.rows(split, [column]))
        if len(rows) != self.counts[split] or any(column not in row for row in rows[:1]):
            raise DatasetError(
                f"{self.path}: split '{split}' has {len(rows)} of {self.counts[split]} rows of '{column}'; "
                "prepare again"
            )
        return rows


def _is_map(file: Path, shape: tuple[int, ...]) -> bool:
    try:
        found = np.load(file, mmap_mode="r" if 0 not in shape else None)
        return bool(found.shape == shape and found.dtype == np.uint8)
    except Exception:  # of an absent file, an empty one, or one of any other kind
        return False


def schema(attribute_names: tuple[str, ...], predicted: tuple[str, ...] = ()) -> Any:
    """Arrow schema with the metadata by which ``datasets`` decodes the pictures."""
    import pyarrow as pa

    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "source": {"dtype": "string", "_type": "Value"},
        # "Sequence" is what every version of datasets reads; "List" only those from 4 on.
        "box": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"},
        "landmarks": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"},
    }
    fields = [
        pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        pa.field("source", pa.string()),
        pa.field("box", pa.list_(pa.float32())),
        pa.field("landmarks", pa.list_(pa.float32())),
    ]
    if attribute_names:
        features["attributes"] = {name: {"dtype": "int32", "_type": "Value"} for name in attribute_names}
        fields.append(pa.field("attributes", pa.struct([(name, pa.int32()) for name in attribute_names])))
    if predicted:
        features["confidence"] = {name: {"dtype": "float32", "_type": "Value"} for name in predicted}
        fields.append(pa.field("confidence", pa.struct([(name, pa.float32()) for name in predicted])))
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})
