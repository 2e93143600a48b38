"""Faces in a photo: boxes and five landmarks, found by MTCNN (Zhang et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the upright photo.

    ``box`` is ``x, y, width, height`` (may reach outside the photo); ``landmarks`` are five
    ``(x, y)``: left eye, right eye, nose, left and right mouth corner, left and right being the
    picture's; ``confidence`` is in [0, 1].
    """

    box: tuple[float, float, float, float]
    landmarks: tuple[tuple[float, float], ...]
    confidence: float

    @property
    def extent(self) -> float:
        """The longer side of the box in pixels."""
        return max(self.box[2:])


class FaceDetector:
    """MTCNN on one thread. Picklable: the networks are loaded at the first photo."""

    def __init__(self, min_confidence: float = 0.9, min_face: float = 20) -> None:
        self.min_confidence = min_confidence
        self.min_face = min_face

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces of a uint8 ``H,W,3`` (or 1) photo in the detector's order (most certain first)."""
        raise NotImplementedError
