"""Write files completely or not at all, with failure points where tests kill the process.

Every write and rename of a run passes :func:`failpoint`. With ``FACEGAN_KILL_AT=N`` in the environment
the process ends there, as by kill -9, the N-th time that one is reached; with
``FACEGAN_FAILPOINTS=FILE`` their names are listed in FILE. Otherwise nothing happens.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import signal
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from facegan.errors import FaceganWarning, InputError

_twice: set[str] = set()  # ambiguous names that were already reported
_NAME_BYTES = 255  # of one part of a path, on most disks
_reached = 0


def tell_twice(name: str, what: str, folders: bool = True) -> None:
    """Warn once if ``name`` means both something bundled, which is used, and a file or folder here."""
    if name in _twice or not (os.path.exists(name) if folders else os.path.isfile(name)):
        return
    _twice.add(name)
    kind = "folder" if os.path.isdir(name) else "file"
    text = f"{name}: this is the bundled {what}; the {kind} of that name is ./{name}"
    warnings.warn(text, FaceganWarning, stacklevel=3)


def failpoint(name: str) -> None:
    """Mark a point where tests kill the process."""
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


def printable(name: str) -> str:
    """Return a file name as valid text, as printing and Arrow's strings require."""
    return name.encode("utf-8", "backslashreplace").decode()


def sync_folder(path: Path) -> None:
    """Wait until the disk has the names in ``path``; do nothing if the system cannot open folders."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename atomically; the rename is durable once the folder is synced."""
    failpoint(f"{target.name}: before the rename")
    os.replace(source, target)
    failpoint(f"{target.name}: renamed")


def fit_name(stem: str, ending: str = "", folder: Path | None = None) -> str:
    """Return ``stem`` and ``ending`` as a valid name; a long stem is cut and ends in a hash."""
    try:
        most = os.pathconf(folder or Path(), "PC_NAME_MAX")
    except (OSError, AttributeError, ValueError):  # no such folder yet; Windows
        most = _NAME_BYTES
    if len(os.fsencode(stem + ending)) <= most:
        return stem + ending
    mark = f"-{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}"
    room = max(most - len(os.fsencode(mark + ending)), 1)
    return os.fsencode(stem)[:room].decode(errors="ignore") + mark + ending


def derived(path: str | Path, ending: str) -> Path:
    """Return the file next to ``path`` with the same name but ``ending`` instead of its suffix."""
    path = Path(path)
    return path.with_name(fit_name(path.stem, ending, path.parent))


def temporary_beside(path: Path, ending: str = "") -> Path:
    """Return a hidden file of this thread next to ``path``, to be renamed to it when complete.

    Those that killed processes of this machine have left for the same ``path`` are removed.
    """
    begin = _own(path.name)
    _clear_once(path.parent, begin)
    return path.with_name(f"{begin}{os.getpid()}-{threading.get_ident()}.tmp{ending}")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file completely or not at all (a temporary file next to it, then a rename)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        write_synced(temporary, content)
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path, name: str) -> Path:
    """Return the default place of a result: next to its source ``path``, or here if that is read-only."""
    return path.with_name(name) if os.access(path.parent, os.W_OK) else Path(name)


def temporary_name(name: str) -> str:
    """Return this process's temporary name next to ``name``: ``.NAME.HOST-PID.tmp``."""
    return f"{_own(name)}{os.getpid()}.tmp"


def _own(name: str) -> str:
    """Return the prefix of the temporary names of all processes of this machine."""
    machine = f".{platform.node()}-"
    room = "0" * len(os.fsencode(f"{machine}{2**32}-{2**64}.tmp.safetensors"))
    return fit_name(f".{name}", room).removesuffix(room) + machine


_LEFT = re.compile(r"(\d+)(-\d+)?\.tmp(\.\w+)?")
_hidden: dict[Path, list[str]] = {}  # folder -> what may be left there, seen before this process wrote there


def leftovers(folder: Path, name: str) -> list[Path]:
    """Return what ended processes of this machine left in ``folder`` under temporary names of ``name``."""
    return list(_of_the_dead(folder, _own(name), _listed(folder)))


