"""Items, one for each picture, that every source yields; settings and limits of reading."""

from __future__ import annotations

import contextlib
import decimal
import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facegan.data.png import paired_digest, pixels_digest
from facegan.errors import InputError, first_line
from facegan.files import printable
from facegan.kinds import HEAD, NO_IMAGE, container, is_picture, refusal
from facegan.values import Meaning

SPLITS = ("train", "val", "test")


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: a table of words reads best as one."""
    return tuple(text.split())


FILE_COLUMNS = words(
    "file filename file_name image image_id path name filepath file_path image_path image_name image_file "
    "img img_name img_path img_file imagename imagepath photo picture"
)
"""Columns that hold the names of pictures."""
IMAGE_SUFFIXES = words(
    ".jpg .jpeg .jpe .jfif .pjpeg .pjp .png .webp .gif .bmp .tif .tiff .heic .heif .hif .avif .jp2 .j2k .jpx "
    ".ppm .pgm .pbm .pnm .pfm .tga"
)
MAX_MEMBERS = 5_000_000  # members of one archive
MAX_FILE_BYTES = 256 * 2**20  # one picture
MAX_TOTAL_BYTES = 2**40  # all pictures of one archive, unpacked
MAX_RATIO = 200  # unpacked to packed size of one zip member


AttributeValue = int | float | str | None
"""An attribute as its source has it. What it becomes is decided over all pictures, at the end."""


@dataclass(frozen=True)
class Item:
    """One picture: encoded ``content`` or decoded ``pixels`` (uint8 ``H,W,C``), or a ``reject``."""

    name: str
    """Path inside the source, with forward slashes."""
    source: str
    """``FILE`` or ``ARCHIVE!MEMBER``, as the dataset's column ``source`` holds it."""
    content: bytes = b""
    pixels: np.ndarray | None = None
    reject: str = ""
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    split: str | None = None
    """train, val or test, where its source says so."""
    split_from: str = ""
    """The origin of the split in a word or two for the closing summary, such as ``folders``."""
    meaning: Meaning | None = None
    """The meaning of the file's values, where it holds this picture alone."""
    paired: Item | None = None
    """The input of which this picture is the target, where both are files of their own."""
    decisions: tuple[Any, ...] = ()
    """What somebody has decided about it (:class:`facegan.data.review.Decision`)."""

    def digest(self) -> bytes:
        """Return the SHA-256 of what came in."""
        pixels = self.pixels
        own = hashlib.sha256(self.content).digest() if pixels is None else pixels_digest(pixels)
        return paired_digest(own, self.paired.digest()) if self.paired else own

    def size(self) -> int:
        """Return the number of bytes in memory."""
        own = len(self.content) if self.pixels is None else self.pixels.nbytes
        return own + (self.paired.size() if self.paired else 0)


@dataclass(frozen=True)
class Row:
    """One crop (``png``) or one reject (``reject``) of a source picture."""

    source: str
    name: str
    digest: bytes = b""
    reject: str = ""
    png: bytes = b""
    input_png: bytes = b""
    """The input of a pair, of which ``png`` is the target."""
    pixels_digest: bytes = b""
    near_hash: bytes = b""
    gray: bytes = b""
    """A small copy, by which near duplicates are confirmed."""
    box: list[float] | None = None
    landmarks: list[float] | None = None
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    split: str = "train"
    confidence: dict[str, float | None] = field(default_factory=dict)
    """The confidence of a network in the attributes that it has predicted."""
    values: str = ""
    """JSON of ``summary.packed``: the crop's least and greatest level, and how its file was read."""
    score: float | None = None
    """The detector's confidence in the face."""
    by_review: bool = False
    """Whether it stays in spite of everything, also as a duplicate."""


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn what libraries raise for a damaged file, errors of many kinds, into InputError ``WHAT (why)``."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{what} ({first_line(error)})") from None


def capped(stream: Any, limit: int) -> bytes | None:
    """Return at most ``limit`` bytes; None if there are more, whatever the header says."""
    content = stream.read(limit + 1)
    return None if len(content) > limit else content


class _Bounded:
    """A stream that ends with an error once it has given ``most`` bytes."""

    def __init__(self, stream: Any, most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int) -> bytes:
        content: bytes = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise OSError("compressed beyond reason")
        return content


def unpacked(path: Path, raw: Any) -> Any:
    """Return the bytes of a file that may be packed by gzip, bzip2, xz or zstd, unpacked as they are read."""
    import bz2
    import gzip
    import lzma

    def zstd(raw: Any) -> Any:
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw, read_across_frames=True)

    kind = container(raw.read(HEAD))
    raw.seek(0)
    methods: dict[str, Callable[[Any], Any]]
    methods = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, "zstd": zstd}
    if kind not in methods:
        return raw
    return _Bounded(methods[kind](raw), 2**20 + MAX_RATIO * path.stat().st_size)


def read_packed(path: Path, where: str) -> bytes:
    """Return a file's content, unpacked where it is packed; InputError ``WHERE: why`` if beyond reason."""
    with path.open("rb") as raw:
        content = capped(unpacked(path, raw), 2**20 + MAX_RATIO * path.stat().st_size - 1)
    if content is None:
        raise InputError(f"{where}: compressed beyond reason")
    return content


def read_file(path: Path, most: int) -> bytes | None:
    """Return a plain file's content; None if it is gone, unreadable, or larger than ``most`` bytes."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= most else None
    except (OSError, ValueError):
        return None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one where there is none."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def unsafe(name: str) -> str:
    """Return why an archive member's name must not be used, or ''."""
    parts = name.replace("\\", "/").split("/")
    if "\0" in name:
        return "unsafe name"
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return "absolute path in archive"
    return "'..' in archive path" if ".." in parts else ""


