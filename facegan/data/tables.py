"""Pictures from arrays: IDX, .npz and .npy. What their values mean, ``facegan.values`` says."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.archives import unpacked
from facegan.data.cells import scalar
from facegan.data.items import MAX_RATIO, Item, capped
from facegan.data.reading import Reading
from facegan.data.splits import SPLITS, name_words, split_named
from facegan.errors import ImageError, InputError, first_line
from facegan.values import Meaning, meaning_of, meaning_of_picture

_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MIN_SIDE = 8  # px; from there on an array whose last axis has 3 or 4 numbers is a picture in colours
_CHANNELS = (1, 3, 4)
_MAX_ASPECT = 4  # times its shorter side; what is longer is no single picture
_LABELS = {"label", "labels", "y", "target", "targets", "class", "classes"}


def _shaped(what: str, values: np.ndarray, reading: Reading) -> np.ndarray:
    """Return ``N,H,W,C`` from that, ``N,H,W``, ``N,C,H,W``, one picture ``H,W[,C]``, or rows of square gray
    pictures ``N,H*H``; InputError for others."""
    shape = values.shape
    if 0 in shape:
        raise InputError(f"{what} is empty (shape {shape})")
    if len(shape) == 2:
        values = _rows_or_picture(what, values, reading)
        shape = values.shape
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= _MIN_SIDE):
        values = values[None]
    if values.ndim == 4 and values.shape[3] not in _CHANNELS and min(values.shape[2:]) >= _MIN_SIDE:
        values = values.transpose(0, 2, 3, 1) if values.shape[1] in _CHANNELS else values
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] not in _CHANNELS):
        raise InputError(f"{what} has shape {shape}, which is no pictures: expected N,H,W or N,H,W,C")
    return values[..., None] if values.ndim == 3 else values


def _rows_or_picture(what: str, values: np.ndarray, reading: Reading) -> np.ndarray:
    """Return rows ``N,H*H`` as ``N,H,H`` where the array is far from any picture's shape; else as it is."""
    count, width = values.shape
    side = math.isqrt(width)
    square = side * side == width and side >= _MIN_SIDE
    as_rows = f"{count:,} square gray pictures of {side}x{side}"
    if max(count, width) <= _MAX_ASPECT * min(count, width):
        if square:
            reading.notes.add(
                f"array of shape {count},{width} read as one picture (as {as_rows} if reshaped to "
                f"{count},{side},{side})"
            )
        return values
    if not square:
        raise InputError(
            f"{what} has shape {values.shape}: if its rows are pictures, reshape it to N,H,W or N,H,W,C, if "
            "it is one picture, to 1,H,W"
        )
    reading.notes.add(f"array of shape {count},{width} read as {as_rows}")
    return values.reshape(count, side, side)


def _meaning(what: str, values: np.ndarray, reading: Reading) -> Meaning:
    """Return how pictures ``N,H,W,C`` are read; one alone is read as a picture file is."""
    if len(values) > 1 or values.dtype.kind not in "buif":
        return meaning_of(values, what, reading.value_range)
    try:
        return meaning_of_picture(values[0], reading.value_range)
    except ImageError as error:
        raise InputError(f"{what} holds {error.detail}: {error.reason}") from None


def _items(
    path: Path,
    part: str,
    values: np.ndarray,
    *,
    meaning: Meaning,
    labels: np.ndarray | None,
    split: str | None,
    split_from: str = "file names",
) -> Iterator[Item]:
    """Yield an item for each picture of ``N,H,W,C``; ``part`` names the array where the file holds several.

    One alone, of which there may be a folder full, tells how it was read by itself.
    """
    own = meaning if len(values) == 1 and meaning.kind != "uint8" else None
    for i, image in enumerate(values):
        attributes = {} if labels is None else {"label": scalar(labels[i].item())}
        where = f"{path.name}/{part}{i:06d}", f"{path}!{part}{i}"
        try:
            pixels = meaning.levels(image)
            item = Item(*where, pixels=pixels, attributes=attributes, split=split, meaning=own)
            yield replace(item, split_from=split_from if split else "")
        except ImageError as error:
            yield Item(*where, reject=error.reason, attributes=attributes, split=split)


