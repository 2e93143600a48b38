"""Pictures from arrays (IDX, .npz, .npy) and from CSV with a column of pixels."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.arrow import NAME_COLUMNS, Columns
from facegan.data.folders import SPLIT_COLUMNS, name_words, split_named
from facegan.data.items import MAX_RATIO, SPLITS, Item, Reading, read_packed, readable, scalar, unpacked
from facegan.data.parquet import Rows, distinct
from facegan.data.sheets import DELIMITERS
from facegan.errors import ImageError, InputError
from facegan.files import printable
from facegan.values import Meaning, Range, meaning_of, meaning_of_picture, parse_range

_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MIN_SIDE = 8  # px; from there on an array whose last axis has 3 or 4 numbers is a picture in colours
_CHANNELS = (1, 3, 4)
_MAX_ASPECT = 4  # times its shorter side; what is longer is no single picture
_LABELS = {"label", "labels", "y", "target", "targets", "class", "classes"}


def _shaped(what: str, values: np.ndarray, reading: Reading) -> np.ndarray:
    """Return pictures ``N,H,W,C`` of an array, in which they may be laid out otherwise.

    That is ``N,H,W``, ``N,C,H,W``, one picture ``H,W[,C]``, or rows of square gray pictures ``N,H*H``;
    InputError for others.
    """
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
    labels: np.ndarray | None = None,
    split: str | None = None,
    by: str = "file names",
) -> Iterator[Item]:
    """Yield an item for each picture of ``N,H,W,C``; ``part`` names the array where the file holds several.

    One alone, of which there may be a folder full, tells how it was read by itself. ``by`` is what says the
    split.
    """
    own = meaning if len(values) == 1 and meaning.kind != "uint8" else None
    for i, image in enumerate(values):
        attributes = {} if labels is None else {"label": scalar(labels[i].item())}
        item = Item(f"{path.name}/{part}{i:06d}", f"{path}!{part}{i}", attributes=attributes, split=split)
        try:
            found = meaning.levels(image)
            yield replace(item, pixels=found, meaning=own, split_from=by if split else "")
        except ImageError as error:
            yield replace(item, reject=error.reason)


def read_idx(path: Path) -> np.ndarray:
    """Return an IDX file (LeCun), packed or not, as an array of its type."""
    with readable(f"{path}: not a readable IDX file"):
        raw = read_packed(path, str(path))
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
    with readable(f"{path}: not a readable .npy of pictures"):
        plain = path.open("rb").read(6) == b"\x93NUMPY"
        source: Any = path if plain else io.BytesIO(read_packed(path, str(path)))
        values = np.load(source, mmap_mode="r" if plain else None, allow_pickle=False)
    values = _shaped(what, values, reading)
    meaning = _meaning(what, values, reading)
    if len(values) > 1:
        reading.notes.add(f"{path.name}: {meaning.note()}")
    yield from _items(path, "", values, meaning=meaning)


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
        shapes = self.shapes.items()
        pictures = [n for n, s in shapes if len(s) == 4 or (len(s) == 3 and min(s[1:]) >= _MIN_SIDE)]
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
        formats = np.lib.format
        first = version == (1, 0)
        return (formats.read_array_header_1_0 if first else formats.read_array_header_2_0)(member)[0]


def from_npz(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield pictures ``N,H,W[,C]`` of any numbers, with the splits and labels that names of arrays say."""
    with readable(f"{path}: not a readable .npz of pictures"):
        npz = _Npz(path)
        loaded = {name: npz.load(name) for name in npz.pictures}
        labels = {name: npz.load(own) if own else None for name, own in npz.labels.items()}
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
        split = npz.splits.get(name)
        yield from _items(path, part, values, meaning=own, labels=found, split=split, by="names of arrays")
    for name in npz.others:
        shape = ",".join(map(str, npz.shapes[name]))
        reading.notes.add(f"{path.name}: array '{name}' ({shape or 'no numbers'}) left out")


def _usable(labels: np.ndarray | None) -> np.ndarray | None:
    """Return labels as one class, word or number a picture, also from one-hot vectors; else None."""
    if labels is None or labels.dtype.kind not in "biufUS":
        return None
    if labels.ndim == 2 and labels.shape[1] > 1:
        one_hot = labels.dtype.kind in "biuf" and (np.sort(labels, 1)[:, -2:] == (0, 1)).all()
        return labels.argmax(1) if one_hot and (labels.sum(1) == 1).all() else None
    flat = labels.reshape(-1)
    return np.char.decode(flat, "utf-8", "replace") if labels.dtype.kind == "S" else flat


