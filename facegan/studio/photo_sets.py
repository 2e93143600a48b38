"""Photos that a browser brings, gathered into sets: archives in the project's ``photos/`` for ``prepare``.

What is dropped together is a batch: the pictures of a batch become one archive, under the names that their
owner gives them, and an archive stays as it is. Only names of our own are ever file names.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.data.review import Decision, read_review, write_review
from facegan.errors import InputError
from facegan.files import write_bytes, writing
from facegan.runs.record import read_json
from facegan.studio.project import Project
from facegan.studio.refusals import NotFoundError, shown
from facegan.studio.uploads import Upload, Uploads

MAX_NAME = 200
"""Characters of a picture's name within its archive."""
_LARGE = 2**31 - 1  # bytes from which on a member of a zip archive needs wide numbers


@dataclass(frozen=True)
class Brought:
    """An upload, and its path in the folder that its owner dropped."""

    upload: Upload
    path: str


@dataclass(frozen=True)
class PhotoSet:
    """Photos of one project."""

    id: str
    folder: Path
    """Where the studio keeps what it works out of the photos."""
    place: Path
    """Where the archives are."""
    batches: tuple[dict[str, Any], ...]

    def sources(self) -> list[str]:
        """Return the archives as command lines in the project's folder name them."""
        return [f"{self.place.name}/{batch['file']}" for batch in self.batches]

    @property
    def draft(self) -> Path:
        """Where the dataset goes that is looked at before one is saved."""
        return self.folder / "draft"

    @property
    def review(self) -> Path:
        """Where the decisions are."""
        return self.place / f"{self.id}-review.csv"

    def decisions(self) -> list[Decision]:
        """Return what has been decided about single pictures."""
        if not self.review.is_file():
            return []
        return [each for of in read_review(self.review).by_source.values() for each in of]

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Keep decisions in the place of earlier ones."""
        with writing("the review", self.review.name):
            if decisions:
                write_review(self.review, decisions)
            else:
                self.review.unlink(missing_ok=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the set for JSON."""
        return {
            "id": self.id,
            "files": sum(len(batch.get("files", [0])) for batch in self.batches),
            "batches": [{"file": b["file"], "name": b.get("name", "")} for b in self.batches],
            "draft": (self.draft / "dataset.json").is_file(),
            "decisions": len(self.decisions()),
        }


class PhotoSets:
    """The sets of photos of a project."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder, self.place = project.private / "photos", project.root / "photos"

    def all(self) -> list[PhotoSet]:
        """Return the sets, the newest first."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        numbered = sorted(
            (path for path in found if (path / "set.json").is_file()), key=_number, reverse=True
        )
        return [self._read(path) for path in numbered]

    def find(self, wanted: Any) -> PhotoSet:
        """Return the set of that id; NotFoundError if there is none."""
        for each in self.all():
            if each.id == wanted:
                return each
        raise NotFoundError(f"this project has no photos '{shown(wanted)}'; drop them again")

    def _read(self, folder: Path) -> PhotoSet:
        return PhotoSet(folder.name, folder, self.place, tuple(read_json(folder / "set.json")["batches"]))

    def add(self, brought: Sequence[Brought], into: PhotoSet | None = None) -> PhotoSet:
        """Put uploads into a new set, or into one that is there; return it.

        The pictures are gathered later (:meth:`gather`), since that may take a while.
        """
        if not brought:
            raise InputError("there is no photo yet; drop some")
        name = into.id if into else self._new_id()
        batches = list(into.batches) if into else []
        with writing("photos", "photos/"):
            self.place.mkdir(exist_ok=True)
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            for each in (b for b in brought if b.upload.kind == "archive"):
                file = f"{self._free(name, batches)}{each.upload.path.suffix}"
                os.replace(each.upload.path, self.place / file)
                each.upload.path.with_suffix(".json").unlink(missing_ok=True)
                batches.append({"file": file, "name": each.path})
            if plain := [b for b in brought if b.upload.kind != "archive"]:
                names = free_names(b.path for b in plain)
                files = [[b.upload.id, member] for b, member in zip(plain, names, strict=True)]
                batches.append({"file": f"{self._free(name, batches)}.zip", "files": files})
            write_bytes(self.folder / name / "set.json", json.dumps({"batches": batches}).encode())
        return self._read(self.folder / name)

    def _new_id(self) -> str:
        number = 1 + max((_number(Path(each.id)) for each in self.all()), default=0)
        while list(self.place.glob(f"photos-{number}[.-]*")):
            number += 1
        return f"photos-{number}"

    @staticmethod
    def _free(name: str, batches: Sequence[dict[str, Any]]) -> str:
        return f"{name}-{len(batches) + 1}" if batches else name

    def gather(self, photos: PhotoSet, on_progress: Callable[[str, int, int], None]) -> None:
        """Move the pictures that are still uploads into their archives."""
        uploads = Uploads(self.project.private)
        for batch in photos.batches:
            if not (files := batch.get("files")):
                continue
            target = self.place / batch["file"]
            if not target.is_file():
                with writing("photos", target.name):
                    self._pack(target, files, uploads, on_progress=on_progress)
            _delete_uploads(uploads, files)

    @staticmethod
    def _pack(
        target: Path,
        files: Sequence[Sequence[str]],
        uploads: Uploads,
        *,
        on_progress: Callable[[str, int, int], None],
    ) -> None:
        part = target.with_suffix(".part")
        try:
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                for number, (upload, member) in enumerate(files):
                    path = uploads.find(upload).path
                    large = path.stat().st_size > _LARGE
                    with (
                        path.open("rb") as source,
                        archive.open(zipfile.ZipInfo(member), "w", force_zip64=large) as sink,
                    ):
                        shutil.copyfileobj(source, sink, 2**20)
                    on_progress("Gathering the photos", number + 1, len(files))
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)

    def delete(self, photos: PhotoSet) -> None:
        """Delete a set with its archives, decisions and draft; datasets that were made of it stay."""
        uploads = Uploads(self.project.private)
        for batch in photos.batches:
            (self.place / batch["file"]).unlink(missing_ok=True)
            _delete_uploads(uploads, batch.get("files", ()))
        photos.review.unlink(missing_ok=True)
        shutil.rmtree(photos.folder, ignore_errors=True)


def _delete_uploads(uploads: Uploads, files: Sequence[Sequence[str]]) -> None:
    for upload, _ in files:
        with contextlib.suppress(NotFoundError):
            uploads.delete(uploads.find(upload))


def _number(folder: Path) -> int:
    digits = folder.name.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def member_name(path: str) -> str:
    """Return a client's path as the name of a member of an archive: relative, printable, short."""
    parts = [part.strip() for part in re.split(r"[/\\]", path)]
    parts = ["".join(c for c in part if c.isprintable()) for part in parts if part not in ("", ".", "..")]
    name = "/".join(part.replace(":", "_") for part in parts if part)
    return name[-MAX_NAME:].lstrip("/") or "picture"


def free_names(paths: Iterable[str]) -> list[str]:
    """Return names of members for paths, each once."""
    taken = set[str]()
    found = []
    for path in paths:
        name = free = member_name(path)
        stem, suffix = os.path.splitext(name)
        number = 1
        while free in taken:
            number += 1
            free = f"{stem}-{number}{suffix}"
        taken.add(free)
        found.append(free)
    return found
