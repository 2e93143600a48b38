"""From photos to a dataset: read, crop, check, pack. Killed at any moment, it goes on where it was.

Stage one turns the sources, chunk by chunk and in order, into files under ``OUT/.work``; stage two
drops duplicates and writes shards, card and contact sheets. The result does not depend on the
number of workers, and nothing is written outside ``OUT``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facegan import arguments, bars
from facegan.data.advice import Early
from facegan.data.assemble import NothingLeft, finish
from facegan.data.attribute_tables import attribute_files
from facegan.data.choosing import Chooser, begun, items
from facegan.data.chunks import ChunkStore, locked
from facegan.data.crops import CROPS, PRESETS, Crop, describe
from facegan.data.dataset import Dataset
from facegan.data.items import Item
from facegan.data.process_item import start, work
from facegan.data.sources import estimate, fingerprint
from facegan.errors import FaceganWarning, InputError
from facegan.images import RESAMPLE
from facegan.machine import cores
from facegan.values import parse_range

SIDES = 28, 1024  # px, from and to
CHUNK, _CHUNK_BYTES = 32, 32 * 2**20
_MOST, _LITTLE = 256, 128 * 2**10  # a chunk of pictures as small as digits has more of them
_THUMBNAILS = 36


@dataclass(frozen=True)
class Progress:
    """How far preparing is: pictures read of ``total`` (None if unknown), crops kept, rejects."""

    done: int
    total: int | None
    kept: int
    rejected: int
    seconds: float
    stage: str = "read"


@dataclass(frozen=True)
class PrepareConfig:
    """What is made from what; equal configurations on equal sources make equal datasets."""

    sources: tuple[str, ...]
    crop: Crop = field(default_factory=Crop)
    include: str = ""
    where: str = ""
    limit: int = 0
    attributes: str = ""
    split: str = ""
    drop_near_duplicates: bool = False
    max_pixels: int = 80_000_000
    value_range: str = ""
    image_column: str = ""
    follow_links: bool = False

    def plan(self) -> dict[str, Any]:
        """The configuration with fingerprints of all files that it names."""
        plan = asdict(self)
        plan["sources"] = list(self.sources)
        files = [*self.sources, *attribute_files(self.attributes), self.split]
        plan["fingerprints"] = [fingerprint(f, self.follow_links) if f else "" for f in files]
        return json.loads(json.dumps(plan))


def prepare(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    preset: str = "",
    crop: str = "aligned",
    size: int | tuple[int, int] = 64,
    gray: bool = False,
    resample: str = "lanczos",
    margin: float = 0.25,
    all_faces: bool = False,
    min_face: float = 20,
    min_confidence: float = 0.9,
    min_sharpness: float = 0.0,
    include: str = "",
    where: str = "",
    limit: int = 0,
    attributes: str | Path = "",
    split: str | Path = "",
    drop_near_duplicates: bool = False,
    max_pixels: int = 80_000_000,
    value_range: str = "",
    image_column: str = "",
    follow_links: bool = False,
    workers: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Dataset:
    """Make (or finish, or find already made) the dataset ``out`` and open it.

    ``size`` is the side of square pictures, or (height, width); each from 28 to 1,024 px.
    ``value_range`` (``LOW..HIGH``) says what arrays and float pictures hold where that is in doubt,
    ``image_column`` which column of a table holds the pictures.
    ``on_progress`` is told of the progress; without it a bar shows it (:func:`facegan.set_progress`).
    ``preset`` names a whole crop and overrules the crop's other settings. ``workers`` 0 is one for each
    core that this process may use.
    InputError in one line for what cannot work; single pictures are rejected with a reason instead.
    """
    if not isinstance(preset, str) or (preset and preset not in PRESETS):
        raise InputError(f"--preset '{preset}' is unknown (known: {', '.join(PRESETS)})")
    cut = {
        "kind": arguments.text(crop, "--crop"), "size": _size(size), "margin": margin, "resample": resample,
        "gray": gray, "all_faces": all_faces, "min_face": min_face, "min_confidence": min_confidence,
        "min_sharpness": min_sharpness,
    }  # fmt: skip
    choices = {
        "include": include, "where": where, "limit": limit, "attributes": attributes, "split": split,
        "drop_near_duplicates": drop_near_duplicates, "max_pixels": max_pixels, "value_range": value_range,
        "image_column": image_column, "follow_links": follow_links,
    }  # fmt: skip
    made = PRESETS[preset] if preset else Crop(**arguments.settings(Crop, cut))
    config = PrepareConfig(_sources(sources), _check(made), **arguments.settings(PrepareConfig, choices))
    if not config.sources:
        raise InputError("no source given")
    parse_range(value_range)
    if config.limit < 0:
        raise InputError(f"--limit must be 0 or more, not {limit}")
    workers = arguments.whole(workers, "--workers") or cores()
    place = arguments.place(out, "--out")
    if on_progress is not None:
        return run(config, place, workers, on_progress)
    with bars.shown() as told:
        return run(config, place, workers, lambda p: told(f"prepare {place}: {p.stage}", p.done, p.total))


def _sources(given: Any) -> tuple[str, ...]:
    """One source or several: files, folders, addresses of data sets."""
    listed = [given] if isinstance(given, (str, os.PathLike)) or not _is_list(given) else list(given)
    for source in listed:
        if not isinstance(source, (str, os.PathLike)):
            raise InputError(
                f"sources are files, folders or data sets, not {arguments.shown(source)}; of pictures in "
                "memory make a file with numpy.savez('pictures.npz', images=ARRAY)"
            )
    return tuple(map(str, listed))


def _is_list(given: Any) -> bool:
    return isinstance(given, Iterable) and not hasattr(given, "shape")


def _size(given: Any) -> int | tuple[int, int]:
    """The side of squares, or (height, width)."""
    if _is_list(given) and not isinstance(given, str) and len(sides := list(given)) == 2:
        height, width = (arguments.whole(side, "--size", *SIDES) for side in sides)
        return height, width
    return arguments.whole(given, "--size", *SIDES)


def _check(crop: Crop) -> Crop:
    if crop.kind not in CROPS:
        raise InputError(f"--crop '{crop.kind}' is unknown (known: {', '.join(CROPS)})")
    if crop.resample not in RESAMPLE:
        raise InputError(f"--resample '{crop.resample}' is unknown (known: {', '.join(RESAMPLE)})")
    least = min(crop.margin, crop.min_face, crop.min_sharpness)
    if not 0 <= least < float("inf") or not 0 <= crop.min_confidence <= 1:
        raise InputError(
            "--margin, --min-face and --min-sharpness must be 0 or more, --min-confidence 0 to 1"
        )
    return crop


def run(config: PrepareConfig, out: Path, workers: int, on_progress: Callable[[Progress], None]) -> Dataset:
    _check_out(config, out)
    plan = config.plan()
    if (out / "dataset.json").exists():
        return _existing(out, config, plan)
    choose = Chooser(config)
    first = begun(config, choose)
    work_dir = out / ".work"
    try:
        existed = out.is_dir()
        out.mkdir(parents=True, exist_ok=True)
        if not work_dir.is_dir() and any(out.iterdir()):
            raise InputError(f"{out}: not empty and not a dataset; choose another --out")
        with locked(work_dir):
            store = ChunkStore(work_dir, {**plan, "geometry": describe(config.crop)})
            _read(config, choose, store, workers, on_progress, first, Early(plan))
            try:
                choose.conclude()
                dataset = finish(
                    out, store, plan, config, on_progress, choose.reading, choose.why_none(), choose.table
                )
            except NothingLeft:
                shutil.rmtree(work_dir, ignore_errors=True)
                if not existed:
                    shutil.rmtree(out, ignore_errors=True)
                raise
            shutil.rmtree(work_dir, ignore_errors=True)
        return dataset
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from None


def crop_photos(
    sources: Sequence[str],
    folder: Path,
    crop: Crop,
    workers: int,
    on_progress: Callable[[Progress], None],
    value_range: str = "",
    follow_links: bool = False,
) -> ChunkStore:
    """Stage one alone: every photo's crop or reject, duplicates included, in files under ``folder``."""
    parse_range(value_range)
    config = PrepareConfig(tuple(sources), crop, value_range=value_range, follow_links=follow_links)
    store = ChunkStore(folder, {**config.plan(), "geometry": describe(crop)})
    _read(config, Chooser(config), store, workers or cores(), on_progress)
    return store