def _content(path: Path) -> bytes:
    """Return a file, unpacked where it is packed."""
    with path.open("rb") as raw:
        content = capped(unpacked(path, raw), 2**20 + MAX_RATIO * path.stat().st_size)
    if content is None:
        raise InputError(f"{path}: compressed beyond reason")
    return content


def read_idx(path: Path) -> np.ndarray:
    """Return an IDX file (LeCun), packed or not, as an array of its type."""
    try:
        raw = _content(path)
    except InputError:
        raise
    except Exception as error:  # each method of compression fails in its own ways
        raise InputError(f"{path}: not a readable IDX file ({first_line(error)})") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_TYPES or not 1 <= raw[3] <= 4:
        raise InputError(f"{path}: not an IDX file of numbers")
    kind = np.dtype(_IDX_TYPES[raw[2]])
    dims = [int(n) for n in np.frombuffer(raw[4 : 4 + 4 * raw[3]].ljust(4 * raw[3], b"\0"), ">u4")]
    body = raw[4 + 4 * raw[3] :]
    if math.prod(dims) * kind.itemsize != len(body):
        raise InputError(f"{path}: its header promises {dims}, but {len(body)} bytes follow")
    return np.frombuffer(body, kind).reshape(dims).astype(kind.newbyteorder("="), copy=False)


def labels_beside(path: Path) -> Path | None:
    """Return the file with the labels of an IDX file of pictures, packed or not."""
    name = path.name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    found = (path.with_name(n) for n in (name, f"{name}.gz") if n != path.name.removesuffix(".gz"))
    return next((p for p in found if p.is_file()), None)