_MAX_LINE_BYTES = 2**24  # bytes of a line of CSV
_MIN_PIXEL_SIDE = 4  # px of a side


@dataclass
class _PixelRows(Rows):
    """Makes items of lines whose pictures are numbers between blanks."""

    span: Range | None = None

    def picture(self, cell: Any) -> tuple[str | None, bytes, np.ndarray | None, str]:
        return None, b"", *picture_of(cell, self.span)


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, packed or not, that hold anything; InputError where it cannot be read."""
    with readable(f"{path}: not a readable table of pixels"), path.open("rb") as raw:
        stream, rest = unpacked(path, raw), b""
        while block := stream.read(2**18):
            *whole, rest = (rest + block).split(b"\n")
            if len(rest) > _MAX_LINE_BYTES:
                raise InputError(f"{path}: a line of more than {_MAX_LINE_BYTES:,} bytes is beyond reason")
            yield from filter(None, map(_text, whole))
        if line := _text(rest):
            yield line


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip("\r\n \ufeff")


def _cells(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line without the blanks around them; [] where quotation marks are amiss."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error:
        return []


def _pixel_columns(path: Path, header: list[str], reading: Reading) -> Columns:
    """Return the roles of the columns; the one of pixels is called so, or as ``--image-column`` says."""
    wanted = (reading.image_column or "pixels").lower()
    plain = [name.lower() for name in header]
    if wanted not in plain:
        there = ", ".join(printable(name) for name in header[:12])
        raise InputError(f"{path}: there is no column '{wanted}' (columns: {there})")
    found = Columns(header[plain.index(wanted)], "numbers")
    for name in header:
        if name.lower() in SPLIT_COLUMNS and found.split is None:
            found.split = name
        elif name.lower() in NAME_COLUMNS and found.name is None:
            found.name = name
        elif name != found.image:
            found.attributes.append(name)
    return found


def picture_of(text: str, span: Range | None = None) -> tuple[np.ndarray | None, str]:
    """Return a square gray picture ``H,H,1`` from numbers between blanks, or None and why it is none.

    The numbers are 0..255, or those of ``span``.
    """
    parts = text.split()
    side = math.isqrt(len(parts))
    if side * side != len(parts) or side < _MIN_PIXEL_SIDE:
        return None, f"its number of pixels ({len(parts):,}) makes no square picture"
    try:
        if span is None:
            pixels = np.frombuffer(bytes(map(int, parts)), np.uint8)
        else:
            pixels = span.levels(np.array(parts, np.float64))
    except ValueError:  # of bytes, too, for numbers beyond them
        return None, "its pixels are not whole numbers from 0 to 255 (--range LOW..HIGH reads others)"
    return pixels.reshape(side, side, 1), ""


def from_pixel_csv(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield a picture a line, from a column ``pixels`` of numbers between blanks, at constant memory.

    A column ``Usage`` or ``split`` says the splits, else the file's name does; one of file names gives the
    pictures' names, and all others are attributes.
    """
    lines = _lines(path)
    first = next(lines, "")
    delimiter = max(DELIMITERS, key=first.count)
    header = _cells(first, delimiter)
    columns = _pixel_columns(path, header, reading)

    def rows(lines: Iterator[str]) -> Iterator[dict[str, str]]:
        for line in lines:
            cells = _cells(line, delimiter)
            yield dict(zip(header, cells, strict=True)) if len(cells) == len(header) else {}

    if columns.split:
        words = (row.get(columns.split) for row in rows(itertools.islice(_lines(path), 1, None)))
        columns.check_split(distinct(words), path.name, reading)
    reading.notes.add(f"{path.name}: gray pictures from column '{printable(columns.image)}'")
    split = split_named([name_words(path.name)[0]])
    made = _PixelRows(columns, str(path), split=split, split_from="file names" if split else "")
    made.span, made.numbered = parse_range(reading.value_range), path.name + "/{:06d}"
    for number, row in enumerate(rows(lines)):
        if row:
            yield made.item(row, number)
        else:
            why = "its line does not have the header's number of cells"
            yield Item(made.numbered.format(number), f"{path}!{number}", reject=why)