def _check_out(config: PrepareConfig, out: Path) -> None:
    """A dataset inside its own source would be read as a source the next time."""
    for text in config.sources:
        source = Path(text)
        if source.is_dir() and source.resolve() in (out.resolve(), *out.resolve().parents):
            raise InputError(f"--out {out} lies inside the source {text}; choose a folder outside of it")


def _existing(out: Path, config: PrepareConfig, plan: dict[str, Any]) -> Dataset:
    dataset = Dataset(out)
    if "made_from" in dataset.info:
        raise InputError(f"{out} was made from another dataset (see 'facegan inspect'); choose another --out")
    made = {**PrepareConfig(()).plan(), **dataset.info.get("plan", {})}  # options that it did not know yet
    changed = [key for key in plan if plan[key] != made.get(key)]
    if changed:
        names = ", ".join("sources' content" if key == "fingerprints" else key for key in changed)
        raise InputError(f"{out} holds a dataset made otherwise (different: {names}); choose another --out")
    crop = describe(config.crop)
    if crop.get("landmarks") != dataset.crop.get("landmarks"):
        raise InputError(
            f"{out} was made by an earlier facegan, whose tilted faces lie a little differently; it can be "
            "used as it is: to prepare the photos again, choose another --out"
        )
    if (before := dataset.crop.get("opencv", "")) != crop.get("opencv", ""):
        dataset.info["made_with"] = f"OpenCV {before or 'of an unknown version'}"
    dataset.info["already_made"] = True
    shutil.rmtree(out / ".work", ignore_errors=True)  # left if the run was killed as it ended
    return dataset


