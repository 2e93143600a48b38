"""Where pictures come from: the table of sources, each a stream of items at constant memory.

A member that must not be used (``..``, absolute, a link, too large) comes out as an item with a
``reject`` instead of content, so that it is listed, not hidden.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from facegan.data.archives import from_tar, from_zip
from facegan.data.beside import Beside
from facegan.data.items import MAX_FILE_BYTES, Item, hidden, looks_like_image
from facegan.data.parquet import (
    SAVED_FILES,
    from_dataset,
    from_hub,
    from_parquet,
    is_cache,
    is_table,
    tables_in,
)
from facegan.data.reading import Reading
from facegan.data.splits import name_words, split_named
from facegan.data.tables import from_idx, from_npz
from facegan.errors import InputError
from facegan.files import photo_path


def _told(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot be read ({error.strerror})")


def from_folder(
    path: Path, reading: Reading, without: Callable[[str], bool] = lambda _: False
) -> Iterator[Item]:
    """Every file below, in the order of its path; other kinds of files are listed as rejects.

    ``without`` tells names to leave out.
    """
    names = [name for name, reject in _walk(path) if not reject and not without(name)]
    beside = Beside(path.name, names, lambda name, most: read_capped(path / name, most), reading)
    for name, reject in _walk(path):
        full = path / name
        if reject:
            yield Item(name, str(full), reject=reject)
        elif not without(name) and not beside.takes(name):
            yield beside(from_file(full, reading, name))


def _walk(path: Path) -> Iterator[tuple[str, str]]:
    """The name of each file below in order, and why it is not one to read, or ''."""
    for root, folders, files in os.walk(path, followlinks=False, onerror=_told):
        folders.sort()
        folders[:] = [f for f in folders if not f.startswith(".") and f != "__MACOSX"]
        for full in (Path(root) / f for f in folders):
            if full.is_symlink():  # not followed, which might never end
                yield full.relative_to(path).as_posix(), "link to a folder"
        for file in sorted(files):
            name = (Path(root) / file).relative_to(path).as_posix()
            if not hidden(name):
                yield name, ""


def read_capped(path: Path, most: int) -> bytes | None:
    """A plain file's content; None if it is gone, unreadable, or larger than ``most`` bytes."""
    try:
        if not path.is_file() or path.stat().st_size > most:
            return None
        return path.read_bytes()
    except OSError:
        return None


def from_file(path: Path, reading: Reading, name: str = "") -> Item:
    """One picture file."""
    name = name or path.name
    if not looks_like_image(name):
        return Item(name, str(path), reject="not an image file")
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return Item(name, str(path), reject="file too large")
        if not path.is_file():
            return Item(name, str(path), reject="not a regular file")
        return Item(name, str(path), path.read_bytes())
    except OSError as error:
        return Item(name, str(path), reject=f"unreadable ({error.strerror})")


_TAR = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst")
_KINDS: list[tuple[Callable[[Path], bool], Callable[[Path, Reading], Iterator[Item]]]] = [
    (lambda p: p.suffix.lower() == ".zip", from_zip),
    (lambda p: p.name.lower().endswith(_TAR), from_tar),
    (lambda p: p.suffix.lower() == ".npz", from_npz),
    (lambda p: is_table(p.name), from_parquet),
    (lambda p: "ubyte" in p.name or p.suffix.lower() == ".idx", from_idx),
    (lambda p: True, lambda p, reading: iter([from_file(p, reading)])),
]  # fmt: skip


def _idx_files(path: Path) -> list[Path]:
    """A folder's IDX files of pictures, those of training first, so that the order is that of the splits."""
    found = sorted(p for p in path.iterdir() if "images" in p.name and "ubyte" in p.name and p.is_file())
    return sorted(found, key=lambda p: split_named(name_words(p.name)) == "test")


def _is_prepared(path: Path) -> bool:
    """Whether it is a dataset of ours: other tools have a dataset.json as well, beside pictures."""
    file = path / "dataset.json"
    if not file.is_file() or any(path.glob("data/*.parquet")):
        return file.is_file()
    try:
        return "content_hash" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _from_directory(path: Path, reading: Reading) -> Iterator[Item]:
    """IDX or Parquet files and whatever lies beside them, or else any files."""
    tables = tables_in(path)
    if _is_prepared(path):
        if not tables:
            raise InputError(f"{path}: a prepared dataset, but its shards (data/*.parquet) are gone")
        yield from from_dataset(path, reading)
        return
    idx = _idx_files(path)
    for file in idx:
        yield from from_idx(file, reading)
    taken = {*tables}
    yield from from_dataset(path, reading, taken)
    saved = {file.parent for file in tables if file.suffix == ".arrow"}

    def without(name: str) -> bool:
        """Whether a file was read already, or tells of one that was."""
        full = path / name
        tells = full.name in SAVED_FILES and {full.parent, *full.parent.glob("*/")} & saved
        cached = is_cache(full.name) and full.parent in saved
        return bool((idx and "ubyte" in name) or full in taken or tells or cached)

    yield from from_folder(path, reading, without)


def open_source(text: str, reading: Reading | None = None) -> Iterator[Item]:
    """The items of one source; InputError in one line if it cannot be used at all."""
    reading = reading or Reading()
    if text.startswith("hub:"):
        yield from from_hub(text[4:], reading)
        return
    path = photo_path(text)
    try:
        if path.is_dir():
            yield from _from_directory(path, reading)
        elif path.exists():
            yield from next(reader for fits, reader in _KINDS if fits(path))(path, reading)
        elif text.count("/") == 1 and not text.startswith((".", "/", "~")) and not path.suffix:
            yield from from_hub(text, reading)
        else:
            raise InputError(f"{text}: no such file or folder")
    except OSError as error:
        raise InputError(f"{text}: cannot be read ({error.strerror or error})") from None


def fingerprint(text: str) -> str:
    """Changes when a source does: names, sizes and times of its files."""
    path = photo_path(text)
    digest = hashlib.sha256()
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        files = files if path.exists() else []
    except OSError:  # a name too long, a folder that may not be read: reading it tells
        files = []
    for file in files:
        if file != path and ".cache" in file.relative_to(path).parts:
            continue
        try:
            stat = file.stat()
            digest.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:
            digest.update(f"{file}\0gone\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def estimate(sources: tuple[str, ...]) -> int | None:
    """About how many items there are, where that is cheap to know."""
    import zipfile

    total = 0
    for text in sources:
        path = photo_path(text)
        try:
            if path.is_dir() and not _idx_files(path) and not tables_in(path):
                total += sum(
                    1 for p in path.rglob("*") if p.is_file() and not hidden(p.relative_to(path).as_posix())
                )
            elif path.suffix.lower() == ".zip":
                with zipfile.ZipFile(path) as archive:
                    total += sum(not m.is_dir() and not hidden(m.filename) for m in archive.infolist())
            elif _is_prepared(path) or path.suffix == ".parquet":
                import pyarrow.parquet as pq

                files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
                total += sum(pq.read_metadata(f).num_rows for f in files)
            else:
                return None
        except Exception:  # an unreadable source says so itself when it is read
            return None
    return total
