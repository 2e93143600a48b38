"""From a photo to the picture that is trained on: a table of crops."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facegan.data.faces import Face, FaceDetector
from facegan.errors import ImageError


@dataclass(frozen=True)
class Crop:
    """What to cut out of each photo. Hashable and picklable."""

    kind: str = "aligned"
    """One of ``CROPS``: face, aligned, center, none, tutorial."""
    size: int | tuple[int, int] = 64
    """Of the result in px: one number for a square, or (height, width)."""
    margin: float = 0.25
    """For ``face``: added on each side, as a fraction of the longer side of the box."""
    resample: str = "lanczos"
    """nearest, bilinear, bicubic or lanczos."""
    gray: bool = False
    """One channel (ITU-R 601 luma) instead of three."""
    all_faces: bool = False
    """Every face of a photo instead of the largest (for ``face`` and ``aligned``)."""
    min_face: float = 20
    """Smallest longer side of a face's box in px of the photo."""
    min_confidence: float = 0.9
    """Smallest confidence of the detector, 0 to 1."""
    min_sharpness: float = 0.0
    """Smallest variance of the Laplacian of the crop's luma; 0 accepts everything."""


@dataclass(frozen=True)
class Cropped:
    """uint8 ``h,w,C`` (C = 1 or 3), and the face it shows (None without detection)."""

    image: np.ndarray
    face: Face | None


def needs_detector(crop: Crop) -> bool:
    """Whether ``apply`` needs a detector for this crop."""
    return crop.kind in ("face", "aligned", "tutorial")


def make_detector(crop: Crop) -> FaceDetector | None:
    """The detector that fits ``crop``, or None where none is needed."""
    return FaceDetector(crop.min_confidence, crop.min_face) if needs_detector(crop) else None


def apply_each(
    image: np.ndarray, crop: Crop, detector: FaceDetector | None = None
) -> tuple[list[Cropped], list[ImageError]]:
    """Crops of one photo, and why others of its faces were rejected."""
    raise NotImplementedError


def apply(image: np.ndarray, crop: Crop, detector: FaceDetector | None = None) -> list[Cropped]:
    """Crops of one photo, at least one.

    Raises ``ImageError`` with the reason of the first reject where there is none.
    """
    kept, rejected = apply_each(image, crop, detector)
    if not kept:
        raise rejected[0]
    return kept


PRESETS: dict[str, Crop] = {
    "faces-64": Crop("aligned", 64),
    "tutorial-80": Crop("tutorial", 80),
    "tutorial-50": replace(Crop("none", 50), resample="nearest"),
}
