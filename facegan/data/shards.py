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
from facegan.data.summary import AttributeTally, attribute_lines, reasons
from facegan.files import write_bytes
from facegan.images import grid, shrink
from facegan.marks import Mark, made
from facegan.xmp import embed

PLACES = ("box", "landmarks")  # left out of a dataset none of whose rows has them


@dataclass(frozen=True)
class Schema:
    """The columns of a dataset's shards besides ``image`` and ``source``.

    ``attributes`` are names, ``classes`` the names of those that have classes, ``predicted`` those with a
    confidence, ``places`` which of box and landmarks there are. ``inputs`` says whether there is a column
    ``input``: the pictures are the targets of pairs.
    """

    attributes: Sequence[str] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    predicted: Sequence[str] = ()
    places: Sequence[str] = PLACES
    inputs: bool = False

    def features(self) -> dict[str, Any]:
        """Return the features in the JSON of ``datasets``, which decodes and names classes by them."""
        # "Sequence" is what every version of datasets reads; "List" only those from 4 on.
        found: dict[str, Any] = {"image": {"_type": "Image"}}
        found |= {"input": {"_type": "Image"}} if self.inputs else {}
        found |= {"source": _value("string")}
        found |= {name: {"feature": _value("float32"), "_type": "Sequence"} for name in self.places}
        if self.attributes:
            found["attributes"] = {name: _value("int32") for name in self.attributes}
            for name in filter(self.classes.get, self.attributes):
                found["attributes"][name] = {"names": list(self.classes[name]), "_type": "ClassLabel"}
        if self.predicted:
            found["confidence"] = {name: _value("float32") for name in self.predicted}
        return found

    def arrow(self) -> Any:
        """Return the schema of a shard, its metadata the features."""
        import pyarrow as pa

        def kind(feature: dict[str, Any]) -> Any:
            match feature.get("_type"):
                case "Image":
                    return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
                case "Sequence":
                    return pa.list_(kind(feature["feature"]))
                case "ClassLabel":
                    return pa.int32()
                case "Value":
                    return pa.type_for_alias(feature["dtype"])
            return pa.struct([(name, kind(inner)) for name, inner in feature.items()])

        features = self.features()
        fields = [(name, kind(feature)) for name, feature in features.items()]
        return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


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


class ShardWriter:
    """Writes one split's shards, group by group, in constant memory; their final names come last."""

    def __init__(self, folder: Path, split: str, schema: Schema) -> None:
        self.folder, self.split, self.schema, self.arrow = folder, split, schema, schema.arrow()
        self.shards: list[Path] = []  # under temporary names
        self.rows: list[dict[str, Any]] = []  # of the group under way
        self.count = self.shard_bytes = self.group_bytes = 0
        self.writer: Any = None

    def add(self, row: Row) -> None:
        """Write a picture, of which the shards' columns are taken."""
        size = len(row.png) + len(row.input_png)
        if self.writer is None or self.count == SHARD_ROWS or self.shard_bytes + size > SHARD_BYTES:
            self._begin_shard()
        value: dict[str, Any] = {
            "image": {"bytes": row.png, "path": row.name.rpartition("/")[2]},
            "source": row.source,
            **{name: getattr(row, name) for name in self.schema.places},
        }
        if self.schema.inputs:
            value["input"] = {**value["image"], "bytes": row.input_png}
        if names := self.schema.attributes:
            value["attributes"] = {name: row.attributes.get(name) for name in names}
        if names := self.schema.predicted:
            value["confidence"] = {name: row.confidence.get(name) for name in names}
        self.rows.append(value)
        self.count, self.shard_bytes = self.count + 1, self.shard_bytes + size
        self.group_bytes += size
        if len(self.rows) == GROUP_ROWS or self.group_bytes > GROUP_BYTES:
            self._write_group()

    def _begin_shard(self) -> None:
        import pyarrow.parquet as pq

        self._end_shard()
        self.shards.append(self.folder / f".{self.split}-{len(self.shards):05d}.tmp")
        # PNG bytes do not compress any further.
        settings = {"compression": "none", "write_statistics": False}
        self.writer = pq.ParquetWriter(self.shards[-1], self.arrow, **settings)
        self.count = self.shard_bytes = 0

    def _write_group(self) -> None:
        import pyarrow as pa

        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, self.arrow))
        self.rows, self.group_bytes = [], 0

    def _end_shard(self) -> None:
        if self.writer is not None:
            self._write_group()
            self.writer.close()
            self.writer = None
            with open(self.shards[-1], "rb+") as handle:
                os.fsync(handle.fileno())

    def close(self) -> None:
        """Finish the last shard, and give all their names, which say how many there are."""
        self._end_shard()
        for i, shard in enumerate(self.shards):
            os.replace(shard, self.folder / f"{self.split}-{i:05d}-of-{len(self.shards):05d}.parquet")


