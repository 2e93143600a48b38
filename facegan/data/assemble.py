"""Stage two of preparing: drop duplicates, write shards, card, contact sheets and dataset.json."""

from __future__ import annotations

import copy
import hashlib
import io
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan import __version__
from facegan.data.advice import advice
from facegan.data.attribute_columns import Columns, note_lines
from facegan.data.attribute_tables import AttributeTable, Splitter
from facegan.data.card import all_rejected, card, commonest
from facegan.data.chunks import ChunkStore
from facegan.data.crops import describe
from facegan.data.dataset import FORMAT, SPLITS, Dataset
from facegan.data.items import AttributeValue
from facegan.data.near_duplicates import NearDuplicates
from facegan.data.overview import Overview
from facegan.data.process_item import Row
from facegan.data.reading import Reading
from facegan.data.schema import PLACES, Schema
from facegan.data.summary import AttributeTally
from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.images import grid, resize

if TYPE_CHECKING:
    from facegan.data.prepare import PrepareConfig, Progress

SHARD_ROWS, SHARD_BYTES = 4096, 500 * 10**6
GROUP_ROWS, GROUP_BYTES = 256, 16 * 2**20  # small row groups let a reader, and this writer, stream
_BATCH = 512  # rows whose near duplicates are looked for at once
PREVIEW = 128  # px of a cell of preview.jpg at most


class NothingLeft(InputError):
    """Every picture was rejected, or there were none."""


