"""Stage one of preparing: turn the sources, chunk by chunk and in order, into files of crops and rejects.

The result does not depend on the number of workers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from facegan.data.advice import Early
from facegan.data.choosing import Chooser, items
from facegan.data.chunks import ChunkStore
from facegan.data.config import PrepareConfig, Progress
from facegan.data.crops import Crop, describe
from facegan.data.items import Item
from facegan.data.process_item import start, work
from facegan.data.sources import estimate
from facegan.errors import FaceganWarning, InputError
from facegan.machine import cores
from facegan.values import parse_range

CHUNK, MAX_CHUNK = 32, 256  # pictures; those as small as digits are more in a chunk
MIN_CHUNK_BYTES, MAX_CHUNK_BYTES = 128 * 2**10, 32 * 2**20
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
    store = ChunkStore(folder, {**config.plan(), "geometry": describe(crop)})
    process_sources(Chooser(config), store, workers or cores(), on_progress=on_progress)
    return store


def _chunks(items: Iterator[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """Yield ``CHUNK`` items at a time (small ones up to ``MAX_CHUNK``), and no more than about
    ``MAX_CHUNK_BYTES``, so that memory stays constant."""
    chunk: list[tuple[Item, str]] = []
    size = 0
    for item, split in items:
        chunk.append((item, split))
        size += len(item.content) if item.pixels is None else item.pixels.nbytes
        enough = len(chunk) >= CHUNK and size >= MIN_CHUNK_BYTES
        if enough or len(chunk) == MAX_CHUNK or size >= MAX_CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _digest(chunk: list[tuple[Item, str]]) -> str:
    """Hash all that decides a chunk's outcome, so that changed sources are noticed on resuming."""
    total = hashlib.sha256()
    for item, split in chunk:
        parts = (item.source, item.reject, split, json.dumps(item.attributes, sort_keys=True))
        total.update("\0".join(parts).encode(errors="surrogateescape") + item.digest())
    return total.hexdigest()


class _Inline(Executor):
    """One worker without a process of its own."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _pool(config: PrepareConfig, workers: int) -> Executor:
    settings = (config.crop, config.max_pixels, config.value_range)
    if workers == 1:
        start(*settings)
        return _Inline()
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), start, settings)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep processes that start meanwhile from importing the caller's script.

    They need nothing of it; it may call ``prepare`` without a guard, come from standard input, or
    import torch, which would cost each worker its memory.
    """
    main = sys.modules["__main__"]
    kept = ("__spec__", "__file__")
    saved: dict[str, Any] = {name: main.__dict__[name] for name in kept if name in main.__dict__}
    main.__dict__.update(__spec__=None)
    main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        main.__dict__.update(saved)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the end; processes that start meanwhile never see it, not even while they import,
    which would end in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Stage:
    """A few chunks are under way at once; they are stored in order."""

    def __init__(
        self,
        choose: Chooser,
        store: ChunkStore,
        on_progress: Callable[[Progress], None],
        *,
        early: Early | None,
    ) -> None:
        config = choose.config
        self.store, self.on_progress, self.early = store, on_progress, early
        self.under_way: deque[tuple[int, str, int, Future[Any] | None]] = deque()
        self.begin, self.done, self.kept, self.rejected = time.monotonic(), 0, 0, 0
        self.total: int | None = None
        if not (config.include or config.where):
            self.total = estimate(config.sources, config.follow_links)
        if self.total is not None and config.limit:
            self.total = min(self.total, config.limit)

    def collect(self) -> None:
        """Store the chunk that has been under way for longest, once it is done."""
        index, digest, size, future = self.under_way.popleft()
        if future is not None:
            rows, thumbnails = future.result()
            self.store.write(index, digest, rows, thumbnails=thumbnails)
            bad = sum(bool(row.reject) for row in rows)
            good = len(rows) - bad
            last = self.done + size == self.total
            if self.early and (advised := self.early([row.reject for row in rows], last)):
                warnings.warn(advised, FaceganWarning, stacklevel=4)
        else:
            good, bad = self.store.counts(index)
        self.done, self.kept, self.rejected = self.done + size, self.kept + good, self.rejected + bad
        seconds = time.monotonic() - self.begin
        self.on_progress(Progress(self.done, self.total, self.kept, self.rejected, seconds))


def process_sources(
    choose: Chooser,
    store: ChunkStore,
    workers: int,
    *,
    on_progress: Callable[[Progress], None],
    first: Iterator[Item] | None = None,
    early: Early | None = None,
) -> None:
    """Fill ``store`` with what becomes of every picture that is chosen; chunks that it holds already stay.

    Args:
        choose: Chooses the pictures.
        store: Takes the rows.
        workers: The number of processes; 1 works in this one.
        on_progress: Takes the progress, after each chunk.
        first: The items of the first source, where it has been opened.
        early: What it says of the first pictures is a FaceganWarning.

    Raises:
        InputError: A source cannot be read, or a worker process died.
    """
    stage = _Stage(choose, store, on_progress, early=early)
    count = before = 0
    with _pool(choose.config, workers) as pool:
        try:
            for index, chunk in enumerate(_chunks(items(choose, first))):
                count, digest = index + 1, _digest(chunk)
                future = None
                if not store.has(index, digest):
                    thumbnails = max(0, _THUMBNAILS - before)
                    with _uninterrupted(), _without_main():
                        future = pool.submit(work, [i for i, _ in chunk], [s for _, s in chunk], thumbnails)
                stage.under_way.append((index, digest, len(chunk), future))
                before += len(chunk)
                if len(stage.under_way) > 2 * workers:
                    stage.collect()
            while stage.under_way:
                stage.collect()
        except BrokenProcessPool:
            raise InputError(
                "a worker process died (out of memory?); what is done is kept: run again, with --workers 1"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    store.truncate(count)
