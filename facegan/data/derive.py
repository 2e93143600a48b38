"""A new dataset from another one's pictures: some of them, or with other attributes; no pixel changes."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facegan import bars
from facegan.data.dataset import Dataset
from facegan.data.filters import Predicate, parse_where
from facegan.data.items import SPLITS, Row
from facegan.data.png import pixels_digest
from facegan.data.shards import (
    PLACES,
    Contents,
    Schema,
    ShardWriter,
    beside,
    columns,
    write_description,
)
from facegan.errors import DatasetError, InputError
from facegan.files import clear_leftovers, leftovers, rename, sync_folder, temporary_name, writing

Attributes = dict[str, int | None]
Confidence = dict[str, float | None]
OnProgress = Callable[[str, int, int], None]
Edit = Callable[[str, int, Attributes, Confidence], "tuple[Attributes, Confidence] | None"]


@dataclass
class _Plan:
    """Results of the first pass: the rows that stay, and what dataset.json says of them."""

    rows: dict[str, list[tuple[Attributes, Confidence] | None]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sources: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    contents: Contents = field(default_factory=Contents)


PARTS = ("data", "preview.jpg", "README.md")  # of a dataset, before dataset.json, which makes it one


def rewrite(
    data: Dataset,
    out: str | Path,
    edit: Edit,
    *,
    names: tuple[str, ...],
    more: Callable[[], dict[str, Any]],
    on_progress: OnProgress = lambda *_: None,
) -> Dataset:
    """Write ``out``: each row as ``edit(split, number, attributes, confidence)`` has it, or none for None.

    ``names`` are the attributes of the result; ``more`` says, once all rows have been seen, what else goes
    into dataset.json: those that it calls ``predicted`` have a confidence. Nothing is left behind by a
    failure; DatasetError if no picture is left.
    """
    out = Path(out)
    check_out(data, out)
    plan = _planned(data, edit, on_progress)
    if not sum(plan.counts.values()):
        raise DatasetError(f"{data.path}: no picture is left; nothing was written")
    target = out.resolve()
    stays = target.is_dir()  # empty, but somebody's working folder or mount
    temporary = (target if stays else target.parent) / temporary_name(target.name)
    try:
        with writing("--out", str(out)):
            (temporary / "data").mkdir(parents=True)
            info = _info(data, plan, names) | more()
            _write(data, plan, temporary / "data", schema=columns(info))
            write_description(temporary, target.name, info, preview=plan.contents.preview)
            if stays:
                for name in (*PARTS, "dataset.json"):
                    rename(temporary / name, target / name)
            else:
                rename(temporary, target)
            sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Dataset(out)


def check_out(data: Dataset, out: Path) -> None:
    """Raise InputError unless ``out`` is free and outside ``data``; remove what a killed process has left."""
    with writing("--out", str(out)):
        target = out.resolve()
        if leftovers(target, target.name) and not (target / "dataset.json").exists():  # killed as it moved
            for part in (target / name for name in PARTS if (target / name).exists()):
                shutil.rmtree(part) if part.is_dir() else part.unlink()
        for folder in (target, target.parent):
            clear_leftovers(folder, target.name)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"--out {out}: exists already; choose another folder")
        if data.path.resolve() in out.resolve().parents:
            raise InputError(f"--out {out} lies inside {data.path}; choose a folder outside of it")


def _info(data: Dataset, plan: _Plan, names: tuple[str, ...]) -> dict[str, Any]:
    """Return dataset.json; ``made_from`` says where the pictures come from, with that one's origin."""
    origin = {k: data.info[k] for k in ("made_from", "selected") if k in data.info}
    near = [d for d in data.info["near_duplicates"] if {d["source"], d["of"]} <= plan.sources]
    return {
        **{k: v for k, v in data.info.items() if k not in origin},
        "counts": {s: plan.counts[s] for s in data.counts if plan.counts[s]},
        "attribute_names": list(names),
        "attributes": plan.contents.tally.summary(names, data.class_names),
        "content_hash": plan.contents.content_hash(),
        "near_duplicates": near,
        "places": [name for name in PLACES if name in plan.places],
        "made_from": {"name": data.path.resolve().name, "content_hash": data.content_hash, **origin},
    }


def _planned(data: Dataset, edit: Edit, on_progress: OnProgress) -> _Plan:
    """First pass: ask ``edit`` of every row, and see what stays."""
    plan = _Plan()
    total, done = sum(data.counts.values()), 0
    for split in (split for split in SPLITS if split in data.counts):
        rows = plan.rows.setdefault(split, [])
        for number, row in enumerate(data.rows(split)):
            found = edit(split, number, row.get("attributes") or {}, row.get("confidence") or {})
            rows.append(found)
            done += 1
            if done % 256 == 0 or done == total:
                on_progress("reading", done, total)
            if found is None:
                continue
            picture = data.picture(row, split)
            given = data.picture(row, split, "input") if data.has_inputs else None
            digest, shown = pixels_digest(picture, given), beside(picture, given)
            plan.contents.add(split, digest, attributes=found[0], picture=shown)
            plan.counts[split] += 1
            plan.sources.add(row["source"])
            plan.places.update(name for name in PLACES if row.get(name) is not None)
    return plan


