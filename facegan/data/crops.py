"""From a photo to the picture that is trained on: a table of crops, antialiased, with a smooth border."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facegan import images
from facegan.data.faces import Face, FaceDetector
from facegan.errors import ImageError, InputError

# Interpolation between the photo's own pixels; a reduction is then done by ``images.resize``.
INTERPOLATION = {
    "nearest": "INTER_NEAREST",
    "bilinear": "INTER_LINEAR",
    "bicubic": "INTER_CUBIC",
    "lanczos": "INTER_LANCZOS4",
}
LARGEST_STEP = 4  # photo pixels per result pixel; beyond, the photo is reduced first

FRAME = 3  # result pixels around the result: the reach of the reducing filter


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the ``2,3`` matrix of turn, scale and shift that takes points ``N,2`` closest to ``target``.

    Least squares, after S. Umeyama, IEEE TPAMI 13(4), 1991, eq. 40-42, without reflections. In two
    dimensions, with points as complex numbers, it is the regression w = a z + b:
    a = sum(conj(z) w) / sum(|z|^2) over centred points. All points equal: a = 0.
    """
    z, w = source @ [1, 1j], target @ [1, 1j]
    centred = z - z.mean()
    spread = float((np.abs(centred) ** 2).sum())
    a = (centred.conj() @ (w - w.mean())) / spread if spread > 0 else 0.0
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def cut(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], *, resample: str) -> np.ndarray:
    """Return uint8 ``h,w,C`` of ``size`` = (h, w) from a uint8 photo ``H,W,C``.

    ``matrix`` (``2,3``, a similarity) takes points of the result to the photo; in both, pixel k
    spans k to k + 1. What lies outside of the photo is its reflection, increasingly blurred.
    """
    import cv2

    step = float(np.hypot(*matrix[:, 0]))
    wanted, frame = size, FRAME if step > 1 and resample != "nearest" else 0
    size = (size[0] + 2 * frame, size[1] + 2 * frame)
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] - matrix[:, :2] @ [frame, frame]])
    image, matrix = _region(image, matrix, size)
    if step > LARGEST_STEP and resample != "nearest":
        h, w = image.shape[:2]
        reduced = (max(1, round(h * 2 / step)), max(1, round(w * 2 / step)))
        image = images.resize(image, reduced, resample)
        matrix = matrix * np.array([[reduced[1] / w], [reduced[0] / h]])
        step = 2.0
    image, matrix = _padded(image, matrix, size)
    # Sample at least as densely as the photo's pixels lie, then reduce with the antialiasing filter.
    factor = 1 if resample == "nearest" else max(1, math.ceil(step - 1e-6))
    fine = (size[0] * factor, size[1] * factor)
    dense = matrix.copy()
    dense[:, :2] /= factor
    dense[:, 2] += dense[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV counts from the centre of the first pixel
    flags = getattr(cv2, INTERPOLATION[resample]) | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, dense, fine[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    result = images.resize(warped.reshape(*fine, -1), size, resample)
    return result[frame : frame + wanted[0], frame : frame + wanted[1]]


def _corners(matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    h, w = size
    return np.array([[0, 0], [w, 0], [w, h], [0, h]]) @ matrix[:, :2].T + matrix[:, 2]


def _region(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of the photo that matters, with room for the filters, and the matrix for it."""
    corners = _corners(matrix, size)
    room = 8 + 4 * float(np.hypot(*matrix[:, 0]))
    limits = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0) - room), 0, limits - 1).astype(int)
    high = np.maximum(np.clip(np.ceil(corners.max(axis=0) + room), 1, limits).astype(int), low + 1)
    moved = matrix.copy()
    moved[:, 2] -= low
    return image[low[1] : high[1], low[0] : high[0]], moved


def _padded(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Extend the photo where the result reaches beyond it. The photo's own pixels stay as they are.

    The recipe is that of FFHQ (Karras et al. 2019) in spirit: reflection, which a blur takes over
    the farther out a pixel lies, so that no second face and no streaks appear.
    """
    import cv2

    corners = _corners(matrix, size)
    h, w = image.shape[:2]
    before = np.maximum(np.ceil(-corners.min(axis=0)), 0).astype(int)
    after = np.maximum(np.ceil(corners.max(axis=0) - (w, h)), 0).astype(int)
    if not before.any() and not after.any():
        return image, matrix
    (left, top), (right, bottom) = before + 4, after + 4  # 4: reach of the interpolation
    padded = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT)
    x, y = np.arange(padded.shape[1]) - left, np.arange(padded.shape[0]) - top
    outside_x = np.maximum(np.maximum(-x, x - w + 1), 0)
    outside_y = np.maximum(np.maximum(-y, y - h + 1), 0)
    side = float(np.hypot(*(corners[2] - corners[0]))) / math.sqrt(2)
    distance = np.hypot(outside_x[None, :], outside_y[:, None])[..., None] / side
    result: np.ndarray = padded.astype(np.float32).reshape(*padded.shape[:2], -1)
    for sigma, start, end in ((0.02, 0.0, 0.05), (0.08, 0.03, 0.15)):  # fractions of the result's side
        weight = np.clip((distance - start) / (end - start), 0, 1).astype(np.float32)
        result = result + (_blur(padded, sigma * side) - result) * weight
    moved = matrix.copy()
    moved[:, 2] += (left, top)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8), moved


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian, as float32 ``H,W,C``; a wide one is computed on a reduced copy."""
    import cv2

    h, w = image.shape[:2]
    reduction = max(1, int(sigma / 3))
    small_size = (max(1, w // reduction), max(1, h // reduction))
    small: np.ndarray = cv2.resize(image, small_size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / reduction, 0.3), borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR).reshape(h, w, -1)


# Of an aligned crop, as fractions of its side. The height is 0.45 less 0.0164, which is what 1/48 of the face
# box measures in crops of CelebA: the bundled models know faces aligned by landmarks so much too low.
EYE_DISTANCE, EYE_HEIGHT = 0.28, 0.4336
# Left eye, right eye, nose, mouth corners relative to the middle of the eyes, in eye distances: the
# mean of 499 faces of CelebA, made symmetric.
MEAN_SHAPE = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.617], [-0.452, 1.06], [0.452, 1.06]])
TEMPLATE = np.array([0.5, EYE_HEIGHT]) + EYE_DISTANCE * MEAN_SHAPE


@dataclass(frozen=True)
class Crop:
    """Settings of what is cut out of each photo. Hashable and picklable."""

    kind: str = "aligned"
    """One of ``CROPS``: face, aligned, center, none, tutorial."""
    size: int | tuple[int, int] = 64
    """Size of the result in px: one number for a square, or (height, width)."""
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
    """Smallest variance of the Laplacian of the crop's luma (0..255); 0 accepts everything.

    A blurred or much enlarged face has a small one; what is usual depends on the size."""

    def __post_init__(self) -> None:
        if self.kind not in CROPS:
            raise InputError(f"unknown crop {self.kind!r}: choose one of {', '.join(CROPS)}")
        if self.resample not in images.RESAMPLE:
            known = ", ".join(images.RESAMPLE)
            raise InputError(f"unknown resampling {self.resample!r}: choose one of {known}")
        if min(self.shape[:2]) < 1:
            raise InputError(f"the crop's size is {self.size}: both sides must be at least 1")
        least = min(self.margin, self.min_face, self.min_sharpness)
        if not 0 <= least < math.inf or not 0 <= self.min_confidence <= 1:
            raise InputError(
                "--margin, --min-face and --min-sharpness must be 0 or more, --min-confidence 0 to 1"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the result."""
        h, w = (self.size, self.size) if isinstance(self.size, int) else self.size
        return h, w, 1 if self.gray else 3


@dataclass(frozen=True)
class Cropped:
    """uint8 ``h,w,C`` (C = 1 or 3), and the face it shows (None without detection)."""

    image: np.ndarray
    face: Face | None
    by_review: bool = False
    """Whether somebody wants it in spite of everything (see :mod:`facegan.data.review`)."""


class RejectedFace(ImageError):
    """Signal that one ``face`` of a photo gives no crop."""

    def __init__(self, why: ImageError, face: Face | None) -> None:
        super().__init__(why.reason, why.detail)
        self.face = face


Cut = Callable[[np.ndarray, Crop, "Face | None"], np.ndarray]


def _face(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    """Return the box grown to the result's aspect ratio, with a margin, around its centre."""
    assert face is not None
    return cut(image, _face_placement(crop, face), crop.shape[:2], resample=crop.resample)


def _face_placement(crop: Crop, face: Face) -> np.ndarray:
    h, w, _ = crop.shape
    x, y, width, height = face.box
    scale = max(width / w, height / h) * (1 + 2 * crop.margin)
    left, top = x + width / 2 - w * scale / 2, y + height / 2 - h * scale / 2
    return np.array([[scale, 0, left], [0, scale, top]])


def _aligned(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    """Return the photo turned, scaled and shifted so that the landmarks lie closest to ``TEMPLATE``."""
    assert face is not None
    return cut(image, _aligned_placement(crop, face), crop.shape[:2], resample=crop.resample)


def _aligned_placement(crop: Crop, face: Face) -> np.ndarray:
    h, w, _ = crop.shape
    points = np.array(face.landmarks, float)
    if points.shape != TEMPLATE.shape or not np.isfinite(points).all():
        raise ImageError("no landmarks")
    matrix = similarity(points, template(h, w))
    scale = math.hypot(*matrix[:, 0])
    if not 1e-4 < scale < 1e4:
        raise ImageError("no landmarks", "they coincide")
    inverse: np.ndarray = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    return inverse


def _center(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    """Return the largest rectangle of the result's aspect ratio around the photo's centre."""
    h, w, _ = crop.shape
    scale = min(image.shape[0] / h, image.shape[1] / w)
    height, width = max(1, round(h * scale)), max(1, round(w * scale))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return images.resize(image[top : top + height, left : left + width], (h, w), crop.resample)


def _none(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    """Return the whole photo, whatever its aspect ratio."""
    return images.resize(image, crop.shape[:2], crop.resample)


def _tutorial(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    """Return the box in whole pixels, |x| and |y|, whatever its aspect ratio."""
    assert face is not None
    x, y, width, height = (int(value) for value in face.box)
    part = image[abs(y) : abs(y) + height, abs(x) : abs(x) + width]
    if not part.size:
        raise ImageError("no face", "the box lies outside")
    return images.resize(part, crop.shape[:2], crop.resample)


# How to cut, and which faces: the largest (all of them with ``all_faces``), the first detected, or none.
CROPS: dict[str, tuple[Cut, str]] = {
    "face": (_face, "largest"),
    "aligned": (_aligned, "largest"),
    "center": (_center, ""),
    "none": (_none, ""),
    "tutorial": (_tutorial, "first"),
}

# Where the crop of a face lies in its photo, of crops that keep shapes.
PLACEMENTS: dict[str, Callable[[Crop, Face], np.ndarray]] = {
    "face": _face_placement,
    "aligned": _aligned_placement,
}
"""Each returns the ``2,3`` matrix, a similarity, that takes points (x, y) of the crop to the photo."""


PRESETS: dict[str, Crop] = {
    # The first detected box of any confidence; Pillow's default resampling is what the tutorial gets.
    "tutorial-80": Crop("tutorial", 80, resample="bicubic", min_confidence=0.0),
    "tutorial-50": Crop("none", 50, resample="nearest"),
}


def template(height: int, width: int) -> np.ndarray:
    """Return where ``aligned`` puts the landmarks: float ``5,2`` (x, y) in px of the result."""
    side = min(height, width)
    return TEMPLATE * side + [(width - side) / 2, (height - side) / 2]


def describe(crop: Crop) -> dict[str, Any]:
    """Return ``crop`` with all that decides where it cuts, for a JSON file.

    That is the geometry of aligned crops, and the version of OpenCV, which finds and cuts faces: 4.x rounds
    positions to 1/32 px, 5 does not.
    """
    record = {**asdict(crop), "size": list(crop.shape[:2])}
    if crop.kind == "aligned":
        record["landmarks"] = np.round(template(*crop.shape[:2]), 4).tolist()
    if needs_detector(crop):
        import cv2

        record["opencv"] = cv2.__version__
    return record


def needs_detector(crop: Crop) -> bool:
    """Return whether ``apply`` needs a detector for this crop."""
    return bool(CROPS[crop.kind][1])


def make_detector(crop: Crop) -> FaceDetector | None:
    """Return the detector that fits ``crop``, or None where none is needed.

    It also reports faces that ``crop`` then rejects as too small or too uncertain.
    """
    if not needs_detector(crop):
        return None
    return FaceDetector(min(0.7, crop.min_confidence), min(20, crop.min_face))


def sharpness(image: np.ndarray) -> float:
    """Return the variance of the Laplacian (4 neighbours) of the luma of uint8 ``H,W,C``."""
    import cv2

    gray = image[..., 0] if image.shape[-1] == 1 else images.luma(image)[..., 0]
    return float(cv2.Laplacian(gray, cv2.CV_64F, ksize=1).var())


def apply_each(
    image: np.ndarray, crop: Crop, detector: FaceDetector | None = None
) -> tuple[list[Cropped], list[ImageError]]:
    """Return crops of one uint8 photo ``H,W,3``, and why others of its faces were rejected.

    Where a grey crop needs no detector, one channel will do. One of the two lists holds something. Faces come
    largest first; without ``all_faces`` only the best candidate is tried. Reasons: no face, low confidence,
    face too small, no landmarks, blurred; those of a face are :class:`RejectedFace`.
    """
    which, faces = CROPS[crop.kind][1], list[Face | None]([None])
    if which:
        if detector is None:
            raise ValueError(f"the crop {crop.kind!r} needs a detector")
        every = which == "largest" and crop.all_faces
        found = detector.detect(image, largest=which == "largest" and not every)
        if which == "largest":  # a large but doubtful box must not hide a certain face
            found.sort(key=lambda face: (face.confidence >= crop.min_confidence, face.extent), reverse=True)
        faces = [*(found if every else found[:1])]
    kept: list[Cropped] = []
    rejected: list[ImageError] = []
    for face in faces:
        try:
            kept.append(Cropped(_one(image, crop, face), face))
        except ImageError as error:
            rejected.append(RejectedFace(error, face))
    return kept, rejected if faces else [ImageError("no face")]


def _one(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    if face is not None:
        where = f"at x {face.box[0]:.0f}, y {face.box[1]:.0f}"
        if face.confidence < crop.min_confidence:
            raise ImageError("low confidence", f"{face.confidence:.3f} {where}")
        if face.extent < crop.min_face:
            raise ImageError("face too small", f"{face.extent:.0f} px {where}")
    result = cut_alike(image, crop, face)
    if crop.min_sharpness > 0 and (value := sharpness(result)) < crop.min_sharpness:
        raise ImageError("blurred", f"sharpness {value:.1f}")
    return result


def cut_alike(image: np.ndarray, crop: Crop, face: Face | None) -> np.ndarray:
    """Cut a picture of the same size as another one, whose ``face`` says where, in the same way."""
    result = CROPS[crop.kind][0](image, crop, face)
    return images.luma(result) if crop.gray and result.shape[2] == 3 else result


def apply(image: np.ndarray, crop: Crop, detector: FaceDetector | None = None) -> list[Cropped]:
    """Return crops of one uint8 photo ``H,W,3``, at least one.

    Raises ``ImageError`` with the reason of the first reject where there is none.
    """
    kept, rejected = apply_each(image, crop, detector)
    if not kept:
        raise rejected[0]
    return kept
