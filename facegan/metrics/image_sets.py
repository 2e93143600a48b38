"""Provide sets of pictures to compare: a model's samples, a folder's files, or a dataset's split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegan.caches import Cache
from facegan.data.dataset import Dataset
from facegan.data.label_counts import rows_having
from facegan.data.walk import picture_files
from facegan.errors import ImageError, InputError, ModelError
from facegan.generator import Generator
from facegan.images import read_image_file
from facegan.metrics.base import FIRST_SEED
from facegan.metrics.feature_extractors import FeatureTable
from facegan.models import as_model, meaning, resolve

COUNT = 5000  # samples of a model
BATCH = 64

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pictures:
    """Hold a set of pictures; ``at`` returns those of some rows, uint8 ``n,H,W,C``.

    ``key`` names the content, if that is known; ``cache`` is where its features may be kept.
    """

    name: str
    count: int
    shape: tuple[int, int, int]
    """(H, W, C); H and W are 0 where pictures differ in size, which ``at`` then cannot put into one array."""
    at: Callable[[np.ndarray], np.ndarray]
    key: str = ""
    cache: Cache | None = None
    generator: Generator | None = None
    truncation: float = 1.0
    """Of the generator's samples."""
    sizes: frozenset[tuple[int, int]] = frozenset()
    """Every (height, width) that occurs."""

    def __post_init__(self) -> None:
        if not self.sizes:
            object.__setattr__(self, "sizes", frozenset({self.shape[:2]}))

    def __repr__(self) -> str:
        h, w, c = self.shape
        size = f"{w}x{h}" if h else "several sizes"
        return f"<Pictures {self.name}: {self.count:,} of {size}, {'grey' if c == 1 else 'colour'}>"

    def spaced(self, count: int) -> np.ndarray:
        """Return at most ``count`` pictures, evenly spaced."""
        return self.at((np.arange(min(count, self.count)) * self.count) // min(count, self.count))

    def batches(self) -> Iterator[np.ndarray]:
        for start in range(0, self.count, BATCH):
            yield self.at(np.arange(start, min(start + BATCH, self.count)))

    def limited(self, count: int) -> Pictures:
        """Return the set with at most ``count`` pictures, evenly spaced."""
        if count >= self.count:
            return self
        rows = (np.arange(count) * self.count) // count
        at = self.at
        return replace(
            self, count=count, at=lambda r: at(rows[r]), key=f"{self.key}/{count}" * bool(self.key)
        )


def of_model(generator: Generator, name: str, count: int, *, truncation: float = 1.0) -> Pictures:
    """Return samples of the seeds 10,000 and up, with labels drawn like those of training pictures.

    Labels that are drawn with some of them fixed (``tell("random,smiling=1")``) stay so.
    """
    generator = generator.as_trained() if generator.varied is None else generator
    c, h, w = generator.image_shape
    return Pictures(
        name,
        count,
        (h, w, c),
        lambda rows: generator.sample([FIRST_SEED + int(r) for r in rows], truncation),
        generator=generator,
        truncation=truncation,
    )


def with_wanted_labels(pictures: Pictures, labels: str) -> tuple[Pictures, dict[str, float]]:
    """Return samples that have the labels, and these by name; all other labels stay as in training.

    Raises:
        InputError: There is no generator that takes them.
    """
    if not labels:
        return pictures, {}
    generator = pictures.generator
    if generator is None:
        raise InputError(f"--labels {labels}: {pictures.name} holds pictures; it is for conditional models")
    told = generator.tell(f"random,{labels}")
    wanted = {told.labels[channel]: value for channel, value in (told.varied or {}).items()}
    samples = of_model(told, f"{pictures.name}, {labels}", pictures.count, truncation=pictures.truncation)
    return samples, wanted


def of_dataset(data: Dataset, split: str, *, wanted: Mapping[str, float] | None = None) -> Pictures:
    """Return the pictures of a split, of which all have the ``wanted`` labels (by a model's names)."""
    split, images = data.split(split), data.images(split)
    key, name = f"{data.content_hash}/{split}", f"{data.path} ({split})"
    if not wanted:
        return Pictures(name, len(images), images.shape[1:], lambda rows: images[rows], key, data.cache)
    having = rows_having(data, wanted, split)
    said = ",".join(f"{label}:{value:g}" for label, value in sorted(wanted.items()))
    return Pictures(
        f"{name}, those with the labels",
        len(having),
        images.shape[1:],
        lambda rows: images[having[rows]],
        f"{key}/{said}",
        data.cache,
    )


def of_uint8(images: np.ndarray, name: str = "pictures") -> Pictures:
    """Return uint8 ``N,H,W,C`` unchanged."""
    return Pictures(name, len(images), images.shape[1:], lambda rows: images[rows])


def of_list(images: Sequence[np.ndarray], name: str = "pictures") -> Pictures:
    """Return uint8 ``H,W,3``, each with its own size."""
    sizes = frozenset(image.shape[:2] for image in images)
    return Pictures(name, len(images), (0, 0, 3), _several(images.__getitem__), sizes=sizes)


def _several(of_one: Callable[[int], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda rows: np.stack([of_one(int(row)) for row in rows])


def of_folder(path: Path, report: Callable[[str], None] = lambda _: None) -> Pictures:
    """Return every picture below ``path``, sorted by name; sizes may differ.

    Files that are not pictures are left out; ``report`` is called with their number and the reasons.
    """
    files, others = picture_files(path)
    good, sizes = [], set()
    for file in files:
        try:
            sizes.add(read_image_file(file).shape[:2])
        except ImageError as error:
            others[error.reason] += 1
            continue
        good.append(file)
    if others:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in others.most_common())
        report(f"{path}: left out: {reasons}")
    if not good:
        raise InputError(f"{path}: no dataset, no run, and no pictures in it")
    h, w = next(iter(sizes)) if len(sizes) == 1 else (0, 0)
    at = _several(lambda row: read_image_file(good[row]))
    return Pictures(str(path), len(good), (h, w, 3), at, sizes=frozenset(sizes))


def named(
    reference: str | Path,
    count: int = 0,
    split: str = "train",
    *,
    truncation: float = 1.0,
    device: str = "cpu",
    report: Callable[[str], None] = lambda _: None,
) -> Pictures:
    """Return the pictures of ``reference``: a dataset, run, model or folder (:mod:`facegan.models`).

    ``count`` limits the pictures; of a model it is the number of samples, 5,000 where it is 0.
    """
    found = meaning(reference)
    if found.kind == "folder" and not found.is_model:
        if truncation != 1.0:
            raise InputError(f"--truncation {truncation:g}: {reference} holds pictures; it is for models")
        data = of_dataset(Dataset(found.path), split) if found.is_dataset else of_folder(found.path, report)
        return data.limited(count) if count else data
    try:
        resolve(reference)
    except ModelError as error:
        raise InputError(f"{error}; a dataset or a folder of pictures would do, too") from None
    title = str(reference) if truncation == 1.0 else f"{reference}, truncation {truncation:g}"
    return of_model(as_model(reference, device), title, count or COUNT, truncation=truncation)


def features_of(pictures: Pictures, table: FeatureTable, on_progress: Progress | None = None) -> np.ndarray:
    """Return features, float32 ``N,dim``, from the cache, or compute and cache them."""
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
