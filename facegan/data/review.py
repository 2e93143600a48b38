"""Decisions about single pictures: a reject is put back, a crop is taken out.

Detectors and thresholds are wrong about some pictures of every collection. ``prepare --review FILE`` takes a
table with a line for each such picture (or face): what it decides overrules what ``prepare`` would do.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan import images
from facegan.data.crops import CROPS, Crop, Cropped, FaceDetector, RejectedFace, apply_each, cut_alike
from facegan.data.faces import Face
from facegan.data.items import Row
from facegan.data.names import NamedRows
from facegan.data.sheets import read_sheet
from facegan.errors import ImageError, InputError
from facegan.files import write_bytes

COLUMNS = ("file", "decision", "x", "y", "width", "height")
DECISIONS = ("keep", "drop")
LEFT_OUT = "left out by the review"
SAME_FACE = 0.5  # intersection over union of the boxes from which on they are of the same face

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Decision:
    """What is to become of one picture, or of the face in one box of it."""

    file: str
    """The picture's source as ``dataset.json`` has it, or its name, as tables of attributes have it."""
    keep: bool
    """Whether the picture is kept in spite of everything, or dropped."""
    box: Box | None = None
    """x, y, width, height in px of the upright photo; None means the whole picture."""


@dataclass(frozen=True)
class Finding:
    """What became of one face or picture, reported by ``prepare(on_found=...)`` as soon as it is known."""

    source: str
    """``FILE`` or ``ARCHIVE!MEMBER``."""
    name: str
    """Path inside its source."""
    reason: str
    """Why it was rejected; '' for a crop. Duplicates are noticed later, when all pictures have been read."""
    crop: bytes
    """The crop as PNG; empty for a reject."""
    box: Box | None
    """Where the face is, x, y, width, height in px of the upright photo; None where none was looked for."""
    landmarks: tuple[float, ...]
    """x, y of the five landmarks; empty where there are none."""
    confidence: float | None
    """The detector's confidence, 0 to 1."""


def finding(row: Row) -> Finding:
    """Return what a row of stage one says of a face."""
    box = (row.box[0], row.box[1], row.box[2], row.box[3]) if row.box else None
    points = tuple(row.landmarks or ())
    return Finding(row.source, row.name, row.reject, row.png, box, points, row.score)


