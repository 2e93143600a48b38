"""Describe a dataset, and write its pictures for other programs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegan import images
from facegan.data.dataset import Dataset
from facegan.data.label_counts import alarms, dataset_kinds
from facegan.data.label_counts import examples as label_examples
from facegan.data.pairs import DIRECTIONS
from facegan.data.summary import (
    AttributeTally,
    advice,
    attribute_lines,
    classes_line,
    commonest,
    reason_lines,
)
from facegan.errors import InputError
from facegan.files import check_ending, temporary_beside, writing

_CHOOSING = ("pairs", "include", "where", "limit", "attributes", "split")


@dataclass(frozen=True)
class Inspection:
    """The result of :func:`inspect`; printed, it is the ``text``."""

    dataset: Dataset
    text: str
    written: tuple[str, ...]
    """The files that were written on request."""

    def __str__(self) -> str:
        return self.text


def inspect(
    dataset: str | Path | Dataset,
    *,
    grid: str | Path = "",
    count: int = 100,
    to_npz: str | Path = "",
    split: str = "train",
    rejects: int = 10,
    examples: str | Path = "",
) -> Inspection:
    """Look at a dataset: sizes, counts, attributes, rejects; write its pictures elsewhere on request.

    Args:
        dataset: A folder made by ``prepare``, or an open dataset.
        grid: Where the split's first pictures go as one PNG; '' writes none.
        count: How many pictures the grid has.
        to_npz: Where the split's pictures go as uint8 ``N,H,W,C`` (array ``arr_0``, of pairs also
            ``inputs``); '' writes none.
        split: Whose pictures ``grid``, ``to_npz`` and ``examples`` take.
        rejects: So many rejects are listed one by one.
        examples: Where a sheet goes that has a row of pictures for each class, and for each attribute's yes
            and no, as one PNG; '' writes none. With it, the text warns of labels that almost no picture has.

    Raises:
        InputError: An option cannot be, or a file cannot be written.
        DatasetError: The dataset is missing or damaged.
    """
    if count < 1 or rejects < 0:
        raise InputError("--count must be at least 1, --rejects at least 0")
    if split != "train" and not (grid or to_npz or examples):
        raise InputError(f"--split {split}: goes with --grid, --to-npz or --examples")
    files = (("--grid", grid, ".png"), ("--to-npz", to_npz, ".npz"), ("--examples", examples, ".png"))
    for option, path, suffix in files:
        if path:
            check_ending(option, str(path), [suffix])
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    if grid:
        with writing("--grid", str(grid)):
            images.save_png(grid, images.grid(_shown(data, count, split)))
    if to_npz:
        _write_npz(Path(to_npz), data, split)
    text = describe(data, rejects)
    if examples:
        text += "".join(f"\n{line}" for line in _write_examples(Path(examples), data, split))
    return Inspection(data, text, tuple(str(path) for path in (grid, to_npz, examples) if path))


def _write_examples(path: Path, data: Dataset, split: str) -> list[str]:
    """Write a sheet of examples of each label; return warnings."""
    found = dataset_kinds(data, split)
    if not found:
        raise InputError(
            f"--examples: {data.path} has no labels; 'facegan label' adds attributes of faces, and 'facegan "
            "prepare --classes folders' takes classes from folders"
        )
    with writing("--examples", str(path)):
        images.save_png(path, label_examples(data.images(split), found))
    return alarms(found)


def _shown(data: Dataset, count: int, split: str) -> np.ndarray:
    """Return the split's first pictures; of pairs, each with its input at the left."""
    pictures = data.peek(count, split)[:count]
    if not data.has_inputs:
        return pictures
    return np.concatenate([data.peek(count, split, "input")[:count], pictures], axis=2)