def _write(data: Dataset, plan: _Plan, folder: Path, *, schema: Schema) -> None:
    """Second pass: write the shards."""
    for split, decisions in plan.rows.items():
        with contextlib.closing(ShardWriter(folder, split, schema)) as writer:
            for row, found in zip(data.rows(split), decisions, strict=True):
                if found is None:
                    continue
                values: dict[str, Any] = {name: row.get(name) for name in PLACES}
                values |= {"attributes": found[0], "confidence": found[1], "png": row["image"]["bytes"]}
                values |= {"input_png": row["input"]["bytes"]} if data.has_inputs else {}
                writer.add(Row(row["source"], row["image"].get("path") or "", **values))


def confidence_by_name(sure: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return how many answers were predicted, and how sure they are on average."""
    return {n: {"count": len(v), "confidence": float(np.mean(v)) if v else 0.0} for n, v in sure.items()}


@dataclass(frozen=True)
class Selected:
    """The result of :func:`select`."""

    dataset: Dataset
    """The new dataset."""
    before: int
    """The number of pictures in the dataset that was chosen from."""
    unknown: int
    """The number of pictures that lack the attributes which decide."""


class _Choice:
    """The rows that fit an expression, counted as they are seen."""

    def __init__(self, fits: Predicate, *, min_confidence: float, limit: int, split: str) -> None:
        self.fits, self.min_confidence, self.limit, self.split = fits, min_confidence, limit, split
        self.unknown = self.kept = 0
        self.sure: dict[str, list[float]] = {}

    def __call__(  # noqa: PLR0917 -- as `rewrite` calls it
        self, of: str, number: int, attributes: Attributes, confidence: Confidence
    ) -> tuple[Attributes, Confidence] | None:
        if (self.split and of != self.split) or (self.limit and self.kept >= self.limit):
            return None
        sure = {k: v for k, v in attributes.items() if (confidence.get(k) or 1.0) >= self.min_confidence}
        answer = self.fits(sure)
        self.unknown += answer is None
        self.kept += answer is True
        if not answer:
            return None
        for name, value in confidence.items():
            if value is not None:
                self.sure.setdefault(name, []).append(value)
        return attributes, confidence


def select(
    dataset: str | Path | Dataset,
    expression: str,
    out: str | Path,
    *,
    min_confidence: float = 0.0,
    limit: int = 0,
    split: str = "",
    on_progress: OnProgress | None = None,
) -> Selected:
    """Write the pictures of which an expression is true as a dataset of their own.

    Args:
        dataset: A folder made by ``prepare`` or ``label``, or an open dataset.
        expression: Attribute names with and, or, not, parentheses and comparisons (see
            :mod:`facegan.data.filters`).
        out: The new dataset's folder.
        min_confidence: Predicted attributes that are less sure count as unknown.
        limit: At most so many pictures are kept, the first ones; 0 is all.
        split: One split alone; '' and ``all`` are all of them.
        on_progress: Takes what is done, how many rows are, and of how many; without it a bar shows it.

    Raises:
        InputError: The expression is not understood, or ``out`` cannot be.
        DatasetError: No picture fits, or the dataset is damaged.
    """
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    if not 0 <= min_confidence <= 1:
        raise InputError(f"--min-confidence must be from 0 to 1, not {min_confidence}")
    if limit < 0:
        raise InputError(f"--limit must be 0 or more, not {limit}")
    try:
        split = data.split(split) if split not in ("", "all") else ""
    except DatasetError as error:
        raise InputError(f"--split {split}: {error}") from None
    if not data.attribute_names:
        raise InputError(f"{data.path}: it has no attributes to choose by; 'facegan label' adds some")
    names, called = data.attribute_names, data.class_names
    fits = parse_where(expression, names, "EXPRESSION", class_names=called, whole=True)
    how: dict[str, Any] = {"min_confidence": min_confidence, "limit": limit, "split": split}
    choice = _Choice(fits, **how)

    def more() -> dict[str, Any]:
        before, selected = data.info.get("predicted"), {"selected": {"expression": expression, **how}}
        if not before:
            return selected
        names = {n: {**before["names"][n], **v} for n, v in confidence_by_name(choice.sure).items()}
        return {**selected, "predicted": {**before, "names": names}}

    try:
        with bars.shown(on_progress) as show:
            made = rewrite(data, out, choice, names=names, more=more, on_progress=show)
    except DatasetError as error:
        if "no picture is left" in str(error) and choice.unknown:
            count = choice.unknown
            raise DatasetError(f"{error} (of {count} pictures it is unknown whether they fit)") from None
        raise
    return Selected(made, sum(data.counts.values()), choice.unknown)
