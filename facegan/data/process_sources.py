"""Stage one of preparing: turn the sources, chunk by chunk and in order, into files of crops and rejects.

Worker processes decode, crop, encode and describe; the result does not depend on their number. No torch here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data import near_duplicates as near
from facegan.data import png
from facegan.data.choosing import Chooser, PrepareConfig, Progress
from facegan.data.chunks import ChunkStore
from facegan.data.crops import Crop, Cropped, RejectedFace, apply_each, cut_alike, make_detector
from facegan.data.items import Item, Row
from facegan.data.pairs import SIDE_BY_SIDE, fitted, halves
from facegan.data.png import pixels_digest
from facegan.data.review import Finding, apply_reviewed, finding
from facegan.data.shards import beside
from facegan.data.sources import estimate
from facegan.data.summary import Early, packed
from facegan.errors import FaceganWarning, ImageError, InputError
from facegan.images import png_bytes, read_picture
from facegan.machine import cores
from facegan.values import Meaning, parse_range

THUMBNAIL = 192  # px, of the originals in detections.jpg


_STATE: dict[str, Any] = {}


def start(config: PrepareConfig) -> None:
    """Set a worker up.

    OpenCV keeps to one thread, so that two workers do not fight over two cores.
    """
    import cv2

    cv2.setNumThreads(1)
    if parent := multiprocessing.parent_process():

        def end_with_parent() -> None:
            parent.join()  # without it, this worker would wait for work for ever
            os._exit(1)

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent to answer
        threading.Thread(target=end_with_parent, daemon=True).start()
    _STATE.update({name: getattr(config, name) for name in ("crop", "max_pixels", "value_range")})
    _STATE.update(detector=make_detector(config.crop), halved=config.pairs == SIDE_BY_SIDE)
    _STATE.update(direction=config.direction)


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


def work(items: list[Item], splits: list[str], thumbnails: int) -> tuple[list[Row], list[bytes]]:
    """Return a chunk's rows in order, and thumbnails of the photos among its first ``thumbnails`` items."""
    rows: list[Row] = []
    seen: list[bytes] = []
    for number, (item, split) in enumerate(zip(items, splits, strict=True)):
        own, photo = _rows(item, split)
        rows += own
        if photo is not None and number < thumbnails:
            seen.append(_thumbnail(photo, own))
    return rows, seen


def _rows(item: Item, split: str) -> tuple[list[Row], np.ndarray | None]:
    digest = item.digest()
    if item.reject:
        return [Row(item.source, item.name, digest, item.reject)], None
    try:
        photo, meaning = _decode(item)
        given, photo = _input_and_target(item, photo)
        kept, rejected = _crops(photo, item)
    except ImageError as error:
        return [Row(item.source, item.name, digest, error.reason)], None
    except Exception as error:  # one hostile picture must not end the work on all others
        return [Row(item.source, item.name, digest, f"unreadable ({type(error).__name__})")], None
    rows = []
    for i, c in enumerate(kept):
        own = None if given is None else cut_alike(given, _STATE["crop"], c.face)
        made: dict[str, Any] = {"png": png.encode(c.image), "pixels_digest": pixels_digest(c.image, own)}
        made["near_hash"], made["gray"] = near.describe(beside(c.image, own))
        made["input_png"] = b"" if own is None else png.encode(own)
        made["values"] = packed(c.image, meaning if i == 0 else None, own is not None)
        if c.face is not None:
            made["box"] = [float(v) for v in c.face.box]
            made["landmarks"] = [float(v) for point in c.face.landmarks for v in point] or None
            made["score"] = c.face.confidence
        made |= {"attributes": item.attributes, "split": split, "by_review": c.by_review}
        rows.append(Row(item.source, item.name, digest, **made))
    return rows + [_reject(item, digest, error) for error in rejected], photo


def _crops(photo: np.ndarray, item: Item) -> tuple[list[Cropped], list[ImageError]]:
    if not item.decisions:
        return apply_each(photo, _STATE["crop"], _STATE["detector"])
    return apply_reviewed(photo, _STATE["crop"], _STATE["detector"], decisions=item.decisions)