def describe(dataset: Dataset, rejects: int = 10) -> str:
    """Return lines on sizes, counts, how it was made, attributes with frequencies, rejects with reasons."""
    info, (h, w) = dataset.info, dataset.size
    lines = [
        f"{dataset.path}: {w}x{h} px, {dataset.channels} channel(s), content hash {dataset.content_hash[:16]}"
    ]
    kind = "pairs" if dataset.has_inputs else "pictures"
    lines += [f"  {split:<6}{count:8d} {kind}" for split, count in dataset.counts.items()]
    made = info["plan"]
    if generated := info.get("generated"):
        faces = f"{sum(dataset.counts.values()):,} of {generated['looked']:,} faces"
        ways = " reversed" * generated["reverse"]
        lines.append(f"generated: {generated['edits']}{ways}, {faces}, by the model {generated['hash'][:12]}")
    crop = ", ".join(f"{k} {v}" for k, v in dataset.crop.items() if k != "landmarks" and v)
    lines += ["made from " + ", ".join(made["sources"]), f"crop: {crop}"]
    options = _CHOOSING if made.get("direction") == DIRECTIONS[0] else ("direction", *_CHOOSING)
    chosen = [f"--{k} {made[k]}" for k in options if made.get(k)]
    lines += [f"chosen by {' '.join(chosen)}"] if chosen else []
    if selected := info.get("selected"):
        lines.append(f"selected from {info['made_from']['name']}: {selected['expression']}")
    if dataset.attribute_names:
        unknown = dataset.undescribed()
        none = f", of {unknown} pictures none is known" if unknown else ""
        lines.append(f"attributes (share of those known){none}:")
        predicted = info.get("predicted", {})
        lines += [
            _frequency(entry) + _confidence(predicted.get("names", {}).get(entry["name"]))
            for entry in attribute_summary(dataset)
        ]
        networks = {
            v.get("network", predicted["network"]) for v in predicted.get("names", {}).values() if v["count"]
        }
        lines += [f"predicted by the network {' and '.join(sorted(networks))}"] if networks else []
    lines.append(f"rejects: {len(info['rejects'])}")
    lines += [f"  {count:6d}  {reason}" for reason, count in commonest(info["rejects"])]
    lines += [f"    {r['source']}: {r['reason']}" for r in info["rejects"][:rejects]]
    lines.append(f"near duplicates: {len(info['near_duplicates'])}")
    lines += [f"prepare said: {note}" for note in info.get("notes", [])]
    return "\n".join(lines)


def summary_of_preparing(dataset: Dataset) -> str:
    """Return what was taken, what was left and why, and what helps."""
    info, total = dataset.info, sum(dataset.counts.values())
    counts = ", ".join(f"{n:,} {split}" for split, n in dataset.counts.items())
    h, w = dataset.size
    kind = "pair" if dataset.has_inputs else "picture"
    lines = [f"{dataset.path}: {total:,} {kind}{'s' * (total != 1)} of {w}x{h} ({counts})"]
    lines += attribute_lines(attribute_summary(dataset), total)
    lines += info.get("notes", [])
    rejects, near = info["rejects"], info["near_duplicates"]
    if rejects:
        lines.append(f"{len(rejects):,} left out (each with its reason in {dataset.path / 'dataset.json'}):")
        lines += reason_lines(rejects)
        lines += [f"  {helps}"] if (helps := advice(commonest(rejects), total, info["plan"])) else []
    if near:
        dropped = info["plan"]["drop_near_duplicates"]
        done = "dropped" if dropped else "kept (--drop-near-duplicates drops them)"
        lines.append(f"{len(near):,} near duplicates, {done}")
        if apart := sum("splits" in pair for pair in near):
            have = "picture has" if apart == 1 else "pictures have"
            lines.append(f"  {apart} {have} a near copy in another split, so scores there look too good")
    sheets = [dataset.path / name for name in ("preview.jpg", "detections.jpg")]
    lines.append(f"look at {' and '.join(str(sheet) for sheet in sheets if sheet.exists())}")
    return "\n".join(lines)


def attribute_summary(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the dataset's own summary, or, where an earlier version has written it, one made now."""
    if "attributes" in dataset.info:
        return list(dataset.info["attributes"])
    tally = AttributeTally()
    for split in dataset.counts:
        for row in dataset.attributes(split).tolist():
            values = zip(dataset.attribute_names, row, strict=True)
            tally.add({name: None if value == -1 else value for name, value in values})
    return tally.summary(dataset.attribute_names, dataset.class_names)


def _confidence(predicted: dict[str, float] | None) -> str:
    """Return how many values a network has given, and how sure it was."""
    if not predicted or not predicted["count"]:
        return ""
    return f"  ({predicted['count']:.0f} predicted, {predicted['confidence']:.0%} sure)"


def _frequency(entry: Mapping[str, Any]) -> str:
    """Return a line on one attribute: a bar for yes and no, else its commonest classes."""
    if not entry["known"]:
        return f"  {entry['name']:<22} unknown"
    if entry["kind"] != "yes/no":
        name, _, text = classes_line(entry, 12).partition(": ")
        return f"  {name:<22} {text}"
    share = entry["yes"] / entry["known"]
    return f"  {entry['name']:<22} {share:6.1%} {'#' * round(share * 40)}"


def _write_npz(path: Path, data: Dataset, split: str) -> None:
    arrays: dict[str, Any] = {"arr_0": data.images(split)}
    if data.has_inputs:
        arrays["inputs"] = data.inputs(split)
    if data.attribute_names:
        arrays["attributes"] = data.attributes(split)
        arrays["attribute_names"] = np.array(data.attribute_names)
    temporary = temporary_beside(path)
    try:
        with writing("--to-npz", str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as handle:
                np.savez(handle, **arrays)  # a memory map is written piece by piece
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