def clear_leftovers(folder: Path, name: str) -> None:
    """Remove the :func:`leftovers`."""
    _remove(leftovers(folder, name))


def _clear_once(folder: Path, begin: str) -> None:
    """Do that, for names that begin so; the folder is read once, since some get many thousands of files."""
    if folder not in _hidden:
        _hidden[folder] = [name for name in _listed(folder) if name.startswith(".") and ".tmp" in name]
    if _hidden[folder]:
        _remove(_of_the_dead(folder, begin, _hidden[folder]))


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _of_the_dead(folder: Path, begin: str, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        found = _LEFT.fullmatch(name[len(begin) :]) if name.startswith(begin) else None
        if found is None or os.name != "posix":
            continue
        try:
            os.kill(int(found[1]), 0)
        except ProcessLookupError:
            yield folder / name
        except (OSError, OverflowError):  # another user's
            continue


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def take_lock(handle: IO[Any]) -> bool:
    """Lock this open file until it is closed; return False if another process holds it.

    Where the system or the file's disk knows no locks, nobody holds it: beginning twice is the user's to
    avoid.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network and user-space file systems
        return True
    return True


def is_locked(path: Path) -> bool:
    """Return whether another process holds a file's lock by :func:`take_lock`; False without the file."""
    try:
        with open(path, "rb") as handle:
            return not take_lock(handle)
    except OSError:
        return False


# --- photos -------------------------------------------------------------------------------------------

SAMPLES = Path(__file__).parent / "assets" / "photos"
STYLES = Path(__file__).parent / "assets" / "styles"


def sample_names() -> list[str]:
    """Return the names of the bundled photos: ``sample:NAME`` on the command line."""
    return sorted(path.stem for path in SAMPLES.glob("*.jpg"))


def style_names() -> list[str]:
    """Return the names of the bundled style pictures."""
    return sorted(path.stem for path in STYLES.glob("*.jpg"))


def photo_path(text: str | Path) -> Path:
    """Return the file or folder of a PHOTO argument: ``sample:NAME`` is a bundled one, ``~`` the home folder.

    Raises InputError if the package has no such photo; does not check whether other files exist.
    """
    if str(text).startswith("sample:"):
        if (name := str(text)[7:]) in sample_names():
            return SAMPLES / f"{name}.jpg"
        if name in style_names():
            return STYLES / f"{name}.jpg"
        photos, styles = (", ".join(f"sample:{n}" for n in names()) for names in (sample_names, style_names))
        raise InputError(
            f"{text}: there is no such sample; choose one of {photos}, or of the styles {styles}"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the home of nobody
        return Path(text)


# --- where results go ------------------------------------------------------------------------------------


def check_ending(option: str, name: str, endings: Sequence[str]) -> None:
    """Raise InputError for a file whose name has another suffix."""
    if Path(name).suffix.lower() not in endings:
        raise InputError(f"{option} {name}: the name must end in {' or '.join(endings)}")


def check_places(
    written: Mapping[str, str | Path | list[str | Path]], read: Iterable[str | Path] = ()
) -> None:
    """Raise InputError if a result would overwrite a file that is read, or another result.

    ``written`` has one file or several for each option; "" is none, in ``read`` as well. Of a folder that is
    read, all that lies below counts.
    """
    sources = [photo_path(name) for name in read if str(name)]
    taken: set[str] = set()
    for option, names in written.items():
        for name in filter(str, names if isinstance(names, list) else [names]):
            place = Path(name)
            if place.exists() and any(_holds(source, place) for source in sources):
                raise InputError(f"{option} {name}: it would replace what is read there; choose another name")
            if (key := str(place.resolve()).casefold()) in taken:  # some disks know no capitals
                raise InputError(f"{option} {name}: another result goes there, too; choose another name")
            taken.add(key)


def _holds(source: Path, place: Path) -> bool:
    """Return whether ``place``, which exists, is ``source`` or is inside it."""
    if not source.exists():
        return False
    return source.samefile(place) or (source.is_dir() and source.resolve() in place.resolve().parents)


@contextlib.contextmanager
def writing(option: str, name: str) -> Iterator[None]:
    """Turn write errors of the system into one line that names the option."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{option} {name}: cannot be written ({error.strerror or error})") from None