class Contents:
    """Content hash, counts of attributes and preview of the pictures that are written, added one by one."""

    def __init__(self) -> None:
        self.tally, self.preview = AttributeTally(), list[np.ndarray]()
        # Split by split: how the sources interleave their splits leaves no trace.
        self._hashes = {split: hashlib.sha256() for split in SPLITS}

    @property
    def shows_next(self) -> bool:
        """Whether the next picture is one of the preview's."""
        return len(self.preview) < _PREVIEWS

    def add(
        self, split: str, digest: bytes, attributes: Mapping[str, int | None], *, picture: np.ndarray | None
    ) -> None:
        """Add a split's next picture, of which ``digest`` is the :func:`facegan.data.png.pixels_digest`.

        ``picture``, for the preview, may be None where :attr:`shows_next` is false.
        """
        text = json.dumps([split, digest.hex(), attributes], sort_keys=True)
        self._hashes[split].update(text.encode())
        self.tally.add(attributes)
        if picture is not None and self.shows_next:
            self.preview.append(shrink(picture, _PREVIEW_SIDE))

    def content_hash(self) -> str:
        """Return the hash of pixels and attributes, however they are stored."""
        return hashlib.sha256(b"".join(part.digest() for part in self._hashes.values())).hexdigest()


def write_description(folder: Path, name: str, info: dict[str, Any], *, preview: list[np.ndarray]) -> None:
    """Write preview.jpg, README.md and, last, dataset.json of the dataset called ``name``."""
    mark = made(info["generated"]["hash"]) if "generated" in info else Mark(kept=False)
    write_sheet(folder / "preview.jpg", preview, mark.packet())
    write_bytes(folder / "README.md", card(name, info).encode(errors="replace"))
    write_bytes(folder / "dataset.json", json.dumps(info, indent=1).encode())


def beside(picture: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """Return how a picture is shown: a pair's input, if there is one, at its left."""
    return picture if given is None else np.concatenate([given, picture], axis=1)


def write_sheet(path: Path, images: list[np.ndarray], packet: bytes = b"") -> None:
    """Write a contact sheet of ten pictures a row as JPEG, with the packet of a mark."""
    from PIL import Image

    made = grid(np.stack(images), min(10, len(images)))
    buffer = io.BytesIO()
    Image.fromarray(made[..., 0] if made.shape[2] == 1 else made).save(buffer, "JPEG", quality=90)
    write_bytes(path, embed(buffer.getvalue(), packet))


def columns(info: dict[str, Any]) -> Schema:
    """Return the columns of the dataset that dataset.json describes; older ones always had both places."""
    names = info.get("predicted", {}).get("names", {})
    predicted = [name for name, known in names.items() if known.get("count", 1)]
    places, inputs = info.get("places", PLACES), bool(info.get("has_inputs"))
    return Schema(info["attribute_names"], info.get("class_names", {}), predicted, places, inputs)


_ABOUT = {
    "box": "`box` (x, y, width, height)",
    "landmarks": "`landmarks` (x, y of left eye, right eye, nose, left and right mouth corner)",
}


def card(name: str, info: dict[str, Any]) -> str:
    """Return the Hub's dataset card: YAML front matter and a few plain sentences."""
    h, w = info["size"]
    total, counts = sum(info["counts"].values()), ", ".join(f"{n} {s}" for s, n in info["counts"].items())
    made = (
        "with an edit of generated faces"
        if "generated" in info
        else f"with the crop `{info['crop']['kind']}`"
    )
    return f"""---
{_front(info)}---

# {name}

{total} pictures of {w}x{h} px with {info["channels"]} channel(s): {counts}. Made by facegan
{info["facegan"]} {made}; {len(info["rejects"])} pictures were left out
({reasons(info["rejects"]) or "none"}), each listed with its reason in `dataset.json`.
Content hash `{info["content_hash"]}`.{_origin(info)}

{_columns(info)}

{_commands(list(info["counts"]))}
The licence is that of {"the model" if "generated" in info else "the sources"}.
"""


def _front(info: dict[str, Any]) -> str:
    """Return the YAML at the head.

    It has no numbers of rows: with these, ``datasets`` would refuse the folder once a shard is filtered.
    """
    import yaml

    total = sum(info["counts"].values())
    limits = [(1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M")]
    category = next((text for limit, text in limits if total < limit), "1M<n<10M")
    files = [{"split": s, "path": f"data/{s}-*.parquet"} for s in info["counts"]]
    head = {
        "task_categories": ["image-to-image" if info.get("has_inputs") else "unconditional-image-generation"],
        "size_categories": [category],
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": [_on_card(*column) for column in columns(info).features().items()]},
        "tags": ["facegan"],
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)


def _columns(info: dict[str, Any]) -> str:
    found = columns(info)
    parts = ["`image`", "`source`", *(_ABOUT[name] for name in found.places)]
    if found.inputs:
        parts[0] = "`input` and `image` (pairs: a translator learns to turn the first into the second)"
    text = f"Columns: {', '.join(parts)}" + ", both in pixels of the source" * (len(found.places) == 2)
    text += f", `attributes` ({', '.join(found.attributes)})" if found.attributes else ""
    text += ", `confidence` (of predicted attributes)" * bool(found.predicted) + "."
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
    if generated := info.get("generated"):
        first, then = ("edited", "plain") if generated["reverse"] else ("plain", "edited")
        text += (
            f"\n\nAll pictures are generated by the model {generated['model']} (hash "
            f"`{generated['hash'][:12]}`): `input` is {first}, `image` {then}, by {generated['edits']}. They "
            "show no real person."
        )
    if made := info.get("made_from"):
        text += f"\n\nMade from the dataset {made['name']} (content hash `{made['content_hash']}`)."
    if chosen := info.get("selected"):
        text += f" Its pictures were chosen by `{chosen['expression']}`."
    if predicted := info.get("predicted"):
        text += f" Attributes with a confidence were predicted by the network {predicted['network']}."
    return text
