"""Writing files whole or not at all, and the points at which tests pull the plug.

Every write and rename of a run passes :func:`failpoint`. With ``FACEGAN_KILL_AT=N`` in the environment
the process ends there, as by kill -9, the N-th time that one is reached; with
``FACEGAN_FAILPOINTS=FILE`` their names are listed in FILE. Otherwise nothing happens.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_reached = 0


def failpoint(name: str) -> None:
    global _reached
    listing, kill_at = os.environ.get("FACEGAN_FAILPOINTS"), os.environ.get("FACEGAN_KILL_AT")
    if listing is None and kill_at is None:
        return
    _reached += 1
    if listing:
        with open(listing, "a") as handle:
            handle.write(f"{name}\n")
    if kill_at and _reached == int(kill_at):
        os.kill(os.getpid(), signal.SIGKILL)


def write_synced(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` itself and wait until the disk has it."""
    failpoint(f"{path.name}: before the write")
    with open(path, "wb") as handle:
        half = len(content) // 2
        handle.write(content[:half])
        if "FACEGAN_KILL_AT" in os.environ or "FACEGAN_FAILPOINTS" in os.environ:
            handle.flush()
            failpoint(f"{path.name}: half written")
        handle.write(content[half:])
        handle.flush()
        os.fsync(handle.fileno())
    failpoint(f"{path.name}: written")


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in ``path``; where folders cannot be opened, do nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Atomic rename; it lasts once the folder is synced, too."""
    failpoint(f"{target.name}: before the rename")
    os.replace(source, target)
    failpoint(f"{target.name}: renamed")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all (temporary file beside it, then rename)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_synced(temporary, content)
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
