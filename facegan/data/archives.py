"""Pictures from zip and tar archives, streamed: nothing is unpacked to disk."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facegan.data.beside import MAX_SIDE_BYTES, MAX_TABLE_BYTES, Beside, is_side, is_table
from facegan.data.folders import shard_split
from facegan.data.items import (
    MAX_FILE_BYTES,
    MAX_MEMBERS,
    MAX_RATIO,
    MAX_TOTAL_BYTES,
    Item,
    Reading,
    capped,
    hidden,
    looks_like_image,
    readable,
    refused,
    unpacked,
    unsafe,
)
from facegan.errors import InputError
from facegan.kinds import ARRAYS, HEAD, container, is_picture


def member(stream: Any, name: str, size: int, *, packed: int | None = None) -> tuple[str, bytes]:
    """Return why a member is no picture, or '' and its content. Of what is none only the begin is read."""
    head = stream.read(HEAD)
    if reject := refused(head, name):
        array = container(head) in ARRAYS
        return "an array or table inside an archive (unpack the archive first)" if array else reject, b""
    if size > MAX_FILE_BYTES:
        return "file too large", b""
    if packed is not None and _bomb(size, packed):
        return "compressed beyond reason", b""
    rest = capped(stream, MAX_FILE_BYTES)
    too_large = rest is None or len(head) + len(rest) > MAX_FILE_BYTES
    return ("file too large", b"") if too_large else ("", head + (rest or b""))


def _zip_reject(info: zipfile.ZipInfo) -> str:
    """Return why a member must not be opened, or ''."""
    link = (info.external_attr >> 16) & 0o170000 == 0o120000
    encrypted = "encrypted (unpack the archive with its password first)" if info.flag_bits & 1 else ""
    return unsafe(info.filename) or ("link in archive" if link else encrypted)


def _from_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, bytes]:
    if reject := _zip_reject(info):
        return reject, b""
    try:
        with archive.open(info) as stream:
            return member(stream, info.filename, info.file_size, packed=info.compress_size)
    except NotImplementedError:
        method = zipfile.compressor_names.get(info.compress_type, str(info.compress_type))  # type: ignore[attr-defined]
        return f"compression method {method} is not read here (unpack the archive first)", b""
    except Exception:  # each method of compression fails in its own ways
        return "damaged in archive", b""


def _zip_beside(
    path: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], *, reading: Reading
) -> Beside:
    """Return what a zip's names and the files among its members say of the pictures."""

    def read(name: str, most: int) -> bytes | None:
        try:
            with archive.open(name) as stream:
                return capped(stream, most)
        except Exception:  # each method of compression fails in its own ways
            return None

    def usable(info: zipfile.ZipInfo) -> bool:
        """Return whether it is a file under a safe name, packed within reason."""
        return not (info.is_dir() or _bomb(info.file_size, info.compress_size) or _zip_reject(info))

    names = [info.filename for info in members if usable(info)]
    return Beside(
        path.name,
        names,
        read,
        reading=reading,
        pictures=lambda name: is_picture(read(name, HEAD) or b"", name),
    )


def _bomb(size: int, packed: int) -> bool:
    return size > 2**20 and size > MAX_RATIO * max(packed, 1)


def _check_whole(path: Path) -> None:
    """Raise InputError for a part of a split zip, of which zipfile would call every member damaged."""
    with path.open("rb") as handle:
        begin = handle.read(4)
        size = handle.seek(0, 2)
        handle.seek(max(0, size - 2**16 - 22))
        end = handle.read()
    at = end.rfind(b"PK\5\6")
    if begin == b"PK\7\x08" or (at >= 0 and end[at + 4 : at + 6] not in (b"\0\0", b"\xff\xff")):
        raise InputError(f"{path}: one part of a split archive (join the parts to one file first)")
    if begin == b"PK\3\4" and at < 0:
        raise InputError(f"{path}: its end is missing: cut short, or one part of a split archive")


