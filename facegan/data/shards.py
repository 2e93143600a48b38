"""A dataset's folder: the columns of its Parquet shards, its card, and what writes them."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.items import SPLITS, Row
from facegan.data.rejects import summary
from facegan.data.summary import AttributeTally, attribute_lines
from facegan.files import write_bytes
from facegan.images import grid, resize

PLACES = ("box", "landmarks")  # left out of a dataset none of whose rows has them


@dataclass(frozen=True)
class Schema:
    """Which columns the shards have besides ``image`` and ``source``; all shards of a dataset have the same.

    ``attributes`` are names, ``classes`` the names of those that have classes, ``predicted`` those with a
    confidence, ``places`` which of box and landmarks there are.
    """

    attributes: Sequence[str] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    predicted: Sequence[str] = ()
    places: Sequence[str] = PLACES

    def features(self) -> dict[str, Any]:
        """Return the features as ``datasets`` has them in JSON: by them it decodes pictures and names
        classes."""
        # "Sequence" is what every version of datasets reads; "List" only those from 4 on.
        found: dict[str, Any] = {"image": {"_type": "Image"}, "source": _value("string")}
        found |= {name: {"feature": _value("float32"), "_type": "Sequence"} for name in self.places}
        if self.attributes:
            found["attributes"] = {name: self._attribute(name) for name in self.attributes}
        if self.predicted:
            found["confidence"] = {name: _value("float32") for name in self.predicted}
        return found

    def _attribute(self, name: str) -> dict[str, Any]:
        if names := self.classes.get(name):
            return {"names": list(names), "_type": "ClassLabel"}
        return _value("int32")

    def arrow(self) -> Any:
        """Return the schema of a shard, its metadata the features."""
        import pyarrow as pa

        fields = [
            pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            pa.field("source", pa.string()),
            *(pa.field(name, pa.list_(pa.float32())) for name in self.places),
        ]
        if self.attributes:
            fields.append(pa.field("attributes", pa.struct([(name, pa.int32()) for name in self.attributes])))
        if self.predicted:
            fields.append(
                pa.field("confidence", pa.struct([(name, pa.float32()) for name in self.predicted]))
            )
        return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": self.features()}})})

    def card(self) -> list[dict[str, Any]]:
        """Return the features in the form of a card's ``dataset_info``, for shards that have lost their
        metadata."""
        return [_on_card(name, feature) for name, feature in self.features().items()]


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def _on_card(name: str, feature: dict[str, Any]) -> dict[str, Any]:
    match feature.get("_type"):
        case "Image":
            return {"name": name, "dtype": "image"}
        case "Value":
            return {"name": name, "dtype": feature["dtype"]}
        case "Sequence":
            return {"name": name, "sequence": feature["feature"]["dtype"]}
        case "ClassLabel":
            names = {str(i): text for i, text in enumerate(feature["names"])}
            return {"name": name, "dtype": {"class_label": {"names": names}}}
    return {"name": name, "struct": [_on_card(inner, its) for inner, its in feature.items()]}


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


class ContentHash:
    """Hash a dataset's pictures split by split: how the sources interleave their splits leaves no trace."""

    def __init__(self) -> None:
        self._splits = {split: hashlib.sha256() for split in SPLITS}

    def add(self, split: str, digest: bytes, attributes: Mapping[str, int | None]) -> None:
        """Add the next picture of a split, of which ``digest`` is the :func:`pixels_digest`."""
        text = json.dumps([split, digest.hex(), attributes], sort_keys=True)
        self._splits[split].update(text.encode())

    def hexdigest(self) -> str:
        return hashlib.sha256(b"".join(part.digest() for part in self._splits.values())).hexdigest()


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


def columns(info: dict[str, Any]) -> Schema:
    """Return the columns of the dataset that dataset.json describes; those of older ones always had both
    places."""
    names = info.get("predicted", {}).get("names", {})
    predicted = [name for name, known in names.items() if known.get("count", 1)]
    return Schema(info["attribute_names"], info.get("class_names", {}), predicted, info.get("places", PLACES))


_ABOUT = {
    "box": "`box` (x, y, width, height)",
    "landmarks": "`landmarks` (x, y of left eye, right eye, nose, left and right mouth corner)",
}


def card(name: str, info: dict[str, Any]) -> str:
    """Return the Hub's dataset card: YAML front matter and a few plain sentences."""
    h, w = info["size"]
    total, counts = sum(info["counts"].values()), ", ".join(f"{n} {s}" for s, n in info["counts"].items())
    return f"""---
{_front(info)}---

# {name}

{total} pictures of {w}x{h} px with {info["channels"]} channel(s): {counts}. Made by facegan
{info["facegan"]} with the crop `{info["crop"]["kind"]}`; {len(info["rejects"])} pictures were left out
({summary(info["rejects"]) or "none"}), each listed with its reason in `dataset.json`.
Content hash `{info["content_hash"]}`.{_origin(info)}

{_columns(info)}

{_commands(list(info["counts"]))}
The licence is that of the sources.
"""


def _front(info: dict[str, Any]) -> str:
    """Return the YAML at the head. It has no numbers of rows: with those, ``datasets`` would refuse the
    folder once another tool has filtered a shard."""
    import yaml

    total = sum(info["counts"].values())
    limits = [(1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M")]
    category = next((text for limit, text in limits if total < limit), "1M<n<10M")
    files = [{"split": s, "path": f"data/{s}-*.parquet"} for s in info["counts"]]
    head = {
        "task_categories": ["unconditional-image-generation"],
        "size_categories": [category],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": columns(info).card()},
        "tags": ["facegan"],
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)


def _columns(info: dict[str, Any]) -> str:
    found = columns(info)
    parts = ["`image`", "`source`", *(_ABOUT[name] for name in found.places)]
    text = f"Columns: {', '.join(parts)}" + (
        ", both in pixels of the source" if len(found.places) == 2 else ""
    )
    if found.attributes:
        text += f", `attributes` ({', '.join(found.attributes)})"
    text += (", `confidence` (of predicted attributes)" if found.predicted else "") + "."
    lines = attribute_lines(info.get("attributes", []), sum(info["counts"].values()), most=99)
    listed = [line if line.startswith(" ") else f"- {line}" for line in lines]
    return "\n".join([text, *([""] if listed else []), *listed])


def _commands(splits: list[str]) -> str:
    """Return how other tools read one split."""
    one, names = f"FOLDER/data/{splits[0]}-*.parquet", ", ".join(f"`{s}`" for s in splits)
    return f"""Splits: {names}. Other tools read one so, with this folder for `FOLDER`:

```python
datasets.load_dataset("FOLDER", split="{splits[0]}")
pandas.read_parquet(sorted(glob.glob("{one}")))
polars.read_parquet("{one}")
duckdb.sql("FROM '{one}'")
pyarrow.dataset.dataset(sorted(glob.glob("{one}")))
ray.data.read_parquet(sorted(glob.glob("{one}")))
```
"""


def _origin(info: dict[str, Any]) -> str:
    """Return which dataset this one comes from, by which choice, and what was predicted."""
    text = ""
    if made := info.get("made_from"):
        text += f"\n\nMade from the dataset {made['name']} (content hash `{made['content_hash']}`)."
    if chosen := info.get("selected"):
        text += f" Its pictures were chosen by `{chosen['expression']}`."
    if predicted := info.get("predicted"):
        text += f" Attributes with a confidence were predicted by the network {predicted['network']}."
    return text
