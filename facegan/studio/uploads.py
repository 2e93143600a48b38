"""Files that a browser brings: bounded, kept under ids of our own, named by what they are."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan import kinds
from facegan.files import write_bytes
from facegan.runs.record import read_json
from facegan.studio.refusals import DISK_FULL, NotFoundError, Refused, is_full, shown

MAX_FILE = 4 * 2**30
MAX_TOTAL = 40 * 2**30
MAX_FILES = 50_000
KEPT_SECONDS = 7 * 24 * 3600
"""How long an upload stays that nobody has asked for and that nothing needs."""
SPARE = 512 * 2**20
"""Bytes of the disk that stay free."""
_PICTURE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".tga",
    ".heic",
    ".avif",
)
_SUFFIXES = {  # kind -> endings that are kept, since readers ask for them; the first where another is given
    "picture": ("", *_PICTURE_SUFFIXES),
    "archive": ("", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"),
    "model": (".safetensors", ".pt", ".pth", ".pkl", ".h5", ".hdf5", ".keras", ".onnx"),
    "table": ("", ".csv", ".txt", ".parquet", ".npz", ".npy", ".arrow", ".json"),
    "other": ("",),
}


@dataclass(frozen=True)
class Upload:
    """A file that was brought. ``name`` is what its owner calls it; it is shown, never opened."""

    id: str
    name: str
    kind: str
    bytes: int
    path: Path
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"id": self.id, "name": self.name, "kind": self.kind, "bytes": self.bytes, **self.facts}


class Uploads:
    """The files below ``.studio/uploads``.

    Args:
        private: the project's private folder.
    """

    def __init__(self, private: Path) -> None:
        self.folder = private / "uploads"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.total = self.count = 0  # bytes, those of uploads under way included, and files

    def survey(self) -> None:
        """Delete what a server that was killed left half written, and count the rest."""
        for part in self.folder.glob("*.part"):
            part.unlink()
        self._recount()

    def _recount(self) -> None:
        """Count what is here: jobs take uploads away as well, in processes of their own."""
        sizes = [path.stat().st_size for path in self.folder.iterdir() if path.suffix != ".json"]
        self.total, self.count = sum(sizes), len(sizes)

    def find(self, wanted: Any) -> Upload:
        """Return the upload of that id; NotFoundError if there is none."""
        if isinstance(wanted, str) and re.fullmatch(r"[a-z0-9]{16}", wanted):
            about = read_json(self.folder / f"{wanted}.json")
            path = self.folder / f"{wanted}{about.get('suffix', '')}"
            if about and path.is_file():
                os.utime(self.folder / f"{wanted}.json")  # so that it stays for another while
                return Upload(wanted, about["name"], about["kind"], about["bytes"], path, about["facts"])
        raise NotFoundError(f"there is no upload '{shown(wanted)}'; bring the file again")

    def expire(self, needed_by: Iterable[Path], now: float) -> list[str]:
        """Delete uploads that nobody has asked for within ``KEPT_SECONDS``; return their ids.

        Args:
            needed_by: files of the project; the uploads that they name stay.
            now: seconds since 1970.
        """
        old = {path.stem for path in self.folder.glob("*.json") if now - path.stat().st_mtime > KEPT_SECONDS}
        for file in needed_by if old else ():
            with contextlib.suppress(OSError):  # it was deleted meanwhile
                old -= set(re.findall(r"\b[a-z0-9]{16}\b", file.read_text(errors="replace")))
        gone = self._unnoted(now)
        for name in sorted(old):
            note = self.folder / f"{name}.json"
            try:
                if now - note.stat().st_mtime > KEPT_SECONDS:  # nobody has asked for it meanwhile
                    self.delete(self.find(name))
                    gone.append(name)
            except NotFoundError:  # a job took the file away
                note.unlink(missing_ok=True)
            except OSError:
                continue
        return gone

    def _unnoted(self, now: float) -> list[str]:
        """Delete old files without a note, which nobody can ask for; return their ids."""
        gone = []
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                about = path.stat()
                noted = path.suffix in (".json", ".part") or (self.folder / f"{path.stem}.json").exists()
                if not noted and now - about.st_mtime > KEPT_SECONDS:
                    path.unlink()
                    self.total, self.count = self.total - about.st_size, self.count - 1
                    gone.append(path.stem)
        return gone

    async def receive(self, chunks: AsyncIterator[bytes], name: str) -> Upload:
        """Write a file as it comes in, and return it without facts.

        Raises:
            Refused: It is empty, too large, or one too many, or the disk is full.
        """
        if self.count >= MAX_FILES:
            self._recount()
        if self.count >= MAX_FILES:
            raise Refused(413, f"{self.count:,} files are here already; delete some first")
        number = secrets.token_hex(8)
        part, size, head = self.folder / f"{number}.part", 0, b""
        try:
            with open(part, "xb") as handle:
                async for chunk in chunks:
                    size += len(chunk)
                    self.total += len(chunk)
                    self._check(size)
                    if len(head) < kinds.HEAD:
                        head += chunk[: kinds.HEAD - len(head)]
                    handle.write(chunk)
            if not size:
                raise Refused(400, "the file is empty")
            upload = self._kept(part, number, name=name, head=head, size=size)
            self.count += 1
            return upload
        except OSError as error:
            why = f"the file cannot be stored ({error.strerror or error})"
            raise Refused(413, DISK_FULL if is_full(error) else why) from None
        finally:
            if part.exists():  # whatever went wrong, the browser's leaving included
                part.unlink()
                self.total -= size

    def _check(self, size: int) -> None:
        if size > MAX_FILE:
            raise Refused(413, f"the file is larger than {MAX_FILE / 2**30:g} GiB")
        if self.total > MAX_TOTAL:
            self._recount()
        if self.total > MAX_TOTAL:
            raise Refused(413, f"all files together exceed {MAX_TOTAL / 2**30:g} GiB; delete some first")
        if shutil.disk_usage(self.folder).free < SPARE:
            raise Refused(413, "the disk is nearly full; make room first")

    def _kept(self, part: Path, number: str, *, name: str, head: bytes, size: int) -> Upload:
        name = display_name(name)
        kind = kind_of(head, name)
        suffix = os.path.splitext(name)[1].lower()
        suffix = suffix if suffix in _SUFFIXES[kind] else _SUFFIXES[kind][0]
        path = self.folder / f"{number}{suffix}"
        upload = self.note(Upload(number, name, kind, size, path, {}), {})
        try:
            os.replace(part, path)
        except OSError:
            (self.folder / f"{number}.json").unlink(missing_ok=True)
            raise
        return upload

    def note(self, upload: Upload, facts: dict[str, Any]) -> Upload:
        """Keep what was found out about an upload."""
        upload = Upload(upload.id, upload.name, upload.kind, upload.bytes, upload.path, facts)
        about = {"name": upload.name, "kind": upload.kind, "bytes": upload.bytes, "facts": facts}
        text = json.dumps({**about, "suffix": upload.path.suffix})
        write_bytes(self.folder / f"{upload.id}.json", text.encode())
        return upload

    def delete(self, upload: Upload) -> None:
        """Delete an upload."""
        upload.path.unlink(missing_ok=True)
        self.total, self.count = self.total - upload.bytes, self.count - 1
        (self.folder / f"{upload.id}.json").unlink(missing_ok=True)


def display_name(name: str) -> str:
    """Return a client's file name for people: its last part, printable, at most 120 characters."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[-120:].strip() or "file"


def kind_of(head: bytes, name: str) -> str:
    """Return what a file is by its first bytes: picture, archive, model, table or other."""
    if kinds.is_picture(head, name):
        return "picture"
    suffix = os.path.splitext(name)[1].lower()
    found = kinds.container(head)
    if suffix in _SUFFIXES["model"] or head[8:9] == b"{":
        return "model"
    if found in ("npy", "npz", "idx", "table", "csv"):
        return "table"
    if found:
        return "archive"
    return "table" if suffix in (".csv", ".txt", ".json") and kinds.text_kind(head) else "other"
