"""Faces that a photo has, whatever becomes of them, and what a crop would cut out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facegan.data.crops import PLACEMENTS, Crop, Cropped, FaceDetector, RejectedFace
from facegan.data.faces import Face
from facegan.data.review import SAME_FACE, Decision, apply_reviewed, overlap
from facegan.errors import ImageError

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Candidate:
    """A face of a photo, or the photo itself, and what would become of it. Points are in px of the photo."""

    face: Face | None
    """None for the photo as a whole."""
    reason: str
    """Why no crop is made of it; '' if one is. ``another face is larger`` where only one is taken."""
    outline: Points
    """The four corners of what is cut, clockwise from its top left."""
    image: np.ndarray | None
    """The crop, uint8 ``h,w,C``, if one is made."""


NOT_THE_LARGEST = "another face is larger"


def candidates(
    photo: np.ndarray,
    crop: Crop,
    detector: FaceDetector | None = None,
    *,
    decisions: Sequence[Decision] = (),
) -> list[Candidate]:
    """Return all that a photo offers, first what is kept: largest faces first.

    Args:
        photo: uint8 ``H,W,3``.
        crop: what ``prepare`` would cut.
        detector: needed if :func:`facegan.data.crops.needs_detector`; how uncertain and small the faces may
            be that are returned.
        decisions: those of a review about this photo.
    """
    kept, rejected = apply_reviewed(photo, crop, detector, decisions=decisions)
    found = [_kept(photo, crop, each) for each in kept]
    found += [_rejected(photo, crop, error) for error in rejected if isinstance(error, RejectedFace)]
    known = [each.face.box for each in found if each.face]
    for face in sorted(detector.detect(photo) if detector else (), key=lambda f: f.extent, reverse=True):
        if all(overlap(face.box, box) < SAME_FACE for box in known):
            error = RejectedFace(ImageError(_why(face, crop)), face)
            found.append(_rejected(photo, crop, error))
    if not found and rejected:
        found = [Candidate(None, rejected[0].reason, (), None)]
    return found


def _why(face: Face, crop: Crop) -> str:
    """Return why a face is left out that nobody has tried to cut."""
    if face.confidence < crop.min_confidence:
        return "low confidence"
    return "face too small" if face.extent < crop.min_face else NOT_THE_LARGEST


def _kept(photo: np.ndarray, crop: Crop, cropped: Cropped) -> Candidate:
    return Candidate(cropped.face, "", outline(photo.shape[:2], crop, cropped.face), cropped.image)


def _rejected(photo: np.ndarray, crop: Crop, error: RejectedFace) -> Candidate:
    return Candidate(error.face, error.reason, outline(photo.shape[:2], crop, error.face), None)


def outline(size: Sequence[int], crop: Crop, face: Face | None) -> Points:
    """Return the corners of what is cut from a photo of ``size`` = (height, width), clockwise from top left.

    A face without landmarks is cut as its box; the corners of a face may lie outside of the photo.
    """
    height, width, _ = crop.shape
    if face is not None and face.landmarks and crop.kind in PLACEMENTS:
        try:
            matrix = PLACEMENTS[crop.kind](crop, face)
        except ImageError:
            return _middle(face.box, height / width)
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ matrix[:, :2].T
        return tuple((float(x), float(y)) for x, y in corners + matrix[:, 2])
    if face is not None and crop.kind == "tutorial" and face.landmarks:
        return _rectangle(*face.box)
    box = face.box if face is not None else (0.0, 0.0, float(size[1]), float(size[0]))
    return _rectangle(*box) if crop.kind == "none" else _middle(box, height / width)


def _middle(box: Sequence[float], ratio: float) -> Points:
    """Return the corners of the largest rectangle of that height to width in the middle of a box."""
    x, y, width, height = box
    w, h = min(width, height / ratio), min(height, width * ratio)
    return _rectangle(x + (width - w) / 2, y + (height - h) / 2, w, h)


def _rectangle(x: float, y: float, width: float, height: float) -> Points:  # noqa: PLR0917 -- a box
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)
