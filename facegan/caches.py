"""Keep results of long computations in cache files, so that they are computed once.

One rule holds for all of them (:meth:`Cache.folders`). Reading looks into every folder of the list, writing
takes the first that lets it; where none does, the caller keeps the result in memory. Files are named by what
they depend on, so that whatever lies there may be deleted at any time.
"""

from __future__ import annotations

import errno
import os
import platform
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facegan.errors import FaceganWarning
from facegan.files import temporary_name

VARIABLE = "FACEGAN_CACHE"
_STALE = 600.0  # seconds without a write: whoever made a temporary file is no more


def users_cache() -> Path | None:
    """Return the system's cache folder of the user, or None for a user without a home.

    ``XDG_CACHE_HOME`` counts everywhere; a relative one is ignored, as its specification says.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        if os.path.isabs(base):
            return Path(base) / "facegan"
        if platform.system() == "Windows":
            local = os.environ.get("LOCALAPPDATA")
            return (Path(local) if local else Path.home() / "AppData" / "Local") / "facegan" / "Cache"
        if platform.system() == "Darwin":
            return Path.home() / "Library" / "Caches" / "facegan"
        return Path.home() / ".cache" / "facegan"
    except RuntimeError:
        return None


@dataclass(frozen=True)
class Cache:
    """Look up and write one kind of file in the cache folders.

    ``topic`` is a relative path such as ``directions`` or ``datasets/HASH``; ``own`` is the folder beside
    the data, where there is one.
    """

    topic: str
    own: Path | None = None

    def folders(self) -> list[Path]:
        """Return the folders, best first: ``FACEGAN_CACHE`` (if set), the data's own, the user's cache."""
        chosen, users = os.environ.get(VARIABLE, ""), users_cache()
        found = [Path(os.path.expanduser(chosen)) / self.topic] if chosen else []
        found += [self.own] if self.own is not None else []
        return found + ([users / self.topic] if users is not None else [])

    def files(self, name: str) -> Iterator[Path]:
        """Return the files of this name, best place first; the caller checks whether they are complete."""
        for folder in self.folders():
            with suppress(OSError):
                if (folder / name).is_file():
                    yield folder / name

    def keep(self, name: str, fill: Callable[[IO[bytes]], object], size: int = 0) -> Path | None:
        """Write a file of about ``size`` bytes completely or not at all; return None if no folder accepts it.

        ``fill`` writes the content, once for each folder that is tried. Processes that write the same file at
        once each write their own, and the last one stays. If a folder refuses, a FaceganWarning says so.
        """
        refused: list[str] = []
        for folder in self.folders():
            try:
                file = _written(folder, name, fill, size=size)
            except OSError as error:
                refused.append(f"{folder} ({error.strerror or error})")
                continue
            if refused:
                tell(f"not writable: {', '.join(refused)}; the cache is {folder}")
            return file
        tell(f"no folder takes the cache: {', '.join(refused)}; {VARIABLE}=FOLDER names another")
        return None

    def place(self, name: str) -> Path | None:
        """Return where a file of this name can be written, or None."""
        for folder in self.folders():
            with suppress(OSError):
                _written(folder, f"{name}.try", lambda _: None, size=0).unlink(missing_ok=True)
                return folder / name
        return None


def tell(text: str) -> None:
    """Issue a warning; the command line prints it as a note, and Python shows the same text once.

    Of the processes of one training, the first speaks for all.
    """
    if os.environ.get("RANK", "0") == "0":
        warnings.warn(text, FaceganWarning, stacklevel=3)


def _written(folder: Path, name: str, fill: Callable[[IO[bytes]], object], *, size: int) -> Path:
    """Write the file and return it; raise OSError if the folder does not accept it."""
    folder.mkdir(parents=True, exist_ok=True)
    own = temporary_name(name)
    temporary = folder / f"{own[:-4]}-{threading.get_ident()}.tmp"
    for left in folder.glob(f".{name}.*.tmp"):  # by a process that was killed
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE:
                left.unlink()
    try:
        if size > shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # Written, not mapped: on a full disk a map's pages end the process without a word.
        with open(temporary, "wb") as handle:
            fill(handle)
        os.replace(temporary, folder / name)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
            folder.rmdir()  # only if it is empty
    return folder / name