_HOUSEKEEPING = (*words("__MACOSX Thumbs.db desktop.ini @eaDir $RECYCLE.BIN"), "System Volume Information")


def hidden(name: str) -> bool:
    """Return whether a name is housekeeping of desktops, disks and archivers."""
    parts = name.replace("\\", "/").split("/")
    return any((p.startswith(".") and p not in (".", "..")) or p in _HOUSEKEEPING for p in parts)


def looks_like_image(name: str) -> bool:
    """Return whether the suffix is a picture's; contents decide (:func:`refused`)."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def refused(head: bytes, name: str) -> str:
    """Return why a file with this begin is not read as a picture, or ''.

    What is unknown but named as a picture is left to the decoder, which says what is wrong with it.
    """
    if is_picture(head, name):
        return ""
    reason = refusal(head, name)
    return "" if reason == NO_IMAGE and looks_like_image(name) else reason


MAX_TEXT = 256  # characters of a text that are kept; what is longer is no class


def is_scalar(cell: Any) -> bool:
    """Return whether a cell holds one value that can be an attribute; lists, bytes and such do not."""
    return cell is None or isinstance(cell, (bool, int, float, str, decimal.Decimal))


def scalar(cell: Any) -> AttributeValue:
    """Return a cell's value as attributes are handed on: 1 and 0 for true and false, NaN as unknown."""
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, int):
        return cell if -(2**63) <= cell < 2**63 else str(cell)[:MAX_TEXT]
    if cell is None or isinstance(cell, (float, decimal.Decimal)):
        return None if cell is None or math.isnan(number := float(cell)) else number
    return printable(str(cell)[:MAX_TEXT])


_STARTS = ("/9j/", "iVBORw0KGgo", "UklGR", "R0lGOD", "Qk0")  # of JPEG, PNG, WebP, GIF and BMP in base64


def from_text(text: str) -> bytes | None:
    """Return the picture in a data URI or in base64; None for other texts, such as paths."""
    import base64
    import binascii

    head, comma, body = text.partition(",")
    if text.startswith("data:"):
        if not comma or not head.endswith(";base64"):
            return None
    elif text.startswith(_STARTS) and len(text) > 100:
        body = text
    else:
        return None
    try:
        return base64.b64decode(body)
    except (binascii.Error, ValueError):
        return None


def as_array(cell: Any, dtype: Any, shape: tuple[int, ...] | None) -> np.ndarray | None:
    """Return pixels ``H,W,C`` from nested lists (or ``H,W``, ``C,H,W``) or one flat list; None for others.

    A flat list is of ``shape``, or a square gray picture.
    """
    try:
        array = np.asarray(cell, dtype)
    except (ValueError, TypeError, OverflowError):
        return None
    if shape is not None and array.size == math.prod(shape):
        array = array.reshape(shape)
    if array.ndim == 1 and array.size and math.isqrt(array.size) ** 2 == array.size:
        array = array.reshape(math.isqrt(array.size), -1)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[..., None]
    good = array.ndim == 3 and array.shape[2] in (1, 3, 4) and array.size
    return np.ascontiguousarray(array) if good else None


MAX_LINE = 400  # characters of a line


def _one_line(text: str) -> str:
    """Return a text as one line of bounded length: names of files and columns may hold anything."""
    text = " ".join(printable(text).splitlines())
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]} ..."


class Notes:
    """Remarks on the sources for the closing summary of ``prepare``, each line once.

    A line is a sentence without a count, such as ``columns 'caption' of a.parquet left out: free text``;
    lines that repeat are counted.
    """

    def __init__(self) -> None:
        self._lines: Counter[str] = Counter()
        self._tallies: dict[str, Counter[str]] = {}
        self.kept: Counter[str] = Counter()
        """The pictures of each split that stayed in the end, where that is known."""

    def tally(self, what: str, value: str) -> None:
        """Count a value for a line such as ``splits from folders: train 800, val 100``."""
        self._tallies.setdefault(_one_line(what), Counter())[value] += 1

    def add(self, line: str) -> None:
        self._lines[_one_line(line)] += 1

    def lines(self) -> list[str]:
        """Return what was counted, then the lines as they came, with ``(N times)`` where they repeat."""
        total: Counter[str] = sum(self._tallies.values(), Counter())
        fewer = self.kept and any(total[split] > self.kept[split] for split in total)
        counted = [
            f"{what}{' (with what was left out later)' * bool(fewer)}: "
            + ", ".join(f"{value} {tally[value]:,}" for value in sorted(tally, key=SPLITS.index))
            for what, tally in self._tallies.items()
            if set(tally) != {"train"}  # which would have been so without
        ]
        return counted + [line if n == 1 else f"{line} ({n:,} times)" for line, n in self._lines.items()]


@dataclass(frozen=True)
class Reading:
    """Settings of reading sources; ``notes`` and ``class_names`` are filled on the way."""

    value_range: str = ""
    """``LOW..HIGH`` of arrays and float pictures (``--range``); '' decides only what is beyond doubt."""
    image_column: str = ""
    """The column of a table that holds the pictures; '' finds it."""
    follow_links: bool = False
    """Whether links to folders are followed."""
    classes: str = "auto"
    """Whether folders are classes: auto (where they look like it), folders (always), none."""
    notes: Notes = field(default_factory=Notes, compare=False)
    class_names: dict[str, list[str]] = field(default_factory=dict, compare=False)
    """Names of the classes 0, 1, ... of an attribute, where its source gives them."""
