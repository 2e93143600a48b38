"""PNG for many small pictures: encode several times faster than by trying every filter, and as small."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np

_GRAY, _RGB = 0, 2  # PNG's colour types
_EVEN = 0.5  # share of pixels like their left neighbour from which on a picture counts as drawn


def encode(image: np.ndarray) -> bytes:
    """Lossless PNG of uint8 ``H,W,C`` (C = 1 or 3).

    Drawings and digits repeat themselves: no filter, and zlib looks for repetitions. Photos do not: what is
    left of a pixel once its neighbours have predicted it (Paeth) has short codes, and a search finds nothing.
    """
    h, w, channels = image.shape
    rows = np.ascontiguousarray(image).reshape(h, w * channels)
    even = (
        w > 1 and np.count_nonzero(rows[:, channels:] == rows[:, :-channels]) > _EVEN * h * (w - 1) * channels
    )
    filtered = np.empty((h, 1 + w * channels), np.uint8)
    if even:
        filtered[:, 0], filtered[:, 1:] = 0, rows
    else:
        filtered[:, 0] = 4
        np.subtract(rows, _paeth(rows, channels), out=filtered[:, 1:])
    strategy = zlib.Z_DEFAULT_STRATEGY if even else zlib.Z_RLE
    packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy)
    header = struct.pack(">IIBBBBB", w, h, 8, _GRAY if channels == 1 else _RGB, 0, 0, 0)
    data = packer.compress(filtered.data) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def decode(content: bytes, channels: int = 0) -> np.ndarray:
    """Return uint8 ``H,W,C`` of a picture of a dataset, with so many channels (1 or 3; 0 keeps its own)."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB") if channels else picture)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def pixels_digest(pixels: np.ndarray, input_pixels: np.ndarray | None = None) -> bytes:
    """Return the SHA-256 of a picture's shape and values, or of a pair's."""
    digest = hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).digest()
    return digest if input_pixels is None else paired_digest(digest, pixels_digest(input_pixels))


def paired_digest(target: bytes, of_input: bytes) -> bytes:
    """Return the digest of a pair by those of its two pictures."""
    return hashlib.sha256(target + of_input).digest()


def _paeth(rows: np.ndarray, channels: int) -> np.ndarray:
    """Return the one of left, upper and corner neighbour (0 outside) nearest to left + upper - corner."""
    framed = np.zeros((rows.shape[0] + 1, rows.shape[1] + channels), np.int16)
    framed[1:, channels:] = rows
    left, upper, corner = framed[1:, :-channels], framed[:-1, channels:], framed[:-1, :-channels]
    by_left, by_upper = upper - corner, left - corner  # left + upper - corner, less left and less upper
    by_corner = np.abs(by_left + by_upper)
    by_left, by_upper = np.abs(by_left), np.abs(by_upper)
    second = np.where(by_upper <= by_corner, upper, corner)
    nearest = np.where((by_left <= by_upper) & (by_left <= by_corner), left, second)
    return nearest.astype(np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
