"""Writing files whole or not at all, the points at which tests pull the plug, and reading what holds tensors.

Every write and rename of a run passes :func:`failpoint`. With ``FACEGAN_KILL_AT=N`` in the environment
the process ends there, as by kill -9, the N-th time that one is reached; with
``FACEGAN_FAILPOINTS=FILE`` their names are listed in FILE. Otherwise nothing happens.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import platform
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from facegan import kinds
from facegan.errors import FaceganError, FaceganWarning, InputError, ModelError, first_line

if TYPE_CHECKING:
    from torch import Tensor

_twice: set[str] = set()  # names that meant two things, each told once
_NAME_BYTES = 255  # of one part of a path, on most disks
_reached = 0


def tell_twice(name: str, what: str, folders: bool = True) -> None:
    """Warn, once, where ``name`` is both that of something bundled, which is taken, and of what lies here."""
    if name in _twice or not (os.path.exists(name) if folders else os.path.isfile(name)):
        return
    _twice.add(name)
    kind = "folder" if os.path.isdir(name) else "file"
    text = f"{name}: this is the bundled {what}; the {kind} of that name is ./{name}"
    warnings.warn(text, FaceganWarning, stacklevel=3)


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


def printable(name: str) -> str:
    """File names need not be valid text; what is printed, or stored in Arrow's strings, must be."""
    return name.encode("utf-8", "backslashreplace").decode()


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


def fit_name(stem: str, ending: str = "", folder: Path | None = None) -> str:
    """``stem`` and ``ending`` as a name that the disk takes: of too long a stem only the begin is left, and a
    short hash of the whole, so that other stems get other names."""
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
    """The file beside ``path`` that is named like it, with ``ending`` in the place of its suffix."""
    path = Path(path)
    return path.with_name(fit_name(path.stem, ending, path.parent))


def temporary_beside(path: Path, ending: str = "") -> Path:
    """A hidden file of this process beside ``path``, for what is renamed to it once it is whole."""
    return path.with_name(fit_name(f".{path.name}", f".{os.getpid()}.tmp{ending}", path.parent))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all (temporary file beside it, then rename)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        write_synced(temporary, content)
        rename(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path, name: str) -> Path:
    """Where a result called ``name`` goes if nothing is said: next to ``path``, which it was made from, or
    into the current folder where that place is read-only."""
    return path.with_name(name) if os.access(path.parent, os.W_OK) else Path(name)


def temporary_name(name: str) -> str:
    """Beside ``name``, of this process: ``.NAME.HOST-PID.tmp``."""
    return f"{_own(name)}{os.getpid()}.tmp"


def _own(name: str) -> str:
    """What the temporary names of all processes of this machine begin with."""
    machine = f".{platform.node()}-"
    room = "0" * len(os.fsencode(f"{machine}{2**32}.tmp"))
    return fit_name(f".{name}", room).removesuffix(room) + machine


def clear_leftovers(folder: Path, name: str) -> None:
    """Remove what processes of this machine that are no more have left under their :func:`temporary_name`."""
    begin = _own(name)
    for path in folder.glob(f"{glob.escape(begin)}*.tmp"):
        pid = path.name[len(begin) : -4]
        if not pid.isdecimal() or os.name != "posix":
            continue
        with contextlib.suppress(OSError, OverflowError):  # another user's
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def take_lock(handle: IO[Any]) -> bool:
    """Whether no other process holds this open file; from now on this one does, until it is closed.

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


# --- photos -------------------------------------------------------------------------------------------

SAMPLES = Path(__file__).parent / "assets" / "photos"
STYLES = Path(__file__).parent / "assets" / "styles"


def sample_names() -> list[str]:
    """The photos that come with the package: ``sample:NAME`` on the command line."""
    return sorted(path.stem for path in SAMPLES.glob("*.jpg"))


def style_names() -> list[str]:
    """The drawn pictures, in whose style photos can be painted, that come with the package, too."""
    return sorted(path.stem for path in STYLES.glob("*.jpg"))


def photo_path(text: str | Path) -> Path:
    """The file or folder that a PHOTO argument means: ``sample:NAME`` is one of the package's, ``~`` home.

    InputError where the package has no such photo; whether another file exists is not looked at.
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


