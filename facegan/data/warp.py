"""Cutting a turned and scaled rectangle out of a photo: antialiased, with a smooth border."""

from __future__ import annotations

import math

import numpy as np

from facegan import images

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