def _chunks(items: Iterator[tuple[Item, str]]) -> Iterator[list[tuple[Item, str]]]:
    """``CHUNK`` items (small ones up to ``_MOST``), and no more than about ``_CHUNK_BYTES``, so that memory
    stays constant."""
    chunk: list[tuple[Item, str]] = []
    size = 0
    for item, split in items:
        chunk.append((item, split))
        size += len(item.content) if item.pixels is None else item.pixels.nbytes
        enough = len(chunk) >= CHUNK and size >= _LITTLE
        if enough or len(chunk) == _MOST or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _digest(chunk: list[tuple[Item, str]]) -> str:
    """Over all that decides a chunk's outcome, so that changed sources are noticed on resuming."""
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
    if workers == 1:
        start(config.crop, config.max_pixels, config.value_range)
        return _Inline()
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, start, (config.crop, config.max_pixels, config.value_range))


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Processes that start meanwhile do not import the caller's script.

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
    """Ctrl-C waits until the end; processes that start meanwhile never see it, not even while they
    import, which would end in a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _read(
    config: PrepareConfig,
    choose: Chooser,
    store: ChunkStore,
    workers: int,
    on_progress: Callable[[Progress], None],
    first: Iterator[Item] | None = None,
    early: Early | None = None,
) -> None:
    """Stage one. A few chunks are under way at once; they are stored in order.

    What ``early`` says of the first pictures is a FaceganWarning.
    """
    begin = time.monotonic()
    total = estimate(config.sources, config.follow_links) if not (config.include or config.where) else None
    total = min(total, config.limit) if total is not None and config.limit else total
    done = kept = rejected = 0
    under_way: deque[tuple[int, str, int, Future[Any] | None]] = deque()

    def collect() -> None:
        nonlocal done, kept, rejected
        index, digest, size, future = under_way.popleft()
        if future is not None:
            rows, thumbnails = future.result()
            store.write(index, digest, rows, thumbnails)
            good, bad = sum(not r.reject for r in rows), sum(bool(r.reject) for r in rows)
            if early and (said := early([r.reject for r in rows], done + size == total)):
                warnings.warn(said, FaceganWarning, stacklevel=4)
        else:
            good, bad = store.counts(index)
        done, kept, rejected = done + size, kept + good, rejected + bad
        on_progress(Progress(done, total, kept, rejected, time.monotonic() - begin))

    count = before = 0
    with _pool(config, workers) as pool:
        try:
            for index, chunk in enumerate(_chunks(items(config, choose, first))):
                count, digest = index + 1, _digest(chunk)
                future = None
                if not store.has(index, digest):
                    thumbnails = max(0, _THUMBNAILS - before)
                    with _uninterrupted(), _without_main():
                        future = pool.submit(work, [i for i, _ in chunk], [s for _, s in chunk], thumbnails)
                under_way.append((index, digest, len(chunk), future))
                before += len(chunk)
                if len(under_way) > 2 * workers:
                    collect()
            while under_way:
                collect()
        except BrokenProcessPool:
            raise InputError(
                "a worker process died (out of memory?); what is done is kept: run again, with --workers 1"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    store.truncate(count)


__all__ = ["PrepareConfig", "Progress", "prepare", "run"]
