"""The files of an attack: the photos that are read, and the place of each result."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan import images
from facegan.classifiers.classifier import Classifier
from facegan.data.walk import picture_files
from facegan.errors import FaceganError, FaceganWarning, InputError
from facegan.files import check_places, derived, fit_name, photo_path, writing
from facegan.kinds import NO_IMAGE
from facegan.pixels.attacks.config import AttackConfig
from facegan.pixels.attacks.report import amplified, draw
from facegan.pixels.attacks.result import AttackResult, judge, survival
from facegan.pixels.pictures import as_list


def warn(error: FaceganError) -> None:
    """Warn that a file is left out, and why."""
    warnings.warn(FaceganWarning(f"left out: {error}"), stacklevel=2)


def find_photos(photos: Any, on_unread: Callable[[FaceganError], None] = warn) -> list[Any]:
    """Return files and arrays as they are, and of folders all files that look like photos, by name.

    Raises:
        InputError: A file or folder is missing or cannot be read, or there are no photos at all.
    """
    found: list[Any] = []
    unread = 0
    for photo in as_list(photos):
        if isinstance(photo, np.ndarray):
            found.append(photo)
            continue
        path = photo_path(photo)
        if not path.is_dir():
            if not path.is_file():
                raise InputError(f"{photo}: there is no such photo or folder")
            images.read_image_file(path)  # its errors come before hours of work on other photos
            found.append(path)
            continue
        for file in _photos_in(path, photo):
            try:
                images.read_image_file(file)
                found.append(file)
            except FaceganError as error:
                on_unread(error)
                unread += 1
    if unread and not found:
        raise InputError(f"{as_list(photos)[0]}: none of its photos can be read")
    if not found:
        raise InputError("which photo? Name a file or a folder")
    return found


def _photos_in(folder: Path, given: Any) -> list[Path]:
    """Return the photos in a folder; a warning counts the other files."""
    inside, others = picture_files(folder, deep=False)
    for reason, count in others.items():
        if not reason.startswith("link to a folder") and reason != NO_IMAGE:
            warnings.warn(FaceganWarning(f"left out of {given}: {count} {reason}"), stacklevel=4)
    if not inside:
        raise InputError(f"{given}: no photos in this folder")
    return inside


class Writer:
    """Writes each photo's result as soon as it is there, reads it again, and judges the file's picture."""

    def __init__(
        self,
        config: AttackConfig,
        figure: bool,
        given: Any,
        *,
        photos: Sequence[Any],
        out: str = "",
        report: str = "",
    ) -> None:
        """Decide all places; InputError if one is impossible, or that of a file that is read."""
        self.config, self.figure = config, figure
        self.files = [photo if isinstance(photo, Path) else None for photo in photos]
        folders = [p for p in as_list(given) if not isinstance(p, np.ndarray) and photo_path(p).is_dir()]
        if len(photos) == 1 and not folders and (not out or Path(out).suffix):
            place = Path(out or fit_name(self._stem(self.files[0]), "-attacked.png"))
            if place.suffix.lower() != ".png":
                raise InputError(
                    f"--out {place}: the name must end in .png; other formats would lose the change"
                )
            self.places = [place]
        else:
            self.places = self._folder(Path(out or "attacked"), folders)
        made = [path for place in self.places for path in self.made(place)]
        check_places({"--out": list(made), "--report": report}, [f for f in self.files if f is not None])

    def made(self, place: Path) -> list[Path]:
        """Return all files that are written for a photo whose result goes to ``place``."""
        beside = ("-difference", "-figure") if self.figure else ()
        return [place, *(derived(place, f"{ending}.png") for ending in beside)]

    @staticmethod
    def _stem(file: Path | None) -> str:
        return file.stem if file else "photo"

    def _folder(self, folder: Path, read: Sequence[Any]) -> list[Path]:
        """Return a place for each photo in a folder; none is that of another one's figure."""
        if folder.suffix.lower() == ".png" or folder.is_file():
            raise InputError(f"--out {folder}: {len(self.files)} photos need a folder")
        if any(Path(given).resolve() == folder.resolve() for given in read):
            raise InputError(f"--out {folder}: holds photos that are read; choose another folder")
        taken: set[str] = set()
        places = []
        for file in self.files:
            place, number = folder / fit_name(self._stem(file), ".png"), 1
            while taken & (names := {made.name.casefold() for made in self.made(place)}):
                number += 1
                place = folder / fit_name(self._stem(file), f"-{number}.png")
            taken |= names
            places.append(place)
        return places

    def write(self, classifier: Classifier, result: AttackResult, number: int) -> AttackResult:
        """Write photo ``number``'s result; return it with the picture as it was read again."""
        place, mark = self.places[number], result.mark
        with writing("--out", str(place)):
            images.save_png(place, result.image, mark)
            found = judge(classifier, result, images.read_image_file(place))
            if self.figure:
                _, difference, drawn = self.made(place)
                images.save_png(difference, amplified(found)[0], mark)
                images.save_png(drawn, draw(found), mark)
        survived = survival(classifier, found, self.config.robust, seed=self.config.seed)
        return replace(found, path=place, survived=survived)
