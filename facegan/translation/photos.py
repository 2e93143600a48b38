"""Read what a translator is given: photos, folders, datasets and arrays, one picture at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from facegan.data import crops
from facegan.data.crops import Crop
from facegan.data.dataset import Dataset
from facegan.errors import InputError
from facegan.files import photo_path
from facegan.inversion.targets import FreeNames, PictureModel, Reader, as_sources, open_photos, silent
from facegan.metrics.evaluate import reference_split
from facegan.translation.whole import Placed, WholePhotos

Source = str | Path | np.ndarray | Dataset


@dataclass(frozen=True)
class Given:
    """One picture, uint8: of the model's shape, or a whole photo ``H,W,3`` with the faces in it."""

    name: str
    picture: np.ndarray
    faces: tuple[Placed, ...] = ()


class Crops(Reader):
    """Turns photos into pictures of the model's shape; one of exactly its size is taken as it is."""

    def __init__(
        self,
        model: PictureModel,
        align: bool = True,
        face: int = 1,
        *,
        ready: bool = False,
        say: Callable[[str], None] = silent,
    ) -> None:
        super().__init__(model, align and not ready, face, say=say)
        c, h, w = model.image_shape
        self.plain = Crop("center", (h, w), resample="bicubic", gray=c == 1)
        if ready:
            self.crop = self.plain

    def fitted(self, image: np.ndarray, name: str) -> np.ndarray:
        """Return uint8 ``h,w,C`` of any size in the model's shape."""
        if self._fits(image):
            return self.plainly(image)
        return super().fitted(image, name)

    def plainly(self, image: np.ndarray) -> np.ndarray:
        """Return a picture cut to the model's shape around its centre, without a look at what it shows."""
        c = self.model.image_shape[0]
        if self._fits(image) and image.shape[2] == c:
            return image
        return crops.apply(image.repeat(3, axis=2) if image.shape[2] == 1 else image, self.plain)[0].image

    def tell_others(self, image: np.ndarray, name: str) -> None:
        """Mention further faces of a photo that was not cut already."""
        if not self._fits(image):
            super().tell_others(image, name)

    def _fits(self, image: np.ndarray) -> bool:
        return tuple(image.shape[:2]) == tuple(self.model.image_shape[1:])


def sources_of(given: Any) -> list[Source]:
    """Return what :func:`facegan.translate` takes as a list: places, arrays, and datasets as such.

    InputError where nothing is named.
    """
    if isinstance(given, Dataset):
        return [given]
    if isinstance(given, (list, tuple)) and any(isinstance(each, Dataset) for each in given):
        return [source for each in given for source in sources_of(each)]
    found: list[Source] = list(as_sources(given)) if not _nothing(given) else []
    if not found or any(isinstance(source, str) and not source.strip() for source in found):
        raise InputError("give a photo: a file, a folder, a dataset, - (standard input), or an address")
    return [_dataset(source) or source for source in found]


def _nothing(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and not given


def _dataset(source: Source) -> Dataset | None:
    if isinstance(source, (str, Path)) and str(source) != "-":
        with suppress(OSError):
            path = photo_path(source)
            if (path / "dataset.json").is_file():
                return Dataset(path)
    return None


def count_of(sources: Sequence[Source], split: str) -> int | None:
    """Return how many pictures there are; None where a folder has to be read first."""
    total = 0
    for source in sources:
        if isinstance(source, Dataset):
            total += source.counts[reference_split(source, split)]
        elif isinstance(source, (str, Path)) and photo_path(source).is_dir():
            return None
        else:
            total += 1
    return total


def read(
    sources: Sequence[Source],
    reader: Crops | WholePhotos,
    split: str = "",
    *,
    note: Callable[[str], None] = silent,
) -> Iterator[Given]:
    """Yield pictures in order, each read when it is wanted, under names fit for files.

    What cannot be used is left out, and told by the reader; ``note`` receives a line on each dataset.

    Raises:
        InputError: The only source cannot be used, or none of them.
    """
    names, count = FreeNames(()), 0
    for source in sources:
        try:
            if isinstance(source, Dataset) and isinstance(reader, Crops):
                opened = _of_dataset(source, reader, split, note=note)
            else:
                opened = _opened(source, reader)
            for one in opened:
                count += 1
                yield replace(one, name=names.free(one.name))
        except InputError as error:
            if len(sources) == 1:
                raise
            reader.leave_out(error)
    if not count:
        raise InputError(f"none of the {len(sources)} photos can be used: {reader.left_out[0]}")


def _opened(source: Source, reader: Crops | WholePhotos) -> Iterator[Given]:
    if isinstance(source, Dataset):
        raise InputError(f"{source.path}: --whole is for photos; a dataset holds crops already")
    for photo in open_photos(source, reader):
        faces = tuple(reader.faces) if isinstance(reader, WholePhotos) else ()
        yield Given(photo.name, photo.image, faces=faces)


def _of_dataset(data: Dataset, reader: Crops, split: str, *, note: Callable[[str], None]) -> Iterator[Given]:
    """Yield the pictures of a split; their inputs where they have some and the model derives none itself."""
    split = reference_split(data, split)
    given = data.has_inputs and not reader.model.meta.get("input")
    kind, column = ("inputs of pairs", "input") if given else ("pictures", "image")
    note(f"{data.path}: its split {split}, {data.counts[split]:,} {kind}")
    for row in data.rows(split, [column]):
        name = PurePosixPath(row[column]["path"] or "picture").stem
        yield Given(name, reader.plainly(data.picture(row, split, column)))
