"""Photos and datasets for the page: decoded, looked through for faces and cut, here where it may fail.

Places in ``arguments`` are the server's own. A photo's ``member`` may come from a request; it is looked up in
an archive, and never opened as a file.
"""

from __future__ import annotations

import json
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facegan import figures, images
from facegan.data.candidates import Candidate, candidates
from facegan.data.crops import Crop, FaceDetector, make_detector
from facegan.data.faces import Face
from facegan.data.items import MAX_FILE_BYTES, Reading
from facegan.data.review import Decision
from facegan.data.sources import open_source
from facegan.errors import ImageError, InputError
from facegan.studio.tasks import Given, Result
from facegan.studio.tasks.pictures import MAX_PIXELS, why_not

_HELD_BYTES = 512 * 2**20  # of photos that are kept decoded
LEAST_FACE, LEAST_CONFIDENCE = 12, 0.7
"""The smallest and least certain faces that a photo's own window offers: all that the detector reports."""


def check_archive(arguments: Given, content: bytes) -> Result:
    """Return nothing; InputError if the archive at ``path`` cannot be read."""
    try:
        for _ in open_source(arguments["path"], Reading()):
            pass
    except InputError as error:
        raise InputError(str(error).replace(arguments["path"], "the archive")) from None
    return {}, b""


class _Photos:
    """Decoded photos and the faces in them, the last ones that were asked for."""

    def __init__(self) -> None:
        self.pictures: OrderedDict[str, np.ndarray] = OrderedDict()
        self.faces: dict[tuple[str, float, float, bool], list[Face]] = {}

    def get(self, key: str, read: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self.pictures:
            self.pictures[key] = figures.colour(read())
            while sum(p.nbytes for p in self.pictures.values()) > _HELD_BYTES and len(self.pictures) > 1:
                gone, _ = self.pictures.popitem(last=False)
                self.faces = {about: found for about, found in self.faces.items() if about[0] != gone}
        self.pictures.move_to_end(key)
        return self.pictures[key]


_HELD = _Photos()


class _Seen(FaceDetector):
    """A detector that looks at each photo once.

    How sure it is of a face depends on the smallest one that it looks for.
    """

    def __init__(self, key: str, confidence: float = LEAST_CONFIDENCE, face: float = LEAST_FACE) -> None:
        super().__init__(confidence, face)
        self.key = (key, confidence, face)

    def detect(self, image: np.ndarray, largest: bool = False) -> list[Face]:
        about = (*self.key, largest)
        if about not in _HELD.faces:
            _HELD.faces[about] = super().detect(image, largest)
        return list(_HELD.faces[about])


def _photo(arguments: Given) -> tuple[np.ndarray, str]:
    """Return the photo of ``file`` and ``member``, and its key."""
    file, member = Path(arguments["file"]), arguments.get("member", "")
    key = json.dumps([str(file), file.stat().st_mtime_ns if file.is_file() else 0, member])
    try:
        return _HELD.get(key, lambda: _read(file, member)), key
    except ImageError as error:
        raise InputError(why_not(error)) from None


def _read(file: Path, member: str) -> np.ndarray:
    if not file.is_file():
        raise InputError("this photo is not in the project any more; drop it again")
    if not member:
        return images.read_image_file(file, max_pixels=MAX_PIXELS)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if member in names and archive.getinfo(member).file_size <= MAX_FILE_BYTES:
                return images.read_picture(archive.read(member), member, max_pixels=MAX_PIXELS)[0]
    else:
        for item in open_source(str(file), Reading()):
            if item.source.partition("!")[2] == member and not item.reject:
                if item.pixels is not None:
                    return item.pixels
                return images.read_picture(item.content, item.name, max_pixels=MAX_PIXELS)[0]
    raise InputError("this archive has no such picture any more; drop it again")


def view_photo(arguments: Given, content: bytes) -> Result:
    """Return the size of a photo, and a PNG of at most ``side`` pixels."""
    photo, _ = _photo(arguments)
    height, width = photo.shape[:2]
    shown = images.shrink(photo, int(arguments["side"]))
    return {"width": width, "height": height}, images.png_bytes(shown)


def faces_in_photo(arguments: Given, content: bytes) -> Result:
    """Return all faces of a photo, what would become of them, and what would be cut."""
    photo, key = _photo(arguments)
    found = _candidates(photo, key, arguments)
    height, width = photo.shape[:2]
    return {"width": width, "height": height, "faces": [_told(each) for each in found]}, b""


def cut_photo(arguments: Given, content: bytes) -> Result:
    """Return the first crop of a photo as PNG, and its outline; InputError where there is none.

    Without a box, it is the one that ``prepare`` makes.
    """
    photo, key = _photo(arguments)
    found = _candidates(photo, key, arguments, as_prepared=not arguments.get("box"))
    best = next((each for each in found if each.image is not None), None)
    if best is None or best.image is None:
        raise InputError("no face is found in this photo; take the whole picture, or draw a box")
    return _told(best), images.png_bytes(best.image)


def _candidates(
    photo: np.ndarray, key: str, arguments: Given, *, as_prepared: bool = False
) -> list[Candidate]:
    settings = dict(arguments["crop"])
    crop = Crop(settings.pop("crop", "aligned"), **settings)
    box = arguments.get("box")
    decisions: list[Decision] = []
    if box:  # what is asked for comes alone
        decisions = [Decision("", False), Decision("", True, tuple(box))]
    elif arguments.get("keep"):
        decisions = [Decision("", True)]
    detector = make_detector(crop)
    if detector is not None:
        detector = _Seen(key, detector.min_confidence, detector.min_face) if as_prepared else _Seen(key)
    try:
        return candidates(photo, crop, detector, decisions=decisions)
    except ImageError as error:
        raise InputError(f"this cannot be cut: {error.reason}") from None


def _told(candidate: Candidate) -> dict[str, Any]:
    face = candidate.face
    return {
        "box": [round(value, 1) for value in face.box] if face else None,
        "landmarks": [[round(v, 1) for v in point] for point in face.landmarks] if face else [],
        "confidence": round(face.confidence, 3) if face and face.landmarks else None,
        "reason": candidate.reason,
        "outline": [[round(v, 1) for v in point] for point in candidate.outline],
    }