# --- files of tensors --------------------------------------------------------------------------------


_OURS = {  # key of the papers -> what the file is, and what takes it
    "facegan": "a model",
    "facegan-attributes": "an attribute network; --network, and attack's --model, take it",
    "facegan-delta": "a delta; MODEL+FILE is the model with it",
    "facegan-directions": "directions; edit's --directions takes them",
    "facegan-encoder": "an encoder, which invert finds beside its model",
    "facegan-networks": "the networks of 'facegan pack'; train's --init takes them",
}


@contextlib.contextmanager
def read_tensors(
    path: str | Path, key: str, form: int, what: str, absent: str = ""
) -> Iterator[tuple[dict[str, Any], dict[str, Tensor]]]:
    """Papers and tensors of a ``.safetensors`` file; the papers are JSON in its header, under ``key``.

    ModelError in one line where there is no such file (of which ``absent`` speaks, else ``what``), where it
    is not readable, no ``what`` or not of format ``form``, and where the block cannot make sense of it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as handle:
            header = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such {absent or what}") from None
    except (SafetensorError, OSError) as error:
        if other := foreign_kind(path):
            article = "" if what.endswith("s") else "an " if what[0] in "aeiou" else "a "
            raise ModelError(f"{path}: this is {other}, not {article}{what}") from None
        why = "it is a folder" if Path(path).is_dir() else first_line(error)
        raise ModelError(f"{path}: not a readable .safetensors file ({why})") from None
    if (text := header.get(key)) is None:
        others = [told for other, told in _OURS.items() if other in header]
        why = f"it is {others[0]}" if others else f"its header has no '{key}' entry"
        raise ModelError(f"{path}: no {what} ({why})")
    try:
        papers = json.loads(text)
        if (found := papers.get("format")) != form:
            raise ModelError(f"format {str(found)[:20]} is not {form}; is facegan up to date?")
        yield papers, tensors
    except FaceganError as error:
        raise ModelError(f"{path}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise ModelError(f"{path}: the header does not describe its tensors ({first_line(error)})") from None


_PICTURE = "a picture ('facegan invert' finds a photo's vector, 'facegan edit' changes a photo)"
_OTHERS = (  # how a file begins, and what it is
    (b"\x89HDF", "a Keras (HDF5) file"),
    (b"PAR1", "a Parquet table"),
    *((bytes([0x80, protocol]), "a pickle, such as PyTorch weights") for protocol in range(2, 6)),
)


def foreign_kind(path: str | Path) -> str:
    """What a file is, by its first bytes, where it is surely no ``.safetensors`` file; '' where nothing is
    known."""
    import zipfile

    try:
        with open(path, "rb") as handle:
            head = handle.read(kinds.HEAD)
        if not head:
            return "an empty file"
        if head[:2] == b"PK" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
            vectors = any(name.endswith(".npy") for name in names)
            weights = any(name.endswith("data.pkl") for name in names)
            return "an .npz of vectors" if vectors else "PyTorch weights" if weights else "a zip archive"
    except (OSError, zipfile.BadZipFile, ValueError):
        return ""
    if kinds.is_picture(head, str(path)):
        return _PICTURE
    if head[4:8] == b"ftyp":
        return "a picture or film"
    return next((kind for begin, kind in _OTHERS if head.startswith(begin)), "") or kinds.text_kind(head)


def has_papers(path: str | Path, key: str) -> bool:
    """Whether ``path`` is a ``.safetensors`` file with an entry ``key`` in its header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as handle:
            return key in (handle.metadata() or {})
    except (SafetensorError, OSError):
        return False
