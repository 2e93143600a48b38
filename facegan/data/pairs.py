"""Pairs of pictures to train translators on: two side by side, or inputs found by their targets' names."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegan import images
from facegan.data.crops import Crop
from facegan.data.folders import split_named
from facegan.data.items import MAX_FILE_BYTES, Item, read_file
from facegan.data.names import NameIndex
from facegan.errors import ImageError, InputError

SIDE_BY_SIDE = "side-by-side"
DIRECTIONS = ("a-to-b", "b-to-a")
PROPORTIONS = 0.02  # by which the proportions of two pictures may differ and still be called the same

NO_INPUT = "no input of this name"
NO_TARGET = "no target of this name"
NOT_HALVES = "not two pictures side by side"


def check_pairs(pairs: str, direction: str, sources: Sequence[str]) -> None:
    """Raise InputError for settings of pairs that cannot be."""
    if direction not in DIRECTIONS:
        raise InputError(f"--direction {direction}: choose one of {', '.join(DIRECTIONS)}")
    if direction != DIRECTIONS[0] and pairs != SIDE_BY_SIDE:
        way = "; to turn the pairs round, name the other folder first" if pairs else ""
        raise InputError(f"--direction {direction}: goes with --pairs {SIDE_BY_SIDE}{way}")
    if pairs and pairs != SIDE_BY_SIDE:
        for source in sources:
            if Path(source).resolve() == Path(pairs).resolve():
                raise InputError(f"--pairs {pairs}: inputs and targets are the same; name two folders")


def halves(picture: np.ndarray, crop: Crop, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """Return input and target of a picture that holds both side by side.

    Each half must have the proportions of the crop: a photo given by mistake is no pair. ImageError says so.
    """
    h, w = picture.shape[:2]
    height, width, _ = crop.shape
    if w % 2 or _differ((h, w // 2), (height, width)):
        raise ImageError(NOT_HALVES, f"{w}x{h}")
    left, right = picture[:, : w // 2], picture[:, w // 2 :]
    return (left, right) if direction == DIRECTIONS[0] else (right, left)


def fitted(given: np.ndarray, target: np.ndarray, *, resample: str) -> np.ndarray:
    """Return an input at its target's size; ImageError if their proportions differ."""
    if given.shape[:2] == target.shape[:2]:
        return given
    if _differ(given.shape[:2], target.shape[:2]):
        (h, w), (height, width) = given.shape[:2], target.shape[:2]
        raise ImageError("proportions unlike its input's", f"{width}x{height} and {w}x{h}")
    return images.resize(given, target.shape[:2], resample)


def _differ(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Return whether two sizes (height, width) are of different shape, by more than rounding."""
    return abs(math.log(one[0] * other[1] / (one[1] * other[0]))) > PROPORTIONS


@dataclass
class _Kept:
    """An input that waits for its target: its item without the content, and where that lies."""

    item: Item
    start: int = -1
    """Where its content begins in the file of contents; -1 if it is a file of its own."""
    length: int = 0
    shape: tuple[int, ...] | None = None
    """That of pixels which came without a file."""
    taken_by: str = ""


class Partners:
    """The inputs, found by the names of their targets, whatever their endings.

    Only names stay in memory: what does not lie in a file of its own waits in a temporary file.
    """

    def __init__(self, place: str, items: Iterator[Item]) -> None:
        self._contents = tempfile.TemporaryFile(prefix="facegan-inputs-")  # noqa: SIM115 -- as long as this
        self._all = [self._kept(item) for item in items]
        if not any(not kept.item.reject for kept in self._all):
            why = next((f" ({kept.item.reject})" for kept in self._all), "")
            raise InputError(f"--pairs {place}: holds no picture{why}")
        names = [kept.item.name for kept in self._all]
        self._index = NameIndex(_below_the_same_folder(names))

    def _kept(self, item: Item) -> _Kept:
        bare = replace(item, content=b"", pixels=None, paired=None)
        # The source of a prepared dataset's picture may be a file, but of the photo before it was cut.
        if item.reject or (item.content and read_file(Path(item.source), MAX_FILE_BYTES) == item.content):
            return _Kept(bare)
        content, shape = item.content, None
        if item.pixels is not None:
            content, shape = item.pixels.tobytes(), item.pixels.shape
        try:
            start = self._contents.seek(0, 2)
            self._contents.write(content)
            self._contents.flush()
        except OSError as error:
            where = f"{tempfile.gettempdir()} cannot keep the inputs ({error.strerror or error})"
            raise InputError(f"--pairs: {where}; set TMPDIR to a folder with room") from None
        return _Kept(bare, start, len(content), shape)

    def joined(self, item: Item) -> Item:
        """Return a target with its input, or as a reject that says why it has none."""
        if item.reject:
            return item
        found = self._index.find(item.name, item.source)
        if found is None and "!" in item.source:  # archives often hold one folder of another name
            top, _, below = item.name.partition("/")
            found = self._index.find(below) if below and not split_named([top]) else None
        rows = found.rows if found else ()
        if len(rows) != 1:
            return _refused(item, "several inputs of this name" if rows else NO_INPUT)
        kept = self._all[rows[0]]
        if kept.taken_by:
            return _refused(item, f"its input is that of {kept.taken_by}")
        kept.taken_by = item.source
        if kept.item.reject:
            return _refused(item, f"its input: {kept.item.reject}")
        content = self._content(kept)
        if content is None:
            return _refused(item, "its input: unreadable")
        if kept.shape is None:
            return replace(item, paired=replace(kept.item, content=content))
        pixels = np.frombuffer(content, np.uint8).reshape(kept.shape)
        return replace(item, paired=replace(kept.item, pixels=pixels))

    def _content(self, kept: _Kept) -> bytes | None:
        if kept.start < 0:
            return read_file(Path(kept.item.source), MAX_FILE_BYTES)
        self._contents.seek(kept.start)
        return self._contents.read(kept.length)

    def left_over(self) -> Iterator[Item]:
        """Yield the inputs that no target has asked for, as rejects."""
        for kept in self._all:
            if not kept.taken_by:
                yield _refused(kept.item, kept.item.reject or NO_TARGET)


def _refused(item: Item, why: str) -> Item:
    return replace(item, content=b"", pixels=None, paired=None, reject=why)


def _below_the_same_folder(names: Sequence[str]) -> list[str]:
    """Return names without the folder that all are in, unless it names a split."""
    tops = {name.partition("/")[0] for name in names}
    alike = len(tops) == 1 and all("/" in name for name in names) and not split_named(list(tops))
    return [name.partition("/")[2] for name in names] if alike else list(names)
