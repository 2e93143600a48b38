"""Walking folders, in one way for all commands: in order, past what may not be entered, never in circles."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facegan.data.folders import name_words, split_named
from facegan.data.items import hidden, refused
from facegan.errors import InputError
from facegan.kinds import HEAD


@dataclass(frozen=True)
class Entry:
    """A file, or a folder that was not entered (``reject`` says why)."""

    top: Path
    """The folder that is walked."""
    name: str
    """The path below it, with forward slashes."""
    reject: str = ""

    @property
    def path(self) -> Path:
        return self.top / self.name


def _place(name: str) -> tuple[bool, bool, str]:
    """Return a key that sorts by name, but IDX files first, and of these training's, as splits are."""
    arrays = "ubyte" in name or name.lower().endswith(".idx")
    return not arrays, arrays and split_named(name_words(name)) == "test", name


def walk(top: Path, follow_links: bool = False, deep: bool = True) -> Iterator[Entry]:
    """Walk every file below ``top`` (or directly in it), of each folder the files first, by name.

    Those of desktops and archivers are passed over.
    InputError if ``top`` itself cannot be read. Other folders that cannot be come out with a reject, and so
    do links to folders, unless ``follow_links``: then none is entered twice by way of a link.
    """
    entered: set[tuple[int, int]] = set()
    todo = [("", False)]  # folders by name, and whether a link led to them: others may lead there as well
    while todo:
        name, linked = todo.pop()
        try:
            about = (top / name).stat()
            if linked and (about.st_dev, about.st_ino) in entered:
                yield Entry(top, name, "link to a folder that is read already")
                continue
            entered.add((about.st_dev, about.st_ino))
            files, folders = _listed(top, name, follow_links)
        except OSError as error:
            if not name:
                raise InputError(f"{top}: cannot be read ({error.strerror})") from None
            yield Entry(top, name, f"unreadable folder ({error.strerror})")
            continue
        yield from files
        if deep:
            todo += [(below, linked or link) for below, link in reversed(folders)]


def _listed(top: Path, folder: str, follow_links: bool) -> tuple[list[Entry], list[tuple[str, bool]]]:
    """Return refused links and the files of a folder, and its folders, each with whether it is a link."""
    refused, files, folders = [], [], []
    with os.scandir(top / folder) as listing:
        found = sorted((e for e in listing if not hidden(e.name)), key=lambda e: e.name)
    for entry in found:
        name = f"{folder}/{entry.name}" if folder else entry.name
        if not _is_folder(entry):
            files.append(Entry(top, name))
        elif entry.is_symlink() and (why := _not_followed(top, name, follow_links)):
            refused.append(Entry(top, name, why))
        else:
            folders.append((name, entry.is_symlink()))
    return refused + sorted(files, key=lambda e: _place(e.name.rpartition("/")[2])), folders


def _not_followed(top: Path, link: str, follow_links: bool) -> str:
    """Return why a link to a folder is not followed, or ''."""
    if not follow_links:
        return "link to a folder (--follow-links follows it)"
    inside = Path(os.path.realpath(top / link)).is_relative_to(os.path.realpath(top))
    return "link to a folder that is read anyway" if inside else ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle: reading it as a file tells
        return False


def picture_files(top: Path, deep: bool = True) -> tuple[list[Path], Counter[str]]:
    """Return the files that are pictures by their begin or name; why others are none is counted."""
    found: list[Path] = []
    others: Counter[str] = Counter()
    for entry in walk(top, deep=deep):
        reject = entry.reject or refused(begin(entry.path), entry.name)
        if reject:
            others[reject] += 1
        else:
            found.append(entry.path)
    return found, others


def begin(path: Path) -> bytes:
    """Return the first bytes of a file; none if it is no file (a pipe would keep us waiting)."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as handle:
            return handle.read(HEAD)
    except OSError:
        return b""
