"""Pictures from arrays: IDX and .npz."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facegan.data.items import MAX_RATIO, AttributeValue, Item, capped
from facegan.data.reading import Reading
from facegan.data.splits import name_words, split_named
from facegan.errors import ImageError, InputError, first_line
from facegan.values import meaning_of


def _as_pixels(image: np.ndarray) -> np.ndarray:
    return image[..., None] if image.ndim == 2 else image


def _check_shape(what: str, shape: tuple[int, ...]) -> None:
    """InputError unless ``shape`` is ``N,H,W`` or ``N,H,W,C`` with something in it."""
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3, 4)):
        raise InputError(f"{what} has shape {shape}, which is no pictures: expected N,H,W or N,H,W,C")
    if 0 in shape:
        raise InputError(f"{what} is empty (shape {shape})")


def read_idx(path: Path) -> np.ndarray:
    """An IDX file (LeCun), packed by gzip or not, as an array of uint8."""
    import gzip
    import zlib

    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            most = 2**20 + MAX_RATIO * len(raw)
            with gzip.open(path, "rb") as stream:
                unpacked = capped(stream, most)
            if unpacked is None:
                raise InputError(f"{path}: compressed beyond reason")
            raw = unpacked
        if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != 8 or not 1 <= raw[3] <= 4:
            raise InputError(f"{path}: not an IDX file of bytes")
        dims = [int(n) for n in np.frombuffer(raw[4 : 4 + 4 * raw[3]].ljust(4 * raw[3], b"\0"), ">u4")]
        body = raw[4 + 4 * raw[3] :]
        if math.prod(dims) != len(body):
            raise InputError(f"{path}: its header promises {dims}, but {len(body)} bytes follow")
        return np.frombuffer(body, np.uint8).reshape(dims)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a readable IDX file ({first_line(error)})") from None


def from_idx(path: Path, reading: Reading) -> Iterator[Item]:
    """Pictures ``N,H,W`` (or ``N,H,W,C``); labels from the file beside it that is named alike."""
    images = read_idx(path)
    _check_shape(f"{path}: the array", images.shape)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = read_idx(beside) if beside != path and beside.is_file() else None
    if labels is not None and labels.shape != images.shape[:1]:
        raise InputError(f"{beside}: {len(labels)} labels for {len(images)} pictures")
    split = split_named(name_words(path.name)) or "train"
    for i, image in enumerate(images):
        attributes: dict[str, AttributeValue] = {} if labels is None else {"label": int(labels[i])}
        name = f"{path.name}/{i:06d}"
        yield Item(name, f"{path}!{i}", pixels=_as_pixels(image), attributes=attributes, split=split)


def _read_npz(path: Path) -> tuple[str, np.ndarray, np.ndarray | None]:
    """The name and the array of the pictures, and labels if there are any."""
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(info.file_size for info in packed.infolist())
        if unpacked > 2**20 + MAX_RATIO * path.stat().st_size:
            raise InputError(f"{path}: compressed beyond reason")
        with np.load(path, allow_pickle=False) as archive:
            name = next((n for n in ("images", "arr_0", "x_train") if n in archive.files), None)
            name = name or (archive.files[0] if archive.files else "")
            labels = archive["labels"] if "labels" in archive.files else None
            return name, archive[name], labels
    except InputError:
        raise
    except Exception as error:  # zip, header and dtype errors of many kinds, all of them the file's
        raise InputError(f"{path}: not a readable .npz of pictures ({first_line(error)})") from None


def from_npz(path: Path, reading: Reading) -> Iterator[Item]:
    """``N,H,W[,C]`` of any numbers (see ``facegan.values``); labels from an array ``labels``."""
    name, images, labels = _read_npz(path)
    what = f"{path}: array '{name}'"
    _check_shape(what, images.shape)
    meaning = meaning_of(images, what, reading.value_range)
    reading.notes.add(f"{path.name}: {meaning.note()}")
    good = labels is not None and labels.shape == (len(images),) and labels.dtype.kind in "biu"
    for i, image in enumerate(images):
        attributes: dict[str, AttributeValue] = {}
        if labels is not None and good:
            attributes["label"] = int(labels[i])
        where = f"{path.name}/{i:06d}", f"{path}!{i}"
        try:
            yield Item(*where, pixels=_as_pixels(meaning.levels(image)), attributes=attributes)
        except ImageError as error:
            yield Item(*where, reject=error.reason)
