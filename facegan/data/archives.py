"""Pictures from zip and tar archives, streamed: nothing is unpacked to disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facegan.data.items import (
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_RATIO,
    MAX_TOTAL_BYTES,
    Item,
    first_line,
    hidden,
    looks_like_image,
    unsafe,
)
from facegan.errors import InputError


def capped(stream: Any, limit: int) -> bytes | None:
    """At most ``limit`` bytes; None if there are more, whatever the header says."""
    content = stream.read(limit + 1)
    return None if len(content) > limit else content


def from_zip(path: Path) -> Iterator[Item]:
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise InputError(f"{path}: {len(members)} members are more than {MAX_MEMBERS}")
            total = 0
            for info in sorted(members, key=lambda m: m.filename):
                if info.is_dir() or hidden(info.filename):
                    continue
                name, source = info.filename, f"{path}!{info.filename}"
                reject = unsafe(name)
                if not reject and (info.external_attr >> 16) & 0o170000 == 0o120000:
                    reject = "link in archive"
                if not reject and not looks_like_image(name):
                    reject = "not an image file"
                if not reject and info.flag_bits & 1:
                    reject = "encrypted"
                if not reject and info.file_size > MAX_FILE_BYTES:
                    reject = "file too large"
                if (
                    not reject
                    and info.file_size > 2**20
                    and info.file_size > MAX_RATIO * max(info.compress_size, 1)
                ):
                    reject = "compressed beyond reason"
                if reject:
                    yield Item(name, source, reject=reject)
                    continue
                try:
                    with archive.open(info) as stream:
                        content = capped(stream, MAX_FILE_BYTES)
                except (
                    zipfile.BadZipFile,
                    zlib.error,
                    OSError,
                    EOFError,
                    NotImplementedError,
                    ValueError,
                    RuntimeError,
                ):
                    yield Item(name, source, reject="damaged in archive")
                    continue
                if content is None:
                    yield Item(name, source, reject="file too large")
                    continue
                total += len(content)
                if total > MAX_TOTAL_BYTES:
                    raise InputError(f"{path}: more than {MAX_TOTAL_BYTES} bytes of pictures")
                yield Item(name, source, content)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable zip file ({first_line(error)})") from None


def _tar_stream(path: Path) -> Any:
    """The tar's bytes, decompressed as they are read."""
    import gzip
    import lzma

    head = path.open("rb").read(6)
    if head[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if head == b"\xfd7zXZ\x00":
        return lzma.open(path, "rb")
    if head[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(path.open("rb"), closefd=True)
    return path.open("rb")


def from_tar(path: Path) -> Iterator[Item]:
    import lzma
    import tarfile
    import zlib

    import zstandard

    broken = (
        tarfile.TarError,
        EOFError,
        OSError,
        zlib.error,
        lzma.LZMAError,
        zstandard.ZstdError,
        ValueError,
    )
    total = count = 0
    try:
        with _tar_stream(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                count += 1
                if count > MAX_MEMBERS:
                    raise InputError(f"{path}: more than {MAX_MEMBERS} members")
                if info.isdir() or hidden(info.name):
                    continue
                source, reject = f"{path}!{info.name}", unsafe(info.name)
                if not reject and (info.issym() or info.islnk()):
                    reject = "link in archive"
                if not reject and not info.isfile():
                    reject = "device or pipe in archive"
                if not reject and not looks_like_image(info.name):
                    reject = "not an image file"
                if not reject and info.size > MAX_FILE_BYTES:
                    reject = "file too large"
                if reject:
                    yield Item(info.name, source, reject=reject)
                    continue
                member = archive.extractfile(info)
                content = member.read() if member else b""
                total += len(content)
                if total > MAX_TOTAL_BYTES:
                    raise InputError(f"{path}: more than {MAX_TOTAL_BYTES} bytes of pictures")
                yield Item(info.name, source, content)
    except broken as error:
        raise InputError(f"{path}: not a readable tar file, or cut short ({first_line(error)})") from None
