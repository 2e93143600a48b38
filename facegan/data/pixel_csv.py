"""Pictures from CSV with a column of pixels, as FER2013 has them: read line by line, at constant memory."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facegan.data.archives import unpacked
from facegan.data.cells import scalar
from facegan.data.items import Item
from facegan.data.reading import Reading
from facegan.data.sheets import DELIMITERS, FILE_COLUMNS
from facegan.data.splits import SPLIT_COLUMNS, column_splits, name_words, odd_split, split_named, split_value
from facegan.errors import InputError, first_line
from facegan.files import printable
from facegan.values import Range, parse_range

_MAX_LINE_BYTES = 2**24  # bytes of a line
_MIN_SIDE = 4  # px of a side
_MAX_WORDS = 1000  # words of a column of splits that are looked at
_NAMES = tuple(name for name in FILE_COLUMNS if name != "name")  # of pictures, not of persons


@dataclass
class _Layout:
    """What the columns of a table hold, by their places."""

    header: list[str]
    pixels: int
    delimiter: str
    name: int | None = None
    split: int | None = None
    attributes: list[int] = field(default_factory=list)

    def cells(self, line: str) -> list[str]:
        """Return the cells of a line without the blanks around them, or [] where quotation marks are
        amiss."""
        if '"' not in line:
            return [cell.strip() for cell in line.split(self.delimiter)]
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=self.delimiter))]
        except csv.Error:
            return []


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, packed or not, that hold anything; InputError where it cannot be read."""
    try:
        with path.open("rb") as raw:
            stream, rest = unpacked(path, raw), b""
            while block := stream.read(2**18):
                *whole, rest = (rest + block).split(b"\n")
                if len(rest) > _MAX_LINE_BYTES:
                    raise InputError(
                        f"{path}: a line of more than {_MAX_LINE_BYTES:,} bytes is beyond reason"
                    )
                yield from (line for each in whole if (line := _text(each)))
            if line := _text(rest):
                yield line
    except InputError:
        raise
    except Exception as error:  # each method of compression fails in its own ways
        raise InputError(f"{path}: not a readable table of pixels ({first_line(error)})") from None


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip("\r\n \ufeff")


def _layout(path: Path, header: str, reading: Reading) -> _Layout:
    """Return the roles of the columns; the one of pixels is called so, or as ``--image-column`` says."""
    found = _Layout([], -1, max(DELIMITERS, key=header.count))
    found.header = found.cells(header)
    wanted = (reading.image_column or "pixels").lower()
    plain = [name.lower() for name in found.header]
    if wanted not in plain:
        there = ", ".join(printable(name) for name in found.header[:12])
        raise InputError(f"{path}: there is no column '{wanted}' (columns: {there})")
    found.pixels = plain.index(wanted)
    for place, name in enumerate(plain):
        if place == found.pixels:
            continue
        if name in SPLIT_COLUMNS and found.split is None:
            found.split = place
        elif name in _NAMES and found.name is None:
            found.name = place
        else:
            found.attributes.append(place)
    return found


def _check_split(path: Path, found: _Layout, reading: Reading) -> None:
    """Make the column of splits an attribute where one of its words is no split, or all are empty."""
    if found.split is None:
        return
    lines = _lines(path)
    words: dict[str, None] = {}
    next(lines)
    for line in lines:
        cells = found.cells(line)
        if len(cells) == len(found.header) and len(words) < _MAX_WORDS:
            words[cells[found.split]] = None
    splits, odd = column_splits(found.header[found.split], list(words))
    if splits is None:
        if odd:
            reading.notes.add(f"{path.name}: {odd_split(found.header[found.split], odd)}")
        found.attributes.append(found.split)
        found.split = None


def picture_of(text: str, span: Range | None = None) -> tuple[np.ndarray | None, str]:
    """Return a square gray picture ``H,H,1`` from numbers between blanks, or None and why it is none.

    The numbers are 0..255, or those of ``span``.
    """
    parts = text.split()
    side = math.isqrt(len(parts))
    if side * side != len(parts) or side < _MIN_SIDE:
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
    """Yield a picture a line, from a column ``pixels`` of numbers between blanks.

    A column ``Usage`` or ``split`` says the splits, else the file's name does; one of file names gives the
    pictures' names, and all others are attributes.
    """
    lines = _lines(path)
    found = _layout(path, next(lines, ""), reading)
    _check_split(path, found, reading)
    reading.notes.add(f"{path.name}: gray pictures from column '{printable(found.header[found.pixels])}'")
    span = parse_range(reading.value_range)
    own = split_named([name_words(path.name)[0]])
    for number, line in enumerate(lines):
        yield _item(path, number, found, cells=found.cells(line), span=span, own=own)


def _item(
    path: Path, number: int, found: _Layout, *, cells: list[str], span: Range | None, own: str | None
) -> Item:
    """Return the picture of one line, or a reject that says why there is none."""
    name, source = f"{path.name}/{number:06d}", f"{path}!{number}"
    if len(cells) != len(found.header):
        return Item(name, source, reject="its line does not have the header's number of cells")
    if found.name is not None and cells[found.name]:
        name = printable(cells[found.name])
    split, origin = own, "file names" if own else ""
    if found.split is not None:
        split, origin = split_value(cells[found.split]), f"column '{found.header[found.split]}'"
    attributes = {printable(found.header[i])[:100]: scalar(cells[i]) for i in found.attributes}
    pixels, reject = picture_of(cells[found.pixels], span)
    return Item(
        name,
        source,
        pixels=pixels,
        reject=reject,
        attributes=attributes,
        split=split,
        split_from=origin if split else "",
    )