def from_idx(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield pictures ``N,H,W`` (or ``N,H,W,C``); labels from the file beside it that is named alike."""
    values = read_idx(path)
    if values.ndim < 3:
        raise InputError(f"{path}: the array has shape {values.shape}, which is no pictures")
    values = _shaped(f"{path}: the array", values, reading)
    beside = labels_beside(path)
    labels = read_idx(beside) if beside else None
    if labels is not None and labels.shape != values.shape[:1]:
        raise InputError(f"{beside}: {len(labels)} labels for {len(values)} pictures")
    split = split_named(name_words(path.name)) or "train"
    meaning = _meaning(f"{path}: the array", values, reading)
    reading.notes.add(f"{path.name}: {meaning.note()}")
    yield from _items(path, "", values, meaning=meaning, labels=labels, split=split)


def from_npy(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield pictures ``N,H,W[,C]``, or one ``H,W[,C]``, of any numbers."""
    what = f"{path}: the array"
    try:
        plain = path.open("rb").read(6) == b"\x93NUMPY"
        source: Any = path if plain else io.BytesIO(_content(path))
        values = np.load(source, mmap_mode="r" if plain else None, allow_pickle=False)
    except InputError:
        raise
    except Exception as error:  # header and dtype errors of many kinds, all of them the file's
        raise InputError(f"{path}: not a readable .npy of pictures ({first_line(error)})") from None
    values = _shaped(what, values, reading)
    meaning = _meaning(what, values, reading)
    if len(values) > 1:
        reading.notes.add(f"{path.name}: {meaning.note()}")
    yield from _items(path, "", values, meaning=meaning, labels=None, split=None)


class _Npz:
    """An .npz: which of its arrays are pictures, and which are their labels."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as packed:
            size = sum(info.file_size for info in packed.infolist())
            if size > 2**20 + MAX_RATIO * path.stat().st_size:
                raise InputError(f"{path}: compressed beyond reason")
            self.shapes = {i.filename.removesuffix(".npy"): _shape(packed, i) for i in packed.infolist()}
        if not self.shapes:
            raise InputError(f"{path}: the archive is empty")
        pictures = [name for name, shape in self.shapes.items() if _are_pictures(shape)]
        self.splits = {name: split for name in pictures if (split := split_named(_words(name)))}
        usual = [n for n in ("images", "arr_0", "x_train") if n in self.shapes]
        if self.splits:  # as Keras writes x_train and x_test, MedMNIST train_images and val_images
            self.pictures = sorted(self.splits, key=lambda n: SPLITS.index(self.splits[n]))
        else:
            self.pictures = [*usual, *pictures, *self.shapes][:1]
        self.labels = {name: self._labels_of(name) for name in self.pictures}
        used = {*self.pictures, *self.labels.values()}
        self.others = [name for name in self.shapes if name not in used]

    def _labels_of(self, pictures: str) -> str | None:
        count = (self.shapes[pictures] or (0,))[0]
        fits = [n for n, s in self.shapes.items() if s[:1] == (count,) and len(s) < 3 and n != pictures]
        split = self.splits.get(pictures)
        return next((n for n in fits if set(_words(n)) & _LABELS and split_named(_words(n)) == split), None)

    def load(self, name: str) -> np.ndarray:
        with np.load(self.path, allow_pickle=False) as archive:
            return archive[name]


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def _shape(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[int, ...]:
    """Return an array's shape, from its header alone; () for what is no array of numbers."""
    with packed.open(info) as member:
        if not info.filename.endswith(".npy"):
            return ()
        version = np.lib.format.read_magic(member)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        return read(member)[0]


def _are_pictures(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 or (len(shape) == 3 and min(shape[1:]) >= _MIN_SIDE)


def from_npz(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield pictures ``N,H,W[,C]`` of any numbers; splits from arrays such as ``x_train`` and ``x_test``,
    labels from arrays such as ``labels`` or ``y_train``."""
    try:
        npz = _Npz(path)
        loaded = {name: npz.load(name) for name in npz.pictures}
        labels = {name: npz.load(own) if own else None for name, own in npz.labels.items()}
    except InputError:
        raise
    except Exception as error:  # zip, header and dtype errors of many kinds, all of them the file's
        raise InputError(f"{path}: not a readable .npz of pictures ({first_line(error)})") from None
    arrays = {name: _shaped(f"{path}: array '{name}'", v, reading) for name, v in loaded.items()}
    largest = max(arrays, key=lambda name: arrays[name].size)
    meaning = _meaning(f"{path}: array '{largest}'", arrays[largest], reading)
    for name, values in arrays.items():
        own = meaning
        if name != largest:  # all of them decide together, and the largest is the most of them
            own = meaning_of(values, f"{path}: array '{name}'", reading.value_range or str(meaning.range))
        part = f"{name}/" if len(arrays) > 1 else ""
        reading.notes.add(f"{path.name}{f' {name}' if part else ''}: {own.note()}")
        found = _usable(labels[name])
        if found is None and labels[name] is not None:
            reading.notes.add(f"{path.name}: array '{npz.labels[name]}' left out: not one label a picture")
        yield from _items(
            path,
            part,
            values,
            meaning=own,
            labels=found,
            split=npz.splits.get(name),
            split_from="names of arrays",
        )
    for name in npz.others:
        shape = ",".join(map(str, npz.shapes[name]))
        reading.notes.add(f"{path.name}: array '{name}' ({shape or 'no numbers'}) left out")


def _usable(labels: np.ndarray | None) -> np.ndarray | None:
    """Return labels as one class, word or number a picture, also from vectors of one 1 and zeros; else
    None."""
    if labels is None or labels.dtype.kind not in "biufUS":
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:
        one_hot = labels.dtype.kind in "biuf" and (np.sort(labels, 1)[:, -2:] == (0, 1)).all()
        return labels.argmax(1) if one_hot and (labels.sum(1) == 1).all() else None
    return (
        np.char.decode(labels.reshape(-1), "utf-8", "replace")
        if labels.dtype.kind == "S"
        else labels.reshape(-1)
    )
