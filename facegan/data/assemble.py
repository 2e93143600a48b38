"""Stage two of preparing: drop duplicates, write shards, card, contact sheets and dataset.json."""

from __future__ import annotations

import copy
import itertools
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.attribute_columns import Columns, note_lines
from facegan.data.choosing import Chooser, NothingLeft, Progress
from facegan.data.chunks import ChunkStore
from facegan.data.crops import describe
from facegan.data.dataset import FORMAT, Dataset
from facegan.data.items import SPLITS, AttributeValue, Row
from facegan.data.near_duplicates import NearDuplicates
from facegan.data.png import decode, pixels_digest
from facegan.data.review import LEFT_OUT
from facegan.data.shards import (
    PLACES,
    Contents,
    Schema,
    ShardWriter,
    beside,
    write_description,
    write_sheet,
)
from facegan.data.summary import Overview, advice, all_rejected, commonest, is_paired
from facegan.version import __version__

_BATCH = 512  # rows whose near duplicates are looked for at once


class RowSelection:
    """First pass: which rows stay, and everything that dataset.json says about the others.

    Near duplicates that shares of ``--split`` have parted go where the first of them went.
    """

    def __init__(self, store: ChunkStore, choose: Chooser) -> None:
        self.table, self.splitter = choose.table, choose.splitter
        self.drop_near = choose.config.drop_near_duplicates
        self.keep: list[bool] = []
        self.moved: dict[int, str] = {}
        self.rejects: list[dict[str, Any]] = []
        self.near: list[dict[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.places = False
        self.paired = 0
        self.sources: dict[bytes, str] = {}
        self.pixels: dict[bytes, str] = {}
        self.boxes = False
        self.near_sources: list[tuple[str, str]] = []
        near, self.overview = NearDuplicates(), Overview()
        columns = Columns(choose.reading.class_names, self.table.columns() if self.table else None)
        rows = store.rows(without=("png", "input_png", "landmarks"))
        while batch := list(itertools.islice(rows, _BATCH)):
            for row in batch:
                if row.reject == LEFT_OUT:  # its duplicates must not take its place
                    self.sources.setdefault(row.digest, row.source)
            reasons = [row.reject or self._twin(row) for row in batch]
            new = [row for row, reason in zip(batch, reasons, strict=True) if not reason]
            similar = iter(near.find_or_add([(row.near_hash, row.gray) for row in new]))
            for row, reason in zip(batch, reasons, strict=True):
                reason = reason or self._similar(row, next(similar))
                self._add(row, reason, columns)
        self.rules = columns.rules()
        self.names = [name for name, rule in self.rules.items() if rule.kind]

    def _twin(self, row: Row) -> str:
        """Return why a picture that has come before is left out, or ''."""
        # Several crops of one photo share its digest; the same photo again repeats all of them.
        if row.by_review:
            return ""
        first = self.sources.setdefault(row.digest, row.source)
        twin = first if first != row.source else self.pixels.get(row.pixels_digest)
        if twin is None:
            self.pixels[row.pixels_digest] = row.source
        return "" if twin is None else f"exact duplicate of {twin}"

    def _similar(self, row: Row, earlier: int | None) -> str:
        """Note what an ``earlier`` near duplicate means for a row; return why it is left out, or ''."""
        split, reason = row.split, ""
        if earlier is not None:
            first_source, first_split = self.near_sources[earlier]
            pair = {"source": row.source, "of": first_source}
            drawn = self.splitter(row.name, row.digest, None) if self.splitter.shares else ""
            if drawn == split != first_split:  # what its source holds out stays there
                split = self.moved[len(self.keep)] = first_split
            if first_split != split:
                pair["splits"] = f"{split}, {first_split}"
            self.near.append(pair)
            drops = self.drop_near and not row.by_review
            reason = f"near duplicate of {first_source}" if drops else ""
        self.near_sources.append((row.source, split))
        return reason

    def _add(self, row: Row, reason: str, columns: Columns) -> None:
        split = self.moved.get(len(self.keep), row.split)
        self.keep.append(not reason)
        self.boxes |= row.box is not None and not row.reject
        if reason:
            self.rejects.append({"source": row.source, "reason": reason} | _face(row))
            return
        self.places |= row.box is not None
        self.paired += is_paired(row)
        self.counts[split] += 1
        columns.add(self.raw(row))
        self.overview.see(row)

    def raw(self, row: Row) -> dict[str, AttributeValue]:
        """Return a row's attributes with those of the table beside the photos, as they have them."""
        return self.table.merged(row.name, row.source, row.attributes) if self.table else row.attributes

    def final(self, serial: int, row: Row) -> Row:
        """Return a row in the split where it goes, its attributes as their columns' rules have them."""
        raw = self.raw(row)
        values: dict[str, AttributeValue] = {n: self.rules[n](raw.get(n)) for n in self.names}
        changed = copy.copy(row)  # a tenth of the time of dataclasses.replace, for every picture
        vars(changed).update(split=self.moved.get(serial, row.split), attributes=values)
        return changed


def _face(row: Row) -> dict[str, Any]:
    """Return the entries of a reject's face, in px of the photo."""
    if row.box is None:
        return {}
    score = {} if row.score is None else {"confidence": round(row.score, 3)}
    return {"box": [round(value, 1) for value in row.box], **score}


def assemble(
    out: Path,
    store: ChunkStore,
    plan: dict[str, Any],
    *,
    choose: Chooser,
    on_progress: Callable[[Progress], None],
) -> Dataset:
    """Write everything, dataset.json last, so that it is there only if all else is.

    ``store`` holds what stage one has made of the pictures, ``choose`` has chosen them. NothingLeft if no
    picture stays.
    """
    begin = time.monotonic()
    selection, config, notes = RowSelection(store, choose), choose.config, choose.reading.notes
    kept, rejected = selection.counts.total(), len(selection.rejects)
    if not kept:
        why = all_rejected(selection.rejects) or choose.why_none() or "the sources hold none"
        help_ = advice(commonest(selection.rejects), 0, plan)
        text = f"no picture is left: {why}; nothing was written to {out}"
        raise NothingLeft(f"{text}; {help_}" if help_ else text)
    notes.kept = selection.counts
    for line in (*note_lines(selection.rules), *selection.overview.lines()):
        notes.add(line)
    if not selection.counts["train"]:
        notes.add("no picture is for training: all are held out by their source, or by --split")

    def report(serial: int) -> None:
        seconds = time.monotonic() - begin
        on_progress(Progress(serial, len(selection.keep), kept, rejected, seconds, "write"))

    classes = {name: list(rule.names) for name, rule in selection.rules.items() if rule.names}
    has_inputs = selection.paired == kept
    if selection.paired and not has_inputs:
        notes.add(
            f"{selection.paired:,} of {kept:,} pictures have inputs, which were left out: all must have one"
        )
    schema = Schema(selection.names, classes, (), PLACES if selection.places else (), has_inputs)
    contents = _write(out / "data", store, selection, schema=schema, report=report)
    if selection.boxes and (thumbnails := [decode(png) for png in store.thumbnails()]):
        write_sheet(out / "detections.jpg", thumbnails)
    h, w, channels = config.crop.shape
    info = {
        "format": FORMAT,
        "facegan": __version__,
        "size": [h, w],
        "channels": channels,
        "counts": {s: selection.counts[s] for s in SPLITS if selection.counts[s]},
        "attribute_names": selection.names,
        "class_names": schema.classes,
        "places": schema.places,
        "has_inputs": has_inputs,
        "attributes": contents.tally.summary(selection.names, schema.classes),
        "crop": describe(config.crop),
        "content_hash": contents.content_hash(),
        "plan": plan,
        "rejects": selection.rejects,
        "near_duplicates": selection.near,
        "notes": notes.lines(),
    }
    write_description(out, out.resolve().name, info, preview=contents.preview)
    report(len(selection.keep))
    return Dataset(out)


def _shown(row: Row) -> np.ndarray:
    """Return a row's picture for the preview."""
    return beside(decode(row.png), decode(row.input_png) if row.input_png else None)


def _write(
    folder: Path, store: ChunkStore, selection: RowSelection, *, schema: Schema, report: Callable[[int], None]
) -> Contents:
    """Second pass: write the shards of all splits, in the place of what an earlier attempt has left."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    splits = [s for s in SPLITS if selection.counts[s]]
    writers = {s: ShardWriter(folder, s, schema) for s in splits}
    contents = Contents()
    rows = store.rows(without=("digest", "reject", "near_hash", "gray", "values"))
    for serial, (row, keep) in enumerate(zip(rows, selection.keep, strict=True)):
        if keep:
            row = selection.final(serial, row)
            if row.input_png and not schema.inputs:
                vars(row).update(input_png=b"", pixels_digest=pixels_digest(decode(row.png)))
            writers[row.split].add(row)
            picture = _shown(row) if contents.shows_next else None
            contents.add(row.split, row.pixels_digest, attributes=row.attributes, picture=picture)  # type: ignore[arg-type]
        if serial % 512 == 0:
            report(serial)
    for writer in writers.values():
        writer.close()
    return contents
