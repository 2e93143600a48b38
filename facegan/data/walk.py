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
    """Return a key that sorts by name, but IDX files first, and of these training's, so that the order is
    that of the splits."""
    arrays = "ubyte" in name or name.lower().endswith(".idx")
    return not arrays, arrays and split_named(name_words(name)) == "test", name


class _Walk:
    def __init__(self, top: Path, follow_links: bool, deep: bool) -> None:
        self.top, self.follow_links, self.deep = top, follow_links, deep
        self.real = os.path.realpath(top)
        self.entered: set[tuple[int, int]] = set()
        self.todo = [("", False)]
        """Folders by name, and whether a link led to them, so that others may lead there as well."""

    def __iter__(self) -> Iterator[Entry]:
        while self.todo:
            name, linked = self.todo.pop()
            try:
                yield from self._folder(name, linked)
            except OSError as error:
                if not name:
                    raise InputError(f"{self.top}: cannot be read ({error.strerror})") from None
                yield Entry(self.top, name, f"unreadable folder ({error.strerror})")

    def _folder(self, folder: str, linked: bool) -> Iterator[Entry]:
        path, below = self.top / folder, f"{folder}/" if folder else ""
        stat = path.stat()
        if linked and (stat.st_dev, stat.st_ino) in self.entered:
            yield Entry(self.top, folder, "link to a folder that is read already")
            return
        self.entered.add((stat.st_dev, stat.st_ino))
        with os.scandir(path) as listing:
            found = {entry.name: _is_folder(entry) for entry in listing if not hidden(entry.name)}
        folders = sorted(name for name, folder in found.items() if folder)
        links = {name for name in folders if (path / name).is_symlink()}
        refused = {name: why for name in links if (why := self._not_followed(path / name))}
        for name in sorted(refused):
            yield Entry(self.top, below + name, refused[name])
        for name in sorted((name for name, folder in found.items() if not folder), key=_place):
            yield Entry(self.top, below + name)
        if not self.deep:
            return
        self.todo += [(below + n, linked or n in links) for n in reversed(folders) if n not in refused]

    def _not_followed(self, link: Path) -> str:
        """Return why a link to a folder is not followed, or ''."""
        if not self.follow_links:
            return "link to a folder (--follow-links follows it)"
        inside = Path(os.path.realpath(link)).is_relative_to(self.real)
        return "link to a folder that is read anyway" if inside else ""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle: reading it as a file tells
        return False


def walk(top: Path, follow_links: bool = False, deep: bool = True) -> Iterator[Entry]:
    """Walk every file below ``top`` (or directly in it) but those of desktops and archivers; of each folder
    the files first, by name.

    InputError if ``top`` itself cannot be read. Other folders that cannot be come out with a reject, and so
    do links to folders, unless ``follow_links``: then none is entered twice by way of a link.
    """
    return iter(_Walk(top, follow_links, deep))


def picture_files(top: Path, deep: bool = True) -> tuple[list[Path], Counter[str]]:
    """Return the files below ``top`` (or directly in it) that are pictures by their begin, or are named as
    such; and why others are none, counted."""
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
    """Return the first bytes of a file; none if it cannot be read, or is none (a pipe would keep us
    waiting)."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as handle:
            return handle.read(HEAD)
    except OSError:
        return b""
