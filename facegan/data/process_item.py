"""What a worker process does to each picture: decode, crop, encode, describe. No torch here."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import Any

import numpy as np

from facegan.data import near_duplicates as near
from facegan.data import png
from facegan.data.content import pixels_digest
from facegan.data.crops import Crop, apply_each, make_detector
from facegan.data.items import Item, Row
from facegan.data.overview import packed
from facegan.errors import ImageError
from facegan.images import png_bytes, read_picture
from facegan.values import Meaning

THUMBNAIL = 192  # px, of the originals in detections.jpg


_STATE: dict[str, Any] = {}


def start(crop: Crop, max_pixels: int, value_range: str = "") -> None:
    """Set a worker up; ``value_range`` is that of float and 16-bit files.

    OpenCV keeps to one thread, so that two workers do not fight over two cores.
    """
    import cv2

    cv2.setNumThreads(1)
    if parent := multiprocessing.parent_process():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent to answer
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _STATE.update(crop=crop, max_pixels=max_pixels, value_range=value_range, detector=make_detector(crop))


def _end_with(parent: Any) -> None:
    """End this worker once its parent has died: it would wait for work for ever."""
    parent.join()
    os._exit(1)


def _decode(item: Item) -> tuple[np.ndarray, Meaning | None]:
    """Return uint8 ``H,W,C`` (C = 1 or 3), and how values other than bytes were read."""
    if item.pixels is None:
        options = {name: _STATE[name] for name in ("max_pixels", "value_range")}
        return read_picture(item.content, item.name, **options)
    if item.pixels.shape[0] * item.pixels.shape[1] > _STATE["max_pixels"]:
        raise ImageError("too many pixels")
    if 0 in item.pixels.shape:
        raise ImageError("empty picture")
    pixels = item.pixels
    if pixels.shape[2] == 4:  # transparency over white, as everywhere
        alpha = pixels[..., 3:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    # Grey of grey is the same; only a detector and a crop in colour need three channels.
    enough = _STATE["crop"].gray and _STATE["detector"] is None
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 and not enough else pixels, item.meaning


def work(
    items: list[Item], splits: list[str], thumbnails: int
) -> tuple[list[Row], list[tuple[bytes, list[Row]]]]:
    """Return rows for a chunk in order, and for its first ``thumbnails`` pictures small JPEGs of the
    originals."""
    rows: list[Row] = []
    seen: list[tuple[bytes, list[Row]]] = []
    for item, split in zip(items, splits, strict=True):
        mine, photo = _rows(item, split)
        rows += mine
        if photo is not None and len(seen) < thumbnails:
            seen.append((_thumbnail(photo, mine), mine))
    return rows, seen


def _rows(item: Item, split: str) -> tuple[list[Row], np.ndarray | None]:
    digest = item.digest()
    if item.reject:
        return [Row(item.source, item.name, digest, item.reject)], None
    try:
        photo, meaning = _decode(item)
        kept, rejected = apply_each(photo, _STATE["crop"], _STATE["detector"])
    except ImageError as error:
        return [Row(item.source, item.name, digest, error.reason)], None
    except Exception as error:  # one hostile picture must not end the work on all others
        return [Row(item.source, item.name, digest, f"unreadable ({type(error).__name__})")], None
    rows = [
        Row(
            item.source,
            item.name,
            digest,
            "",
            png.encode(c.image),
            pixels_digest(c.image),
            *near.describe(c.image),
            None if c.face is None else [float(v) for v in c.face.box],
            None if c.face is None else [float(v) for point in c.face.landmarks for v in point],
            item.attributes,
            split,
            values=packed(c.image, meaning if i == 0 else None),
        )
        for i, c in enumerate(kept)
    ]
    return rows + [Row(item.source, item.name, digest, e.reason) for e in rejected], photo


def _thumbnail(photo: np.ndarray, rows: list[Row]) -> bytes:
    """Return the original with the boxes and landmarks of its kept faces, as JPEG."""
    import cv2

    scale = THUMBNAIL / max(photo.shape[:2])
    h, w = (max(1, round(n * scale)) for n in photo.shape[:2])
    small = cv2.resize(photo, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    small = small.reshape(h, w, -1)  # OpenCV drops a single channel
    small = np.ascontiguousarray(np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small)
    for row in rows:
        if row.box:
            x, y, bw, bh = (v * scale for v in row.box)
            cv2.rectangle(
                small, (round(x), round(y)), (round(x + bw), round(y + bh)), (60, 220, 60), 2, cv2.LINE_AA
            )
        for px, py in zip(*[iter(row.landmarks or [])] * 2, strict=False):
            cv2.circle(small, (round(px * scale), round(py * scale)), 2, (255, 80, 60), -1, cv2.LINE_AA)
    canvas = np.full((THUMBNAIL, THUMBNAIL, 3), 255, np.uint8)
    y0, x0 = (THUMBNAIL - h) // 2, (THUMBNAIL - w) // 2
    canvas[y0 : y0 + h, x0 : x0 + w] = small
    return png_bytes(canvas)
