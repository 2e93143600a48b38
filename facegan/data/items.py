"""What every source yields: an item a picture, and the limits that hold for all."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facegan.data.content import pixels_digest
from facegan.kinds import NO_IMAGE, is_picture, refusal
from facegan.values import Meaning

IMAGE_SUFFIXES = frozenset(
    f".{kind}"
    for kinds in (
        "jpg jpeg jpe jfif pjpeg pjp png webp gif bmp tif tiff heic heif hif avif jp2 j2k jpx",
        "ppm pgm pbm pnm pfm tga",
    )
    for kind in kinds.split()
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
    """What said so, in a word or two for the closing summary: ``folders``, say."""
    meaning: Meaning | None = None
    """How the values of ``pixels`` were read, where a file holds this picture alone."""

    def digest(self) -> bytes:
        """Return the SHA-256 of what came in."""
        if self.pixels is not None:
            return pixels_digest(self.pixels)
        return hashlib.sha256(self.content).digest()


@dataclass(frozen=True)
class Row:
    """One crop (``png``) or one reject (``reject``) of a source picture."""

    source: str
    name: str
    digest: bytes = b""
    reject: str = ""
    png: bytes = b""
    pixels_digest: bytes = b""
    near_hash: bytes = b""
    gray: bytes = b""
    """A small copy, by which near duplicates are confirmed."""
    box: list[float] | None = None
    landmarks: list[float] | None = None
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    split: str = "train"
    confidence: dict[str, float | None] = field(default_factory=dict)
    """How sure a network is of the attributes that it has predicted."""
    png_size: int = 0
    """Bytes of ``png``, where rows were read without it."""
    values: str = ""
    """JSON of ``overview.packed``: the crop's least and greatest level, and how its file was read."""


def capped(stream: Any, limit: int) -> bytes | None:
    """Return at most ``limit`` bytes; None if there are more, whatever the header says."""
    content = stream.read(limit + 1)
    return None if len(content) > limit else content


def unsafe(name: str) -> str:
    """Return why an archive member's name must not be used, or ''."""
    parts = name.replace("\\", "/").split("/")
    if "\0" in name:
        return "unsafe name"
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        return "absolute path in archive"
    return "'..' in archive path" if ".." in parts else ""


_HOUSEKEEPING = {
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
    "@eaDir",
    "$RECYCLE.BIN",
    "System Volume Information",
}


def hidden(name: str) -> bool:
    """Return whether a name is housekeeping of desktops, disks and archivers, which nobody means by "the
    photos"."""
    parts = name.replace("\\", "/").split("/")
    return any((p.startswith(".") and p not in (".", "..")) or p in _HOUSEKEEPING for p in parts)


def looks_like_image(name: str) -> bool:
    """Return whether the suffix is that of pictures. Contents decide (:func:`refused`); this is for names
    alone."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def begins(name: str, head: bytes | None) -> bool:
    """Return whether a file with this begin is a picture."""
    return is_picture(head or b"", name)


def refused(head: bytes, name: str) -> str:
    """Return why a file with this begin is not read as a picture, or ''.

    What is unknown but named as a picture is left to the decoder, which says what is wrong with it.
    """
    if is_picture(head, name):
        return ""
    reason = refusal(head, name)
    return "" if reason == NO_IMAGE and looks_like_image(name) else reason