def from_zip(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield members in the order of their names; a damaged one is a reject, the others are read."""
    with readable(f"{path}: not a readable zip file"):
        _check_whole(path)
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() or unsafe(m.filename)]
            if not members:
                raise InputError(f"{path}: the archive is empty")
            if len(members) > MAX_MEMBERS:
                raise InputError(f"{path}: {len(members)} members are more than {MAX_MEMBERS}")
            beside, total = _zip_beside(path, archive, members, reading=reading), 0
            for info in sorted(members, key=lambda m: m.filename):
                if info.filename in beside.used or (not unsafe(info.filename) and hidden(info.filename)):
                    continue
                reject, content = _from_zip_member(archive, info)
                total += len(content)
                if total > MAX_TOTAL_BYTES:
                    raise InputError(f"{path}: more than {MAX_TOTAL_BYTES} bytes of pictures")
                yield beside(Item(info.filename, f"{path}!{info.filename}", content, reject=reject))


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


def _members(path: Path, raw: Any) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    """Yield members in the order of the archive, read as a stream, with their names (without ./)."""
    with tarfile.open(fileobj=unpacked(path, raw), mode="r|", tarinfo=_StrictInfo) as archive:
        count = 0
        while (info := archive.next()) is not None:
            count += 1
            if count > MAX_MEMBERS:
                raise InputError(f"{path}: more than {MAX_MEMBERS} members")
            archive.members = []  # type: ignore[attr-defined]  # it keeps them all otherwise
            yield archive, info, info.name.removeprefix("./")  # as "tar -C FOLDER ." writes them


def _tar_beside(path: Path, reading: Reading) -> Beside:
    """Return what a tar's names and small files say of the pictures, from a first pass."""
    names: list[str] = []
    contents: dict[str, bytes] = {}
    pictures: set[str] = set()
    left = MAX_TABLE_BYTES
    try:
        with path.open("rb") as raw:
            for archive, info, name in _members(path, raw):
                if not info.isfile() or unsafe(info.name):
                    continue
                names.append(name)
                most = MAX_TABLE_BYTES if is_table(name) else MAX_SIDE_BYTES if is_side(name) else -1
                if info.size <= min(most, left):
                    stream = archive.extractfile(info)
                    contents[name] = stream.read() if stream else b""
                    left -= info.size
                elif not looks_like_image(name) and (stream := archive.extractfile(info)):
                    pictures |= {name} if is_picture(stream.read(HEAD), name) else set()
    except Exception:  # of many kinds; whoever reads the pictures tells it
        pass

    def read(name: str, most: int) -> bytes | None:
        return contents.get(name)

    return Beside(path.name, names, read, reading=reading, pictures=pictures.__contains__)


def from_tar(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield members in the order of the archive, streamed twice: for its names, and for its pictures."""
    total = files = 0
    beside, split = _tar_beside(path, reading), shard_split(path.name)
    origin = "names of shards" if split else ""
    with readable(f"{path}: not a readable tar file, or cut short"), path.open("rb") as raw:
        for archive, info, name in _members(path, raw):
            if not unsafe(info.name) and (info.isdir() or hidden(info.name)):
                continue
            if name in beside.used and info.isfile():
                continue
            other = "link in archive" if info.issym() or info.islnk() else "device or pipe in archive"
            reject, content = unsafe(info.name) or ("" if info.isfile() else other), b""
            files += 1
            if not reject and (stream := archive.extractfile(info)):
                reject, content = member(stream, name, info.size)
            total += len(content)
            if total > MAX_TOTAL_BYTES:
                raise InputError(f"{path}: more than {MAX_TOTAL_BYTES} bytes of pictures")
            yield beside(Item(name, f"{path}!{name}", content, reject=reject, split=split, split_from=origin))
        if not files:
            raise InputError(f"{path}: the archive is empty")