class Review(NamedRows):
    """Decisions by picture, found by the whole source first, and otherwise as rows of other tables are."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        found: dict[str, tuple[Decision, ...]] = {}
        for decision in decisions:
            found[decision.file] = (*found.get(decision.file, ()), decision)
        self.by_source, self.decisions, self.used = found, list(found.values()), set[str]()
        # A member of an archive is found by the end of ARCHIVE/MEMBER, too.
        names = [re.sub(r"(\.\w{2,4})!(?=.)", r"\1/", name) for name in found]
        super().__init__(names, self.decisions)

    def of(self, name: str, source: str) -> tuple[Decision, ...]:
        """Return the decisions about a picture, in their order; () where there is none."""
        decisions = self.by_source.get(source)
        if decisions is None:
            row, _ = self.find(name, source)
            decisions = () if row is None else self.decisions[row]
            if decisions and not _of_one_archive(decisions[0].file, source):
                return ()
        self.used.update(decision.file for decision in decisions)
        return decisions

    def unused(self) -> list[str]:
        """Return the files of decisions that no picture has asked for."""
        return [file for file in self.by_source if file not in self.used]


def _of_one_archive(file: str, source: str) -> bool:
    """Return whether two places, if both name an archive, name it alike."""
    (one, mark, _), (other, its, _) = file.partition("!"), source.partition("!")
    return not (mark and its) or Path(one).name == Path(other).name


def read_review(path: str | Path) -> Review:
    """Return the decisions in a table (CSV, JSON or Parquet) with the columns ``COLUMNS``.

    A line without a box decides about the whole picture.

    Raises:
        InputError: There is no such table, or a line of it is not understood.
    """
    where = f"--review {path}"
    sheet = read_sheet(Path(path), "--review")
    place = {name.strip().lower(): i for i, name in enumerate(sheet.header)}
    if "decision" not in place:
        raise InputError(f"{where}: the header must have a column 'decision' ({','.join(COLUMNS)})")
    decisions = []
    for number, row in enumerate(sheet.rows, 2):
        file, word = str(row[sheet.column] or "").strip(), str(row[place["decision"]] or "").strip().lower()
        if not file or word not in DECISIONS:
            raise InputError(f"{where}: line {number} must name a file and decide keep or drop")
        cells = [row[place[name]] if name in place else None for name in COLUMNS[2:]]
        decisions.append(Decision(file, word == "keep", _box(cells, f"{where}: line {number}")))
    return Review(decisions)


def _box(cells: Sequence[Any], where: str) -> Box | None:
    texts = ["" if cell is None else str(cell).strip() for cell in cells]
    if not any(texts):
        return None
    try:
        x, y, width, height = map(float, texts)
    except ValueError:
        x = y = width = height = math.nan
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
        raise InputError(f"{where}: x, y, width and height must be numbers in px, or all be empty")
    return x, y, width, height


def write_review(path: str | Path, decisions: Iterable[Decision]) -> None:
    """Write decisions as the table that :func:`read_review` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for decision in decisions:
        box = [f"{value:g}" for value in np.round(decision.box, 1)] if decision.box else [""] * 4
        writer.writerow([decision.file, "keep" if decision.keep else "drop", *box])
    write_bytes(path, text.getvalue().encode(errors="surrogateescape"))


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes x, y, width, height."""
    low = np.maximum(one[:2], other[:2])
    high = np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    common = float(np.maximum(high - low, 0).prod())
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def apply_reviewed(
    image: np.ndarray, crop: Crop, detector: FaceDetector | None, *, decisions: Sequence[Decision]
) -> tuple[list[Cropped], list[ImageError]]:
    """Return crops and rejects of one photo as :func:`facegan.data.crops.apply_each`, changed by decisions.

    ``drop`` takes out the face in the box, or all. ``keep`` takes the face in the box whatever its size,
    confidence and sharpness are, and where the detector sees none, the box itself, cut at its centre to the
    crop's proportions. Without a box it takes what is found, and otherwise the whole picture.
    """
    reviewed = _Reviewed(image, crop, detector)
    for decision in decisions:
        if decision.keep:
            reviewed.keep(decision.box)
        else:
            reviewed.drop(decision.box)
    return reviewed.kept, reviewed.rejected


class _Reviewed:
    """The crops and rejects of a photo while decisions change them."""

    def __init__(self, image: np.ndarray, crop: Crop, detector: FaceDetector | None) -> None:
        self.image, self.crop, self.detector = image, crop, detector
        self.kept, self.rejected = apply_each(image, crop, detector)

    def drop(self, box: Box | None) -> None:
        """Turn the crop of the face in a box, or all crops, into rejects."""
        out = [c for c in self.kept if box is None or c.face is None or overlap(box, c.face.box) >= SAME_FACE]
        self.kept = [c for c in self.kept if not any(c is other for other in out)]
        self.rejected += [RejectedFace(ImageError(LEFT_OUT), c.face) for c in out]

    def keep(self, box: Box | None) -> None:
        """Take the face in a box, or what is found, or else the box or the picture itself."""
        if box is None:
            self._keep_what_is_found()
            return
        for i, cropped in enumerate(self.kept):
            if cropped.face is None or overlap(box, cropped.face.box) >= SAME_FACE:
                self.kept[i] = replace(cropped, by_review=True)
                return
        face = self._seen(box)
        # The photo's own reject, "no face", or that of this face is answered by the crop.
        self.rejected = [e for e in self.rejected if not _is_of(e, None if face is None else face.box)]
        self.kept.append(self._of_face(face) if face else self._of_box(box))

    def _keep_what_is_found(self) -> None:
        if self.kept:
            self.kept = [replace(cropped, by_review=True) for cropped in self.kept]
            return
        faces = [e.face for e in self.rejected if isinstance(e, RejectedFace) and e.face]
        h, w = self.image.shape[:2]
        self.kept = [self._of_face(face) for face in faces] or [self._of_box((0.0, 0.0, float(w), float(h)))]
        self.rejected = []

    def _seen(self, box: Box) -> Face | None:
        """Return the face that the detector sees in a box, if any."""
        if self.detector is None:
            return None
        faces = [e.face for e in self.rejected if isinstance(e, RejectedFace) and e.face]
        faces = [face for face in faces if overlap(box, face.box) >= SAME_FACE] or [
            face for face in self.detector.detect(self.image) if overlap(box, face.box) >= SAME_FACE
        ]
        return max(faces, key=lambda face: overlap(box, face.box), default=None)

    def _of_face(self, face: Face) -> Cropped:
        try:
            return Cropped(cut_alike(self.image, self.crop, face), face, by_review=True)
        except ImageError:  # no landmarks
            return self._of_box(face.box)

    def _of_box(self, box: Box) -> Cropped:
        image = cut_box(self.image, self.crop, box)
        face = Face(box, (), 1.0) if CROPS[self.crop.kind][1] else None
        return Cropped(image, face, by_review=True)


def _is_of(error: ImageError, box: Box | None) -> bool:
    """Return whether a reject is the whole photo's, or that of the face in a box."""
    face = error.face if isinstance(error, RejectedFace) else None
    return face is None or (box is not None and overlap(box, face.box) >= SAME_FACE)


def cut_box(image: np.ndarray, crop: Crop, box: Box) -> np.ndarray:
    """Return the largest rectangle of the crop's proportions in the middle of a box, uint8 ``h,w,C``.

    ImageError if the box has no pixel of the photo.
    """
    h, w = image.shape[:2]
    left, top = (min(max(round(v), 0), most) for v, most in zip(box[:2], (w, h), strict=True))
    right, bottom = (min(max(round(v), 0), m) for v, m in zip(np.add(box[:2], box[2:]), (w, h), strict=True))
    if right <= left or bottom <= top:
        raise ImageError("the box of the review lies outside")
    found = CROPS["center"][0](image[top:bottom, left:right], crop, None)
    return images.luma(found) if crop.gray and found.shape[2] == 3 else found
