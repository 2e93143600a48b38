"""The sets of pictures that are compared: samples of a model, files of a folder, or a split of a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegan.caches import Cache
from facegan.data.dataset import Dataset
from facegan.errors import ImageError, InputError
from facegan.generator import Generator
from facegan.images import array_to_uint8, luma, read_image_file, resize
from facegan.metrics.features import FeatureTable

FIRST_SEED = 10_000  # the figures' pictures are seeds 0..N
BATCH = 64

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pictures:
    """``at`` gives the pictures of some rows, uint8 ``n,H,W,C``. ``key`` names the content, if that is known;
    ``cache`` is where features of it may be kept."""

    name: str
    count: int
    shape: tuple[int, int, int]
    """(H, W, C)."""
    at: Callable[[np.ndarray], np.ndarray]
    key: str = ""
    cache: Cache | None = None
    generator: Generator | None = None
    truncation: float = 1.0
    """Of the generator's samples."""

    def spaced(self, count: int) -> np.ndarray:
        """At most ``count`` pictures, evenly spaced."""
        return self.at((np.arange(min(count, self.count)) * self.count) // min(count, self.count))

    def batches(self) -> Iterator[np.ndarray]:
        for start in range(0, self.count, BATCH):
            yield self.at(np.arange(start, min(start + BATCH, self.count)))

    def limited(self, count: int) -> Pictures:
        """The same with at most ``count`` pictures, evenly spaced."""
        if count >= self.count:
            return self
        rows = (np.arange(count) * self.count) // count
        at = self.at
        return replace(
            self, count=count, at=lambda r: at(rows[r]), key=f"{self.key}/{count}" * bool(self.key)
        )


def of_model(generator: Generator, name: str, count: int, truncation: float = 1.0) -> Pictures:
    """Samples of the seeds 10,000 and up, with labels as training pictures have them."""
    generator = generator.as_trained()
    c, h, w = generator.image_shape
    return Pictures(
        name, count, (h, w, c),
        lambda rows: generator.sample([FIRST_SEED + int(r) for r in rows], truncation),
        generator=generator, truncation=truncation,
    )  # fmt: skip


def of_dataset(data: Dataset, split: str) -> Pictures:
    images = data.images(split)
    key = f"{data.content_hash}/{split}"
    return Pictures(
        f"{data.path} ({split})", len(images), images.shape[1:], lambda rows: images[rows], key, data.cache
    )


def of_array(images: np.ndarray, name: str = "pictures") -> Pictures:
    """``N,H,W,C`` of any numbers that :func:`facegan.values.array_to_uint8` reads."""
    images = array_to_uint8(images, name)
    return Pictures(name, len(images), images.shape[1:], lambda rows: images[rows])


def of_folder(path: Path, said: Callable[[str], None] = lambda _: None) -> Pictures:
    """Every picture below ``path``, in the order of their names; all must be of one size.

    Files that are no pictures are left out; how many is ``said``.
    """
    from facegan.data.items import hidden, looks_like_image

    files = [
        f for f in sorted(path.rglob("*"))
        if f.is_file() and looks_like_image(f.name) and not hidden(f.relative_to(path).as_posix())
    ]  # fmt: skip
    good, shape, bad = [], None, 0
    for file in files:
        try:
            picture = read_image_file(file)
        except ImageError:
            bad += 1
            continue
        shape = shape or picture.shape
        if picture.shape != shape:
            raise InputError(
                f"{file}: {picture.shape[1]}x{picture.shape[0]} px, the others {shape[1]}x{shape[0]}; "
                "bring them to one size with 'facegan prepare --crop none --size N'"
            )
        good.append(file)
    if bad:
        said(f"{path}: {bad} unreadable pictures left out")
    if shape is None:
        raise InputError(f"{path}: no dataset, no run, and no pictures in it")
    return Pictures(
        str(path),
        len(good),
        (shape[0], shape[1], 3),
        lambda rows: np.stack([read_image_file(good[r]) for r in rows]),
    )


def like(pictures: Pictures, shape: tuple[int, int, int]) -> Pictures:
    """The same brought to the size and channels ``shape`` (H, W, C)."""
    if pictures.shape == shape:
        return pictures
    at, (h, w, c) = pictures.at, shape

    def brought(rows: np.ndarray) -> np.ndarray:
        found = at(rows)
        if found.shape[1:3] != (h, w):
            found = np.stack([resize(p, (h, w)) for p in found])
        if c == 1 and found.shape[3] == 3:
            found = np.stack([luma(p) for p in found])
        return np.repeat(found, 3, 3) if c == 3 and found.shape[3] == 1 else found

    key = f"{pictures.key}/{shape}" if pictures.key else ""
    return replace(pictures, shape=shape, at=brought, key=key)


def features_of(pictures: Pictures, table: FeatureTable, on_progress: Progress | None = None) -> np.ndarray:
    """float32 ``N,dim``, from the cache where they are there, else computed, and kept where they may be."""
    name = ""
    if pictures.cache is not None and pictures.key:
        digest = hashlib.sha256(f"{pictures.key}/{table.key}".encode()).hexdigest()[:16]
        name = f"features-{table.name}-{digest}.npy"
        for file in pictures.cache.files(name):
            if (known := _cached(file, (pictures.count, table.dim))) is not None:
                return known
    found = np.empty((pictures.count, table.dim), np.float32)
    done = 0
    for batch in pictures.batches():
        found[done : done + len(batch)] = table(batch)
        done += len(batch)
        if on_progress is not None:
            on_progress(f"features of {pictures.name}", done, pictures.count)
    if not np.isfinite(found).all():
        raise InputError(f"{pictures.name}: the features '{table.name}' are not finite")
    if pictures.cache is not None and name:
        pictures.cache.keep(name, lambda handle: np.save(handle, found), found.nbytes)
    return found


def _cached(file: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        found = np.load(file, mmap_mode="r")
        return found if found.shape == shape and found.dtype == np.float32 else None
    except (OSError, ValueError, EOFError):
        return None
