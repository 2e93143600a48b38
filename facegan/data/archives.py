"""Pictures from zip and tar archives, streamed: nothing is unpacked to disk."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from facegan.data.beside import MAX_SIDE_BYTES, MAX_TABLE_BYTES, Beside, is_side, is_table
from facegan.data.items import (
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_RATIO,
    MAX_TOTAL_BYTES,
    Item,
    capped,
    hidden,
    looks_like_image,
    unsafe,
)
from facegan.data.reading import Reading
from facegan.data.splits import shard_split
from facegan.errors import InputError, first_line


def _zip_reject(info: zipfile.ZipInfo) -> str:
    """Why a member must not be read, or ''."""
    bomb = info.file_size > 2**20 and info.file_size > MAX_RATIO * max(info.compress_size, 1)
    checks = (
        (unsafe(info.filename), unsafe(info.filename)),
        ((info.external_attr >> 16) & 0o170000 == 0o120000, "link in archive"),
        (not looks_like_image(info.filename), "not an image file"),
        (info.flag_bits & 1, "encrypted"),
        (info.file_size > MAX_FILE_BYTES, "file too large"),
        (bomb, "compressed beyond reason"),
    )
    return next((reason for fails, reason in checks if fails), "")


def _usable(info: zipfile.ZipInfo) -> bool:
    """Whether a member may say something of others: a file under a safe name, packed within reason."""
    reject = _zip_reject(info)
    return not info.is_dir() and reject in ("", "not an image file", "file too large")


def _reader(archive: zipfile.ZipFile) -> Callable[[str, int], bytes | None]:
    def read(name: str, most: int) -> bytes | None:
        try:
            with archive.open(name) as stream:
                return capped(stream, most)
        except Exception:  # each method of compression fails in its own ways
            return None

    return read


def from_zip(path: Path, reading: Reading) -> Iterator[Item]:
    """Members in the order of their names; a damaged one is a reject, the others are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise InputError(f"{path}: {len(members)} members are more than {MAX_MEMBERS}")
            beside = Beside(path.name, (m.filename for m in members if _usable(m)), _reader(archive), reading)
            total = 0
            for info in sorted(members, key=lambda m: m.filename):
                reject = _zip_reject(info)
                if not unsafe(info.filename) and (info.is_dir() or hidden(info.filename)):
                    continue
                if beside.takes(info.filename):
                    continue
                content: bytes | None = b""
                if not reject:
                    try:
                        with archive.open(info) as stream:
                            content = capped(stream, MAX_FILE_BYTES)
                    except Exception:  # each method of compression fails in its own ways
                        reject = "damaged in archive"
                    if content is None:
                        reject = "file too large"
                total += len(content or b"")
                if total > MAX_TOTAL_BYTES:
                    raise InputError(f"{path}: more than {MAX_TOTAL_BYTES} bytes of pictures")
                item = Item(info.filename, f"{path}!{info.filename}", content or b"", reject=reject)
                yield beside(item)
    except InputError:
        raise
    except Exception as error:  # struct, Unicode and value errors of a damaged directory, among others
        raise InputError(f"{path}: not a readable zip file ({first_line(error)})") from None


class _Bounded:
    """A stream that ends with an error once it has given ``most`` bytes."""

    def __init__(self, stream: Any, most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int) -> bytes:
        content: bytes = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise tarfile.ReadError("compressed beyond reason")
        return content


# Typeshed does not know them.
_BROKEN_HEADER = (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError)  # type: ignore[attr-defined]


class _StrictInfo(tarfile.TarInfo):
    """tarfile takes a damaged header for the end of the archive, which would drop the rest in silence."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _StrictInfo:
        try:
            return super().fromtarfile(archive)
        except _BROKEN_HEADER as error:
            raise tarfile.ReadError(f"damaged at byte {archive.offset}: {error}") from None


def _unpacked(path: Path, raw: Any) -> Any:
    """The tar's bytes, decompressed as they are read."""
    import gzip
    import lzma

    head = raw.read(6)
    raw.seek(0)
    most = 2**20 + MAX_RATIO * path.stat().st_size
    if head[:2] == b"\x1f\x8b":
        return _Bounded(gzip.GzipFile(fileobj=raw), most)
    if head == b"\xfd7zXZ\0":
        return _Bounded(lzma.LZMAFile(raw), most)
    if head[:4] == b"\x28\xb5\x2f\xfd":
        import zstandard

        unpacker = zstandard.ZstdDecompressor(max_window_size=2**27)
        return _Bounded(unpacker.stream_reader(raw, read_across_frames=True), most)
    return raw


def _tar_reject(info: tarfile.TarInfo) -> str:
    """Why a member must not be read, or ''."""
    checks = (
        (unsafe(info.name), unsafe(info.name)),
        (info.issym() or info.islnk(), "link in archive"),
        (not info.isfile(), "device or pipe in archive"),
        (not looks_like_image(info.name), "not an image file"),
        (info.size > MAX_FILE_BYTES, "file too large"),
    )
    return next((reason for fails, reason in checks if fails), "")


def _members(path: Path, raw: Any) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    """Members in the order of the archive, read as a stream, with their names (without ./)."""
    with tarfile.open(fileobj=_unpacked(path, raw), mode="r|", tarinfo=_StrictInfo) as archive:
        count = 0
        while (info := archive.next()) is not None:
            count += 1
            if count > MAX_MEMBERS:
                raise InputError(f"{path}: more than {MAX_MEMBERS} members")
            archive.members = []  # type: ignore[attr-defined]  # it keeps them all otherwise
            yield archive, info, info.name.removeprefix("./")  # as "tar -C FOLDER ." writes them


def _tar_beside(path: Path, reading: Reading) -> Beside:
    """What a tar's names and the small files among its members say of the pictures, from a first pass."""
    names: list[str] = []
    contents: dict[str, bytes] = {}
    left = MAX_TABLE_BYTES
    try:
        with path.open("rb") as raw:
            for archive, info, name in _members(path, raw):
                if not info.isfile() or unsafe(info.name):
                    continue
                names.append(name)
                most = MAX_TABLE_BYTES if is_table(name) else MAX_SIDE_BYTES if is_side(name) else -1
                if info.size <= min(most, left):
                    member = archive.extractfile(info)
                    contents[name] = member.read() if member else b""
                    left -= info.size
    except Exception:  # of many kinds; whoever reads the pictures tells it
        pass
    return Beside(path.name, names, lambda name, most: contents.get(name), reading)


def from_tar(path: Path, reading: Reading) -> Iterator[Item]:
    """Members in the order of the archive, streamed twice: for its names, and for its pictures."""
    total = 0
    beside, split = _tar_beside(path, reading), shard_split(path.name)
    try:
        with path.open("rb") as raw:
            for archive, info, name in _members(path, raw):
                if not unsafe(info.name) and (info.isdir() or hidden(info.name)):
                    continue
                if beside.takes(name) and info.isfile():
                    continue
                reject, content = _tar_reject(info), b""
                if not reject:
                    member = archive.extractfile(info)
                    content = member.read() if member else b""
                total += len(content)
                if total > MAX_TOTAL_BYTES:
                    raise InputError(f"{path}: more than {MAX_TOTAL_BYTES} bytes of pictures")
                origin = "names of shards" if split else ""
                yield beside(
                    Item(name, f"{path}!{name}", content, reject=reject, split=split, split_from=origin)
                )
    except InputError:
        raise
    except Exception as error:  # of tar, gzip, xz, zstd, and of numbers and names that make no sense
        raise InputError(f"{path}: not a readable tar file, or cut short ({first_line(error)})") from None
