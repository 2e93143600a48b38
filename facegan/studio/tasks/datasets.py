"""Datasets for the page: their pictures, attributes and rejects, page by page."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.data.dataset import Dataset
from facegan.data.filters import parse_where
from facegan.errors import DatasetError, InputError
from facegan.studio.tasks import Given, Result

MAX_ROWS = 20_000
"""Pictures of a dataset that are looked through."""
MAX_REJECTS = 2_000
_MAX_PAGE = 400
_SHORT = 200  # characters of a note


@dataclass
class _Open:
    """A dataset, and what is known of its pictures; ``pictures`` are the bytes of a group of them."""

    data: Dataset
    rows: list[dict[str, Any]]
    sources: set[str]
    pictures: tuple[str, int, list[bytes]] = ("", 0, [])


_OPEN: dict[str, tuple[int, _Open]] = {}
_GROUP = 256  # pictures that are read at once, as the shards' row groups are


def opened(path: str) -> _Open:
    """Return an open dataset; it is read again if it has changed."""
    file = Path(path) / "dataset.json"
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    if path not in _OPEN or _OPEN[path][0] != changed:
        data = Dataset(path)
        rows = list(itertools.islice(_rows(data), MAX_ROWS))
        sources = {row["source"] for row in rows} | {r["source"] for r in data.info["rejects"]}
        _OPEN.clear()
        _OPEN[path] = changed, _Open(data, rows, sources)
    return _OPEN[path][1]


def _rows(data: Dataset) -> Any:
    columns = ["source", "box"] if "box" in data.info.get("places", ["box"]) else ["source"]
    columns += ["attributes"] * bool(data.attribute_names)
    columns += ["confidence"] * any(v.get("count", 1) for v in _predicted(data).values())
    for split in data.counts:
        for number, row in enumerate(data.rows(split, columns)):
            yield {"split": split, "n": number, **row}


def _predicted(data: Dataset) -> dict[str, dict[str, Any]]:
    return dict(data.info.get("predicted", {}).get("names", {}))


def dataset_rows(arguments: Given, content: bytes) -> Result:
    """Return what a dataset is, and a page of its pictures that fit ``where``, in an order."""
    found = opened(arguments["path"])
    data, rows = found.data, found.rows
    least = float(arguments.get("min_confidence", 0))
    if split := arguments.get("split", ""):
        rows = [row for row in rows if row["split"] == split]
    if where := str(arguments.get("where", "")).strip():
        fits = parse_where(
            where, data.attribute_names, "the filter", class_names=data.class_names, whole=True
        )
        rows = [row for row in rows if fits(_sure(row, least))]
    if key := _order(str(arguments.get("sort", "")), data):
        rows = sorted(rows, key=key)
    start = int(arguments.get("start", 0))
    page = rows[start : start + min(int(arguments.get("count", 120)), _MAX_PAGE)]
    about = {**_about(data), "looked_through": len(found.rows), "matching": len(rows), "start": start}
    return {**about, "rows": [_shown(row) for row in page]}, b""


def _sure(row: dict[str, Any], least: float) -> dict[str, Any]:
    known, confidence = row.get("attributes") or {}, row.get("confidence") or {}
    return {name: value for name, value in known.items() if (confidence.get(name) or 1.0) >= least}


def _order(sort: str, data: Dataset) -> Callable[[dict[str, Any]], Any] | None:
    """Return the key of an order: ``smallest``, or an attribute, its surest yes first (``-NAME``: no)."""
    if not sort:
        return None
    if sort == "smallest":
        return lambda row: max(row["box"][2:]) if row.get("box") else float("inf")
    name, sign = sort.removeprefix("-"), 1 if sort.startswith("-") else -1
    if name not in data.attribute_names:
        raise InputError(f"there is no attribute '{name[:60]}' to sort by")

    def key(row: dict[str, Any]) -> tuple[bool, float]:
        value = (row.get("attributes") or {}).get(name)
        sure = (row.get("confidence") or {}).get(name) or 1.0
        if value is None:
            return True, 0.0
        return False, sign * (sure if value == 1 else 1 - sure if value == 0 else value)

    return key


def _about(data: Dataset) -> dict[str, Any]:
    info = data.info
    plan = info.get("plan", {})
    return {
        "size": list(data.size),
        "channels": data.channels,
        "counts": data.counts,
        "total": sum(data.counts.values()),
        "hash": data.content_hash,
        "attributes": info.get("attributes", []),
        "predicted": _predicted(data),
        "crop": {name: info["crop"].get(name) for name in ("kind", "margin", "gray", "all_faces")},
        "sources": [str(source) for source in plan.get("sources", ())][:20],
        "made_from": info.get("made_from", {}).get("name", ""),
        "selected": info.get("selected", {}).get("expression", ""),
        "generated": "generated" in info,
        "notes": [str(note)[:_SHORT] for note in info.get("notes", [])],
        "rejected": len(info["rejects"]),
        "rejects": info["rejects"][:MAX_REJECTS],
        "near_duplicates": len(info["near_duplicates"]),
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    box = row.get("box")
    confidence = {k: round(v, 3) for k, v in (row.get("confidence") or {}).items() if v is not None}
    attributes = {k: v for k, v in (row.get("attributes") or {}).items() if v is not None}
    about = {"split": row["split"], "n": row["n"], "source": row["source"]}
    return {
        **about,
        "box": [round(value, 1) for value in box] if box else None,
        "attributes": attributes,
        "confidence": confidence,
    }


def dataset_picture(arguments: Given, content: bytes) -> Result:
    """Return picture ``n`` of a split as the PNG that the dataset has."""
    found, split, number = opened(arguments["path"]), str(arguments["split"]), int(arguments["n"])
    if not 0 <= number < found.data.counts.get(split, 0):
        raise InputError("the dataset has no such picture")
    first = number - number % _GROUP
    if found.pictures[:2] != (split, first):
        rows = itertools.islice(found.data.rows(split, ["image"]), first, first + _GROUP)
        found.pictures = (split, first, [row["image"]["bytes"] for row in rows])
    group = found.pictures[2]
    if number - first >= len(group) or not group[number - first].startswith(b"\x89PNG"):
        raise DatasetError("this picture of the dataset is damaged; prepare it again")
    return {}, group[number - first]


def photo_place(arguments: Given, content: bytes) -> Result:
    """Return file and member of a source that a dataset lists, if it lies in the project."""
    source, root = str(arguments["source"]), Path(arguments["root"])
    if source not in opened(arguments["path"]).sources:
        raise InputError("the dataset has no such photo")
    whole = (root / source).resolve()
    file, member = (whole, "") if whole.is_file() else _split(root, source)
    if not file.is_relative_to(root) or not file.is_file():
        raise InputError("the photo lies outside of this project, or is gone; only its crop is here")
    return {"file": str(file), "member": member}, b""


def _split(root: Path, source: str) -> tuple[Path, str]:
    archive, _, member = source.partition("!")
    return (root / archive).resolve(), member
