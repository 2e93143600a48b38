"""Open sources of pictures, each as a stream of items at constant memory.

A member that must not be used (``..``, absolute, a link, too large) comes out as an item with a
``reject`` instead of content, so that it is listed, not hidden.
"""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from facegan.data.archives import from_tar, from_zip
from facegan.data.beside import Beside, count_pictures
from facegan.data.items import (
    MAX_FILE_BYTES,
    Item,
    Reading,
    hidden,
    read_file,
    read_json,
    refused,
    unpacked,
)
from facegan.data.parquet import (
    SAVED_FILES,
    from_dataset,
    from_hub,
    from_parquet,
    is_cache,
    is_table,
    tables_in,
)
from facegan.data.tables import from_idx, from_npy, from_npz, from_pixel_csv
from facegan.data.walk import Entry, begin, walk
from facegan.errors import InputError
from facegan.files import photo_path
from facegan.kinds import HEAD, NO_IMAGE, PACKED, container, is_part, is_picture, refusal

Reader = Callable[[Path, Reading], Iterator[Item]]


def from_folder(
    path: Path, reading: Reading, without: Callable[[str], bool] = lambda _: False
) -> Iterator[Item]:
    """Yield all pictures below, except in files ``without`` names; what is no picture is a reject."""

    def entries() -> Iterator[Entry]:
        return (e for e in walk(path, reading.follow_links) if not without(e.name))

    beside = Beside(
        path.resolve().name,
        [entry.name for entry in entries() if not entry.reject],
        lambda name, most: read_file(path / name, most),
        reading=reading,
        pictures=lambda name: is_picture(begin(path / name), name),
        enters_archives=True,
    )
    for entry in entries():
        if entry.reject:
            yield Item(entry.name, str(entry.path), reject=entry.reject)
        elif entry.name not in beside.used and not _described_elsewhere(entry.path, reading):
            yield from map(beside, _inside(entry, reading))


def _inside(entry: Entry, reading: Reading) -> Iterator[Item]:
    """Yield what a file in a folder holds; one that cannot be read is a reject."""
    folder, own = entry.name.rpartition("/")[0], entry.path.name
    try:
        for item in from_file(entry.path, reading):
            whole = item.name == own or item.name.startswith(f"{own}/")
            before = folder if whole else entry.name
            yield replace(item, name="/".join(filter(None, (before, item.name)))) if before else item
    except InputError as error:
        yield Item(entry.name, str(entry.path), reject=str(error).removeprefix(f"{entry.path}: "))


