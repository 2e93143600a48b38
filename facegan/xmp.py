"""XMP packets in PNG, JPEG, WebP, GIF and MP4 files, where their specifications have them.

Reading goes from block to block and holds only the packet; sizes and numbers of blocks are bounded.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from facegan.errors import InputError

MAX_PACKET = 1_000_000  # bytes
MAX_BLOCKS = 1_000_000
MAX_JPEG = 65_502  # bytes of a packet in one segment

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEY = b"XML:com.adobe.xmp\0"  # XMP specification, part 3, section 1.1.5
_JPEG_KEY = b"http://ns.adobe.com/xap/1.0/\0"  # section 1.1.3
_GIF_KEY = b"XMP DataXMP"  # section 1.1.2
# A reader of ordinary GIFs takes the packet for blocks as long as their first bytes say. From any of these
# bytes on, it steps to the end.
_GIF_TAIL = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_MP4_KEY = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # section 1.2.6


class _Damaged(Exception):
    pass


def embed(content: bytes, packet: bytes) -> bytes:
    """Return a PNG or JPEG file that has no packet with this one; an empty packet changes nothing."""
    if not packet:
        return content
    if content.startswith(_PNG):
        end = 33  # of the header, which comes first
        body = b"iTXt" + _PNG_KEY + b"\0\0\0\0" + packet
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return content[:end] + chunk + content[end:]
    assert content.startswith(b"\xff\xd8") and len(packet) <= MAX_JPEG
    end = 2
    if content[2:4] == b"\xff\xe0":  # JFIF's header comes first
        end += 2 + int(struct.unpack(">H", content[4:6])[0])
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(_JPEG_KEY) + len(packet)) + _JPEG_KEY + packet
    return content[:end] + segment + content[end:]


def append(path: Path, packet: bytes) -> None:
    """Add a packet to a finished film (GIF, MP4, animated WebP) that has none; an empty one adds nothing."""
    if not packet:
        return
    with open(path, "r+b") as file:
        head = file.read(32)
        end = file.seek(0, os.SEEK_END)
        if head[:4] == b"RIFF":
            file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2))
            size = file.tell() - 8
            file.seek(4)
            file.write(struct.pack("<I", size))
            file.seek(20)
            file.write(bytes([head[20] | 4]))  # the flag of VP8X for XMP, RFC 9649, section 2.7
        elif head[:3] == b"GIF":
            file.seek(end - 1)
            assert file.read(1) == b";"
            file.seek(end - 1)
            file.write(b"\x21\xff\x0b" + _GIF_KEY + packet + _GIF_TAIL + b";")
        else:
            assert head[4:8] == b"ftyp"
            file.write(struct.pack(">I", 24 + len(packet)) + b"uuid" + _MP4_KEY + packet)


def find(path: Path) -> bytes | None:
    """Return the packet in a file, None if there is none.

    Raises:
        InputError: There is no such file, it is of another format, or it is damaged.
    """
    try:
        with open(path, "rb") as file:
            reader = _reader(file.read(12))
            if reader is None:
                raise InputError(f"{path}: not a PNG, JPEG, WebP, GIF or MP4 file")
            return reader(file)
    except (_Damaged, struct.error, zlib.error):
        raise InputError(f"{path}: damaged; it ends too early or has impossible sizes") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def is_readable(path: str | Path) -> bool:
    """Return whether ``path`` is a file of a format that :func:`find` reads, by its first bytes."""
    try:
        with open(path, "rb") as file:
            return _reader(file.read(12)) is not None
    except (OSError, ValueError):
        return False


def _reader(head: bytes) -> Callable[[BinaryIO], bytes | None] | None:
    if head.startswith(_PNG):
        return _find_png
    if head.startswith(b"\xff\xd8\xff"):
        return _find_jpeg
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _find_webp
    if head.startswith((b"GIF87a", b"GIF89a")):
        return _find_gif
    return _find_mp4 if head[4:8] == b"ftyp" else None


def _read(file: BinaryIO, size: int) -> bytes:
    if not 0 <= size <= MAX_PACKET + 1000:
        raise _Damaged
    content = file.read(size)
    if len(content) < size:
        raise _Damaged
    return content


def _find_png(file: BinaryIO) -> bytes | None:
    file.seek(8)
    for _ in range(MAX_BLOCKS):
        size, kind = struct.unpack(">I4s", _read(file, 8))
        if kind == b"IEND":
            return None
        if kind != b"iTXt" or size > MAX_PACKET:
            file.seek(size + 4, os.SEEK_CUR)
            continue
        body = _read(file, size)
        _read(file, 4)
        if body.startswith(_PNG_KEY):
            packed, rest = body[len(_PNG_KEY) :][:1], body[len(_PNG_KEY) + 2 :].split(b"\0", 2)
            if len(rest) < 3:
                raise _Damaged
            return zlib.decompressobj().decompress(rest[2], MAX_PACKET) if packed == b"\1" else rest[2]
    raise _Damaged


def _find_jpeg(file: BinaryIO) -> bytes | None:
    file.seek(2)
    for _ in range(MAX_BLOCKS):
        lead, kind = _read(file, 2)
        while kind == 0xFF:  # fill bytes
            kind = _read(file, 1)[0]
        if lead != 0xFF:
            raise _Damaged
        if kind in (0xDA, 0xD9):  # the picture's data, or the end
            return None
        if kind == 1 or 0xD0 <= kind <= 0xD7:
            continue
        size = struct.unpack(">H", _read(file, 2))[0] - 2
        body = _read(file, size)
        if kind == 0xE1 and body.startswith(_JPEG_KEY):
            return body[len(_JPEG_KEY) :]
    raise _Damaged


def _find_webp(file: BinaryIO) -> bytes | None:
    file.seek(4)
    end = 8 + struct.unpack("<I", _read(file, 4))[0]
    if end > file.seek(0, os.SEEK_END):
        raise _Damaged
    file.seek(12)
    for _ in range(MAX_BLOCKS):
        if file.tell() >= end:
            return None
        kind, size = struct.unpack("<4sI", _read(file, 8))
        if kind == b"XMP " and size <= MAX_PACKET:
            return _read(file, size)
        file.seek(size + size % 2, os.SEEK_CUR)
    raise _Damaged


def _find_gif(file: BinaryIO) -> bytes | None:
    file.seek(6)
    flags = _read(file, 7)[4]
    file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, os.SEEK_CUR)
    for _ in range(MAX_BLOCKS):
        kind = _read(file, 1)
        if kind == b";":
            return None
        if kind == b"\x2c":  # a picture
            flags = _read(file, 9)[8]
            file.seek((3 << (flags & 7) + 1 if flags & 0x80 else 0) + 1, os.SEEK_CUR)
        elif kind == b"\x21":
            if _read(file, 1) == b"\xff" and _read(file, _read(file, 1)[0]) == _GIF_KEY:
                return _until_tail(file)
        else:
            raise _Damaged
        while size := _read(file, 1)[0]:
            file.seek(size, os.SEEK_CUR)
    raise _Damaged


def _until_tail(file: BinaryIO) -> bytes:
    content = file.read(MAX_PACKET + len(_GIF_TAIL))
    end = content.find(_GIF_TAIL)
    if end < 0:
        raise _Damaged
    return content[:end]


def _find_mp4(file: BinaryIO) -> bytes | None:
    total = file.seek(0, os.SEEK_END)
    file.seek(0)
    for _ in range(MAX_BLOCKS):
        begin = file.tell()
        if begin >= total:
            return None
        size, kind = struct.unpack(">I4s", _read(file, 8))
        if size == 1:
            size = struct.unpack(">Q", _read(file, 8))[0]
        if size == 0:
            size = total - begin
        end = begin + size
        if end > total or end < file.tell():
            raise _Damaged
        if kind == b"uuid" and end - file.tell() >= 16 and _read(file, 16) == _MP4_KEY:
            return _read(file, end - file.tell())
        file.seek(end)
    raise _Damaged
