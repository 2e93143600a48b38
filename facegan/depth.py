"""Picture files with more than eight bits a value: their values, and the range that they name."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from facegan.values import NOMINAL, Meaning, Range, meaning_of_picture, parse_range

if TYPE_CHECKING:
    from PIL import Image

_LOSSLESS = ("PNG", "BMP", "TIFF", "PPM")
_ORIENTATION, _BITS = 0x0112, 258  # EXIF's and TIFF's tags


def in_8_bits(picture: Image.Image, content: bytes, value_range: str) -> tuple[Image.Image, Meaning | None]:
    """Return a picture of more than 8 bits, or of few values under a given range, with levels 0..255."""
    values = _deep_values(picture, content, value_range)
    if values is None:
        return picture, None
    from PIL import Image

    meaning = meaning_of_picture(values, value_range, _declared(picture, content, values))
    made = Image.fromarray(meaning.levels(values))
    made.info["icc_profile"] = picture.info.get("icc_profile")
    with contextlib.suppress(Exception):  # damaged EXIF says nothing about the orientation
        made.getexif()[_ORIENTATION] = picture.getexif().get(_ORIENTATION, 1)
    return made, meaning


def _deep_values(picture: Image.Image, content: bytes, value_range: str) -> np.ndarray | None:
    """Return values whose range is not fixed by the format; None for most pictures."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        values: np.ndarray = np.asarray(picture)
        wide = values.dtype.itemsize > 2 and picture.format in ("PNG", "PPM")
        return values.astype(np.uint16 if wide and picture.mode == "I" else values.dtype.newbyteorder("="))
    if picture.mode == "L" and value_range and picture.format in _LOSSLESS:
        values = np.asarray(picture)
        span = parse_range(value_range)
        return values if span and values.max() <= span.high < 255 else None
    if not _sixteen_bits(picture, content):
        return None
    # Pillow keeps the upper eight bits of colours; where those are few, the lower ones matter.
    upper = np.asarray(picture.convert("RGB") if picture.mode != "RGB" else picture).max()
    return _sixteen_bit_colours(content) if value_range or 0 < upper < 16 else None


def _sixteen_bits(picture: Image.Image, content: bytes) -> bool:
    if picture.format == "PNG":
        return content[24:25] == b"\x10" and picture.mode in ("RGB", "RGBA", "LA")
    return picture.format == "TIFF" and 16 in picture.tag_v2.get(_BITS, ())  # type: ignore[attr-defined]


def _sixteen_bit_colours(content: bytes) -> np.ndarray | None:
    """Return uint16 ``H,W,C``, or None if OpenCV reads another type."""
    import cv2

    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16:
        return None
    if found.ndim == 3:
        found = found[..., [2, 1, 0, *range(3, found.shape[2])]]
    return found


def _declared(picture: Image.Image, content: bytes, values: np.ndarray) -> Range | None:
    """Return the range that the file itself names, if it can be trusted."""
    if picture.format == "PPM" and picture.mode == "I":  # Pillow has brought them to this
        return Range(0, 65535)
    if picture.format == "PNG":
        bits = _significant_bits(content)
        if not 8 < bits <= 16:
            return None
        # The standard wants them scaled up; a writer that did not leaves values that scaling cannot give.
        scaled = bits == 16 or values.max() >= 2**bits or not (values % 2 ** (16 - bits)).any()
        return Range(0, 65535 if scaled else 2**bits - 1)
    tags = getattr(picture, "tag_v2", {})
    # The standard makes these tags statistics; only the ends of usual ranges count.
    ends = [(tags.get(low, 0), tags.get(high)) for low, high in ((340, 341), (280, 281))]
    for low, high in ((_one(low), _one(high)) for low, high in ends):
        if high is not None and (span := Range(low or 0, high)) in NOMINAL and values.max() <= high:
            return span
    bits = int(_one(tags.get(_BITS)) or 0)
    return Range(0, 2**bits - 1) if picture.mode.startswith("I;16") and 8 < bits < 16 else None


def _one(value: Any) -> float | None:
    """Return a tag's number, which some writers repeat for each channel."""
    if isinstance(value, tuple):
        value = value[0] if value else None
    return float(value) if isinstance(value, (int, float)) else None


def _significant_bits(png: bytes) -> int:
    """Return the largest number in the chunk sBIT, or 0."""
    at = 8
    while at + 8 <= len(png) and (kind := png[at + 4 : at + 8]) != b"IDAT":
        length = int.from_bytes(png[at : at + 4], "big")
        if kind == b"sBIT":
            return max(png[at + 8 : at + 8 + min(length, 4)], default=0)
        at += 12 + length
    return 0


def plain_tiff(content: bytes, max_pixels: int) -> np.ndarray | None:
    """Return ``H,W,C`` (C = 1, 3 or 4) of a TIFF of uncompressed numbers; None for any other file."""
    if content[:4] not in (b"II*\0", b"MM\0*"):
        return None
    try:
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        tags = ImageFileDirectory_v2(content[:8])
        stream = io.BytesIO(content)
        stream.seek(int.from_bytes(content[4:8], "little" if content[:2] == b"II" else "big"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags.load(stream)
        width, height, channels = int(tags[256]), int(tags[257]), int(tags.get(277, 1))
        bits, forms = set(tags[_BITS]), set(tags.get(339, (1,)))
        plain = tags.get(259, 1) == 1 and tags.get(284, 1) == 1 and channels in (1, 3, 4)
        if not plain or len(bits) != 1 or len(forms) != 1 or not 0 < width * height <= max_pixels:
            return None
        kind = {1: "u", 2: "i", 3: "f"}[forms.pop()]
        dtype = np.dtype(f"{'<' if content[:2] == b'II' else '>'}{kind}{bits.pop() // 8}")
        strips = zip(_all(tags[273]), _all(tags[279]), strict=True)
        data = b"".join(content[start : start + size] for start, size in strips)
        found = np.frombuffer(data, dtype).reshape(height, width, channels)
        return found.astype(dtype.newbyteorder("="))
    except Exception:  # damaged headers fail in many ways
        return None


def _all(value: Any) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