def _reject(item: Item, digest: bytes, error: ImageError) -> Row:
    """Return the row of a reject, with its face if it is one of a face."""
    face = error.face if isinstance(error, RejectedFace) else None
    box = [float(v) for v in face.box] if face else None
    return Row(item.source, item.name, digest, error.reason, box=box, score=face.confidence if face else None)


def _input_and_target(item: Item, photo: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Return a pair as it came in, and None for the input of a picture that has none."""
    if _STATE["halved"]:
        return halves(photo, _STATE["crop"], _STATE["direction"])
    if item.paired is None:
        return None, photo
    try:
        given, _ = _decode(item.paired)
    except ImageError as error:
        raise ImageError(f"its input: {error.reason}", error.detail) from None
    return fitted(given, photo, resample=_STATE["crop"].resample), photo


def _thumbnail(photo: np.ndarray, rows: list[Row]) -> bytes:
    """Return the original with the boxes and landmarks of its kept faces, as JPEG."""
    import cv2

    scale = THUMBNAIL / max(photo.shape[:2])
    h, w = (max(1, round(n * scale)) for n in photo.shape[:2])
    small = cv2.resize(photo, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    small = small.reshape(h, w, -1)  # OpenCV drops a single channel
    small = np.ascontiguousarray(np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small)
    for row in rows:
        if row.box and not row.reject:
            x, y, bw, bh = (v * scale for v in row.box)
            corners = (round(x), round(y)), (round(x + bw), round(y + bh))
            cv2.rectangle(small, *corners, (60, 220, 60), 2, cv2.LINE_AA)
        for px, py in zip(*[iter(row.landmarks or [])] * 2, strict=False):
            cv2.circle(small, (round(px * scale), round(py * scale)), 2, (255, 80, 60), -1, cv2.LINE_AA)
    canvas = np.full((THUMBNAIL, THUMBNAIL, 3), 255, np.uint8)
    y0, x0 = (THUMBNAIL - h) // 2, (THUMBNAIL - w) // 2
    canvas[y0 : y0 + h, x0 : x0 + w] = small
    return png_bytes(canvas)


CHUNK, MAX_CHUNK = 32, 256  # pictures; those as small as digits are more in a chunk
MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 128 * 2**10, 32 * 2**20
WATCHED, MIN_WATCHED_BYTES = 4, 16 * 2**10  # where somebody watches faces being found
_THUMBNAILS = 36


def crop_photos(
    sources: Sequence[str],
    folder: Path,
    crop: Crop,
    *,
    workers: int,
    on_progress: Callable[[Progress], None],
    value_range: str = "",
    follow_links: bool = False,
) -> ChunkStore:
    """Run stage one alone: store every photo's crop or reject, duplicates included, under ``folder``."""
    parse_range(value_range)
    config = PrepareConfig(tuple(sources), crop, value_range=value_range, follow_links=follow_links)
    store = ChunkStore(folder, config.cutting())
    process_sources(Chooser(config), store, workers or cores(), on_progress=on_progress)
    return store


def _chunks(items: Iterator[tuple[Item, str]], watched: bool) -> Iterator[list[tuple[Item, str]]]:
    """Yield ``CHUNK`` items at a time, more if small, fewer if large, so that memory stays constant.

    Of chunks that are ``watched``, a few items; what becomes of the items does not depend on their chunks.
    """
    chunk: list[tuple[Item, str]] = []
    size = 0
    count, least = (WATCHED, MIN_WATCHED_BYTES) if watched else (CHUNK, MIN_CHUNK_BYTES)
    for item, split in items:
        chunk.append((item, split))
        size += item.size()
        enough = len(chunk) >= count and size >= least
        if enough or len(chunk) == MAX_CHUNK or size >= MAX_CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _digest(chunk: list[tuple[Item, str]], thumbnails: int) -> str:
    """Hash all that decides a chunk's outcome, so that changed sources are noticed on resuming."""
    total = hashlib.sha256(str(min(thumbnails, len(chunk))).encode())
    for item, split in chunk:
        attributes = json.dumps(item.attributes, sort_keys=True)
        parts = (item.source, item.name, item.reject, split, attributes, *map(repr, item.decisions))
        total.update("\0".join(parts).encode(errors="surrogateescape") + item.digest())
    return total.hexdigest()


class _Inline(Executor):
    """One worker without a process of its own."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        (future := Future[Any]()).set_result(fn(*args, **kwargs))
        return future


def _pool(config: PrepareConfig, workers: int) -> Executor:
    if workers == 1:
        start(config)
        return _Inline()
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start, (config,))


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Let processes that start meanwhile import nothing of the caller's script, and never see Ctrl-C.

    They need nothing of the script; it may call ``prepare`` without a guard, come from standard input, or
    import torch, which would cost each worker its memory. Ctrl-C, which waits until the end, would end in a
    traceback of theirs while they import.
    """
    masked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else ()
    main = sys.modules["__main__"].__dict__
    saved: dict[str, Any] = {name: main[name] for name in ("__spec__", "__file__") if name in main}
    main.update(__spec__=None)
    main.pop("__file__", None)
    try:
        yield
    finally:
        main.update(saved)
        if masked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Stage:
    """A few chunks are under way at once; they are stored in order."""

    def __init__(
        self,
        choose: Chooser,
        store: ChunkStore,
        on_progress: Callable[[Progress], None],
        *,
        on_found: Callable[[Finding], None] | None,
        early: Early | None,
    ) -> None:
        config = choose.config
        self.store, self.on_progress, self.on_found, self.early = store, on_progress, on_found, early
        self.under_way: deque[tuple[int, str, int, Future[Any] | tuple[int, int]]] = deque()
        self.begin, self.done, self.kept, self.rejected = time.monotonic(), 0, 0, 0
        self.total: int | None = None
        if not (config.include or config.where):
            self.total = estimate(config.sources, config.follow_links)
        if self.total is not None and config.limit:
            self.total = min(self.total, config.limit)

    def collect(self) -> None:
        """Store the chunk that has been under way for longest, once it is done."""
        index, digest, size, outcome = self.under_way.popleft()
        rows: list[Row] = []
        if isinstance(outcome, Future):
            rows, thumbnails = outcome.result()
            self.store.write(index, digest, rows, thumbnails=thumbnails)
            bad = sum(bool(row.reject) for row in rows)
            outcome = len(rows) - bad, bad
            last = self.done + size == self.total
            if self.early and (advised := self.early([row.reject for row in rows], last)):
                warnings.warn(advised, FaceganWarning, stacklevel=4)
        elif self.on_found:
            rows = list(self.store.chunk(index))
        if self.on_found:
            for row in rows:
                self.on_found(finding(row))
        good, bad = outcome
        self.done, self.kept, self.rejected = self.done + size, self.kept + good, self.rejected + bad
        seconds = time.monotonic() - self.begin
        self.on_progress(Progress(self.done, self.total, self.kept, self.rejected, seconds))


def process_sources(
    choose: Chooser,
    store: ChunkStore,
    workers: int,
    *,
    on_progress: Callable[[Progress], None],
    on_found: Callable[[Finding], None] | None = None,
    early: Early | None = None,
) -> None:
    """Fill ``store`` with what becomes of every picture that is chosen; chunks that it holds already stay.

    ``on_found`` takes every crop and reject in the order of the pictures. What ``early`` says of the first
    pictures is a FaceganWarning. InputError if a source cannot be read, or a worker process died
    (``workers`` = 1 works in this one).
    """
    stage = _Stage(choose, store, on_progress, on_found=on_found, early=early)
    count = before = 0
    with _pool(choose.config, workers) as pool:
        try:
            for index, chunk in enumerate(_chunks(choose.items(), on_found is not None)):
                thumbnails = max(0, _THUMBNAILS - before)
                count, digest = index + 1, _digest(chunk, thumbnails)
                outcome: Future[Any] | tuple[int, int] | None = store.has(index, digest)
                if outcome is None:
                    with _apart():
                        outcome = pool.submit(work, [i for i, _ in chunk], [s for _, s in chunk], thumbnails)
                stage.under_way.append((index, digest, len(chunk), outcome))
                before += len(chunk)
                if len(stage.under_way) > 2 * workers:
                    stage.collect()
            while stage.under_way:
                stage.collect()
        except BrokenProcessPool:
            why = "a worker process died (out of memory?); what is done is kept: run again, with --workers 1"
            raise InputError(why) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    store.truncate(count)
