"""Faces in a photo: boxes and five landmarks, found by MTCNN (Zhang et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.data import mtcnn


@dataclass(frozen=True)
class Face:
    """One detected face, in pixels of the upright photo; pixel k spans k to k + 1.

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


LONG_SIDE = 1600  # px; larger photos are searched at this size
SHORT_SIDE = 180  # px; smaller photos are enlarged, since the third network looks at 48 px
SURE = 0.9  # confidence at which a quick look is enough
QUICK_LOOKS = ((0.4, 72), (0.12, 40))  # smallest face: as a fraction of the shorter side, as seen in px
EDGE = 0.25  # last look: border added on each side, as a fraction of the shorter side


class FaceDetector:
    """MTCNN with weights inside, on one thread. Picklable: the networks are loaded at the first photo.

    ``min_confidence`` (0 to 1; the cascade itself rejects below 0.7) and ``min_face`` (longer side
    of the box, px of the photo, at least 12) bound what ``detect`` returns. Photos with more than
    1600 px on the longer side are searched at 1600, so faces under about 1/80 of it are not found.
    """

    def __init__(self, min_confidence: float = 0.9, min_face: float = 20) -> None:
        self.min_confidence = min_confidence
        self.min_face = min_face
        self._networks: mtcnn.Networks | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_networks": None}

    def detect(self, image: np.ndarray, largest: bool = False) -> list[Face]:
        """Return faces of a uint8 ``H,W,C`` photo (C = 1 or 3), the most certain first.

        ``largest``: only the largest face matters. The photo is then searched for large faces
        first and smaller ones only if there is none, which is several times faster; the result
        may lack faces that are smaller than another.
        """
        if image.shape[-1] == 1:
            image = image.repeat(3, axis=-1)
        short = min(image.shape[:2])
        found: list[Face] = []
        for fraction, seen in QUICK_LOOKS if largest else ():
            if fraction * short > self.min_face:
                found = self._look(image, fraction * short, seen)
                if any(face.confidence >= max(SURE, self.min_confidence) for face in found):
                    return found
        scale = max(1.0, SHORT_SIDE / short)
        found = self._look(image, self.min_face, self.min_face * scale) or found
        # The cascade sees only faces that lie inside: give one that fills the photo some room.
        return found or self._look(image, EDGE * short, 40, border=round(EDGE * short))

    def _look(self, image: np.ndarray, smallest: float, seen: float, *, border: int = 0) -> list[Face]:
        """Search at the scale at which a face of ``smallest`` px has ``seen`` px."""
        import cv2

        if self._networks is None:
            self._networks = mtcnn.load_networks()
        h, w = image.shape[:2]
        scale = min(seen / smallest, LONG_SIDE / (max(h, w) + 2 * border))
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        scales = np.array([size[0] / w, size[1] / h])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        border = round(border * scale)
        if border:
            small = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        boxes, landmarks = mtcnn.detect(self._networks, small, smallest * scale)
        corners = (boxes[:, :4].reshape(-1, 2, 2) - border) / scales
        faces = []
        for corner, points, score in zip(corners, (landmarks - border) / scales, boxes[:, 4], strict=True):
            (x, y), (width, height) = corner[0], corner[1] - corner[0]
            box = (float(x), float(y), float(width), float(height))
            face = Face(box, tuple((float(px), float(py)) for px, py in points), float(score))
            if face.confidence >= self.min_confidence and face.extent >= self.min_face:
                faces.append(face)
        return faces