def from_file(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield one file: a picture, an archive or arrays, by what it holds and not by its suffix."""
    name, source, content = path.name, str(path), b""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would keep us waiting
            yield Item(name, source, reject="not a regular file")
            return
        with path.open("rb") as handle:
            head = handle.read(HEAD)
            part = not is_picture(head, name) and is_part(name)
            reject = "one part of a split archive (join the parts first)" if part else refused(head, name)
            if not reject and about.st_size > MAX_FILE_BYTES:
                reject = "file too large"
            if not reject:
                content = head + handle.read()
    except OSError as error:
        yield Item(name, source, reject=f"unreadable ({error.strerror})")
        return
    if not is_picture(head, name) and (reader := _reader(path, head)):
        yield from reader(path, reading)
    else:
        yield Item(name, source, content, reject=reject)


_READERS: dict[str, Reader] = {
    "zip": from_zip,
    "tar": from_tar,
    "npz": from_npz,
    "npy": from_npy,
    "idx": from_idx,
    "table": from_parquet,
    "csv": from_pixel_csv,
}
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
_SUFFIXES = {f".{kind}": kind for kind in ("zip", "npz", "npy", "idx")} | dict.fromkeys(_TAR, "tar")


def _reader(path: Path, head: bytes) -> Reader | None:
    """Return what reads an archive or arrays; None for everything else."""
    kind = container(head)
    if kind in PACKED:
        kind = _packed_kind(path)
    elif not kind and refusal(head, path.name) == NO_IMAGE:  # damaged: who reads such files says how
        name = path.name.lower()
        kind = next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), "")
        kind = kind or ("idx" if "ubyte" in name else "table" if is_table(name) else "")
    return _READERS.get(kind)


def _packed_kind(path: Path) -> str:
    """Return what a packed file holds that can be read from it: ``tar``, ``idx``, ``npy``, ``csv`` or ''."""
    try:
        with path.open("rb") as raw:
            head = unpacked(path, raw).read(HEAD)
    except Exception:  # each method of compression fails in its own ways
        return "tar" if ".t" in path.name.lower() else ""
    kind = container(head)
    return kind if kind in ("tar", "idx", "npy", "csv") else ""


def _described_elsewhere(path: Path, reading: Reading) -> bool:
    """Return whether a file holds the labels of IDX pictures, or is packed and lies unpacked beside."""
    if "ubyte" not in path.name and ".idx" not in path.name.lower():
        return False
    plain = path.with_name(path.name.removesuffix(".gz"))
    if plain != path and plain.is_file():
        reading.notes.add(f"{path.name} left out: it lies unpacked beside it")
        return True
    pictures = plain.name.replace("labels", "images").replace("idx1", "idx3")
    return pictures != plain.name and any(plain.with_name(n).is_file() for n in (pictures, f"{pictures}.gz"))


def _is_prepared(path: Path) -> bool:
    """Return whether it is a dataset of ours: other tools have a dataset.json as well, beside pictures."""
    file = path / "dataset.json"
    return file.is_file() and (any(path.glob("data/*.parquet")) or "content_hash" in read_json(file))


def _from_directory(path: Path, reading: Reading) -> Iterator[Item]:
    """Yield what Parquet and Arrow files hold and whatever lies beside them, or else any files."""
    tables = tables_in(path, reading.follow_links)
    if _is_prepared(path):
        if not tables:
            raise InputError(f"{path}: a prepared dataset, but its shards (data/*.parquet) are gone")
        yield from from_dataset(path, reading)
        return
    taken = {*tables}
    yield from from_dataset(path, reading, taken)
    saved = {file.parent for file in tables if file.suffix == ".arrow"}

    def without(name: str) -> bool:
        """Return whether a file was read already, or tells of one that was."""
        full = path / name
        tells = full.name in SAVED_FILES and {full.parent, *full.parent.glob("*/")} & saved
        cached = is_cache(full.name) and full.parent in saved
        return bool(full in taken or tells or cached)

    yield from from_folder(path, reading, *([without] if tables else []))


def open_source(text: str, reading: Reading | None = None) -> Iterator[Item]:
    """Yield the items of one source; InputError in one line if it cannot be used at all."""
    reading = reading or Reading()
    if text.startswith(("hf:", "hub:")):
        yield from from_hub(re.sub(r"^(hub:|hf:(//)?(datasets/)?)", "", text), reading)
        return
    path = photo_path(text)
    try:
        if path.is_dir():
            yield from _from_directory(path, reading)
        elif path.exists():
            yield from from_file(path, reading)
        elif text.count("/") == 1 and not text.startswith((".", "/", "~")) and not path.suffix:
            yield from from_hub(text, reading)
        else:
            raise InputError(f"{text}: no such file or folder")
    except OSError as error:
        raise InputError(f"{text}: cannot be read ({error.strerror or error})") from None


def fingerprint(text: str, follow_links: bool = False) -> str:
    """Return a hash that changes when a source does: of names, sizes and times of its files."""
    path = photo_path(text)
    digest = hashlib.sha256()
    try:
        entries = walk(path, follow_links) if path.is_dir() else [Entry(path, ".")] if path.exists() else []
        files = sorted(entry.path for entry in entries)
    except (OSError, InputError):  # a name too long, a folder that may not be read: reading it tells
        files = []
    for file in files:
        try:
            found = file.stat()
            digest.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:
            digest.update(f"{file}\0gone\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def estimate(sources: tuple[str, ...], follow_links: bool = False) -> int | None:
    """Return about how many items there are, where that is cheap to know."""
    total = 0
    for text in sources:
        try:
            count = _estimate(photo_path(text), follow_links)
        except Exception:  # an unreadable source says so itself when it is read
            count = None
        if count is None:
            return None
        total += count
    return total


def _estimate(path: Path, follow_links: bool) -> int | None:
    if path.is_dir() and not tables_in(path, follow_links):
        listed = [entry.name for entry in walk(path, follow_links)]
        names = [name.lower() for name in listed]
        many = any(n.endswith((*_SUFFIXES, ".gz")) or "ubyte" in n for n in names)
        tables = (n for n in listed if n.endswith((".csv", ".tsv")))
        many = many or any(container(begin(path / n)) == "csv" for n in tables)
        return None if many else count_pictures(names)
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        return count_pictures([m.filename for m in members if not m.is_dir() and not hidden(m.filename)])
    if _is_prepared(path) or path.suffix == ".parquet":
        import pyarrow.parquet as pq

        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        return sum(pq.read_metadata(f).num_rows for f in files)
    return None