class _Verdicts:
    """First pass: which rows stay, and everything that dataset.json says about the others.

    Near duplicates that a ``splitter`` by content has parted go where the first of them went.
    """

    def __init__(
        self, store: ChunkStore, drop_near: bool, splitter: Splitter, class_names: dict[str, list[str]],
        table: AttributeTable | None = None,
    ) -> None:  # fmt: skip
        self.table = table
        self.keep: list[bool] = []
        self.moved: dict[int, str] = {}
        self.rejects: list[dict[str, str]] = []
        self.near: list[dict[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.places = False
        self.cuts = {split: ShardCut() for split in SPLITS}
        self.sources: dict[bytes, str] = {}
        self.pixels: dict[bytes, str] = {}
        self.boxes = False
        near, self.near_sources = NearDuplicates(), []  # type: ignore[var-annotated]
        columns = Columns(class_names, table.columns() if table else None)
        self.overview = Overview()
        rows = store.rows(without=("landmarks",))
        while batch := list(itertools.islice(rows, _BATCH)):
            reasons = [row.reject or self._twin(row) for row in batch]
            new = [row for row, reason in zip(batch, reasons, strict=True) if not reason]
            similar = iter(near.find_or_add([(row.near_hash, row.gray) for row in new]))
            for row, reason in zip(batch, reasons, strict=True):
                reason = reason or self._similar(row, next(similar), splitter, drop_near)
                self._add(row, reason, columns)
        self.rules = columns.rules()
        self.names = [name for name, rule in self.rules.items() if rule.kind]

    def _twin(self, row: Row) -> str:
        """Why a picture that has come before is left out."""
        # Several crops of one photo share its digest; the same photo again repeats all of them.
        first = self.sources.setdefault(row.digest, row.source)
        twin = first if first != row.source else self.pixels.get(row.pixels_digest)
        if twin is None:
            self.pixels[row.pixels_digest] = row.source
        return "" if twin is None else f"exact duplicate of {twin}"

    def _similar(self, row: Row, earlier: int | None, splitter: Splitter, drop_near: bool) -> str:
        """Note what an ``earlier`` near duplicate means for a row; why it is left out, or ''."""
        split, reason = row.split, ""
        if earlier is not None:
            first_source, first_split = self.near_sources[earlier]
            told = {"source": row.source, "of": first_source}
            drawn = splitter(row.name, row.digest, None) if splitter.shares else ""
            if drawn == split != first_split:  # what its source holds out stays there
                split = self.moved[len(self.keep)] = first_split
            if first_split != split:
                told["splits"] = f"{split}, {first_split}"
            self.near.append(told)
            reason = f"near duplicate of {first_source}" if drop_near else ""
        self.near_sources.append((row.source, split))
        return reason

    def _add(self, row: Row, reason: str, columns: Columns) -> None:
        split = self.moved.get(len(self.keep), row.split)
        self.keep.append(not reason)
        self.boxes |= row.box is not None
        if reason:
            self.rejects.append({"source": row.source, "reason": reason})
            return
        self.places |= row.box is not None
        self.counts[split] += 1
        self.cuts[split].next_shard(len(row.png))
        columns.add(self.raw(row))
        self.overview.see(row)

    def schema(self) -> Schema:
        """Of the shards: box and landmarks, which come together, only where a picture that stays has them."""
        classes = {name: list(rule.names) for name, rule in self.rules.items() if rule.names}
        return Schema(self.names, classes, (), PLACES if self.places else ())

    def raw(self, row: Row) -> dict[str, AttributeValue]:
        """A row's attributes with those of the table beside the photos, as they have them."""
        return self.table.merged(row.name, row.source, row.attributes) if self.table else row.attributes

    def final(self, serial: int, row: Row) -> Row:
        """A row in the split where it goes, its attributes as their columns' rules have them."""
        raw = self.raw(row)
        values: dict[str, AttributeValue] = {n: self.rules[n](raw.get(n)) for n in self.names}
        changed = copy.copy(row)  # a tenth of the time of dataclasses.replace, for every picture
        vars(changed).update(split=self.moved.get(serial, row.split), attributes=values)
        return changed


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

    def __init__(self, folder: Path, split: str, total: int, schema: Schema) -> None:
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


def finish(
    out: Path,
    store: ChunkStore,
    plan: dict[str, Any],
    config: PrepareConfig,
    on_progress: Callable[[Progress], None],
    reading: Reading,
    why_none: str = "",
    table: AttributeTable | None = None,
) -> Dataset:
    """Write everything; dataset.json comes last, so that it is there only if all else is."""
    from facegan.data.prepare import Progress

    begin = time.monotonic()
    verdicts = _Verdicts(
        store, config.drop_near_duplicates, Splitter(config.split), reading.class_names, table
    )
    kept, rejected = sum(verdicts.counts.values()), len(verdicts.rejects)
    if not kept:
        why = all_rejected(verdicts.rejects) or why_none or "the sources hold none"
        help_ = advice(commonest(verdicts.rejects), 0, plan)
        raise NothingLeft(
            f"no picture is left: {why}; nothing was written to {out}" + f"; {help_}" * bool(help_)
        )
    reading.notes.kept = verdicts.counts
    for line in (*note_lines(verdicts.rules), *verdicts.overview.lines()):
        reading.notes.add(line)
    if not verdicts.counts["train"]:
        reading.notes.add("no picture is for training: all are held out by their source, or by --split")

    def told(serial: int) -> None:
        seconds = time.monotonic() - begin
        on_progress(Progress(serial, len(verdicts.keep), kept, rejected, seconds, "write"))

    schema = verdicts.schema()
    written = _write(out / "data", store, verdicts, schema, told)
    (h, w, channels), names = written.size, verdicts.names
    sheet(out / "preview.jpg", np.stack(written.preview))
    thumbnails = [decode(png) for png in store.thumbnails()]
    if thumbnails and verdicts.boxes:
        sheet(out / "detections.jpg", np.stack(thumbnails))
    info = {
        "format": FORMAT, "facegan": __version__, "size": [h, w], "channels": channels,
        "counts": {s: verdicts.counts[s] for s in SPLITS if verdicts.counts[s]}, "attribute_names": names,
        "class_names": schema.classes, "places": schema.places,
        "attributes": written.tally.summary(names, schema.classes),
        "crop": describe(config.crop), "content_hash": written.content_hash, "plan": plan,
        "rejects": verdicts.rejects, "near_duplicates": verdicts.near, "notes": reading.notes.lines(),
    }  # fmt: skip
    write_bytes(out / "README.md", card(out.resolve().name, info).encode(errors="replace"))
    write_bytes(out / "dataset.json", json.dumps(info, indent=1).encode())
    told(len(verdicts.keep))
    return Dataset(out)


@dataclass
class _Written:
    """What the second pass finds: the hash of all, the first pictures made small, and counts of attributes.

    ``size`` is (H, W, C).
    """

    content_hash: str
    size: tuple[int, ...]
    preview: list[np.ndarray]
    tally: AttributeTally


def _write(
    folder: Path, store: ChunkStore, verdicts: _Verdicts, schema: Schema, told: Callable[[int], None]
) -> _Written:
    """Second pass: the shards of all splits, in the place of what an earlier attempt has left."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    splits = [s for s in SPLITS if verdicts.counts[s]]
    writers = {s: ShardWriter(folder, s, verdicts.cuts[s].shards, schema) for s in splits}
    preview: list[np.ndarray] = []
    size: tuple[int, ...] = ()
    contents, tally = {split: hashlib.sha256() for split in SPLITS}, AttributeTally()
    rows = store.rows(without=("digest", "reject", "near_hash", "gray"))
    for serial, (row, keep) in enumerate(zip(rows, verdicts.keep, strict=True)):
        if keep:
            row = verdicts.final(serial, row)
            writers[row.split].add(row)
            tally.add(row.attributes)
            text = json.dumps([row.split, row.pixels_digest.hex(), row.attributes], sort_keys=True)
            contents[row.split].update(text.encode())
            if len(preview) < 100:
                picture = decode(row.png)
                size = picture.shape
                preview.append(small(picture))
        if serial % 512 == 0:
            told(serial)
    for writer in writers.values():
        writer.close()
    # By split, as the shards are: how the sources interleaved their splits leaves no trace.
    content_hash = hashlib.sha256(b"".join(content.digest() for content in contents.values())).hexdigest()
    return _Written(content_hash, size, preview, tally)


def decode(png: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        pixels = np.asarray(picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def small(picture: np.ndarray) -> np.ndarray:
    scale = PREVIEW / max(picture.shape[:2])
    if scale >= 1:
        return picture
    h, w = (max(1, round(n * scale)) for n in picture.shape[:2])
    return resize(picture, (h, w))


def sheet(path: Path, images: np.ndarray) -> None:
    from PIL import Image

    made = grid(images, min(10, len(images)))
    buffer = io.BytesIO()
    Image.fromarray(made[..., 0] if made.shape[2] == 1 else made).save(buffer, "JPEG", quality=90)
    write_bytes(path, buffer.getvalue())
