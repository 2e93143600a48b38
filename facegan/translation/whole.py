"""Put translated faces back into the photo that they come from.

Each face was cut by a turn, a scale and a shift. The result goes the same way back: enlarged to the photo's
pixels, its colours matched to those of the face, with the photo's own fine detail where it agrees with the
result, and under a mask that falls off towards the border of the crop. Pixels outside of the mask stay as
they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facegan import images
from facegan.data import crops
from facegan.data.crops import PLACEMENTS
from facegan.errors import InputError
from facegan.inversion.targets import PictureModel, Reader, silent

INNER = 0.62  # of the way from the crop's centre to its border: the mask is 1 up to here, 0 at the border
ROUND = 4  # exponent of the mask's superellipse: 2 is an ellipse, larger is closer to a rectangle
AGREES = 48.0  # levels: where result and crop differ by so much, the photo's fine detail is left out
NEAR = 1.5  # crop pixels: the standard deviation of the window in which that is seen
BAND = 1 << 20  # pixels of a photo that are computed at a time


@dataclass(frozen=True)
class Placed:
    """A face as the model sees it, uint8 ``H,W,C``, and where it lies.

    ``matrix`` (``2,3``) takes points (x, y) of the crop to the photo; pixel k spans k to k + 1.
    """

    crop: np.ndarray
    matrix: np.ndarray


class WholePhotos(Reader):
    """Reads photos as they are, and finds the faces in them.

    ``face`` is the number of the one face that counts, the largest being 1; 0 is all of them. ``faces`` are
    those of the photo that was read last, the largest first.
    """

    def __init__(self, model: PictureModel, face: int = 0, *, say: Callable[[str], None] = silent) -> None:
        super().__init__(model, True, max(face, 1), say=say)
        if self.crop.kind not in PLACEMENTS:
            raise InputError(
                "--whole: this model was not trained on crops of faces, so that there is no place to put a "
                "result back to; without --whole it takes a picture as a whole"
            )
        self.number = face
        self.faces: list[Placed] = []

    def fitted(self, image: np.ndarray, name: str) -> np.ndarray:
        """Return the photo itself, uint8 ``h,w,3``; InputError where it shows no face."""
        photo = image.repeat(3, axis=-1) if image.shape[-1] == 1 else image
        found, rejected = crops.apply_each(photo, replace(self.crop, all_faces=True), self.detector)
        if not found:
            raise InputError(f"{name}: {rejected[0].reason}, and --whole changes nothing but faces")
        if self.number > len(found):
            count = f"{len(found)} face{'s' * (len(found) != 1)}"
            raise InputError(f"{name}: --face {self.number}, but only {count} found")
        if self.number:
            found = [found[self.number - 1]]
        place = PLACEMENTS[self.crop.kind]
        self.faces = [Placed(each.image, place(self.crop, each.face)) for each in found if each.face]
        return photo

    def tell_others(self, image: np.ndarray, name: str) -> None:
        """Say nothing: all faces are taken, or the one that was asked for."""


def put_back(photo: np.ndarray, faces: Sequence[Placed], results: Sequence[np.ndarray]) -> np.ndarray:
    """Return a copy of the photo with each face's result in its place.

    Args:
        photo: uint8 ``H,W,3``.
        faces: the faces as they were cut.
        results: what the translator made of each crop, uint8 of its shape.
    """
    done = photo.copy()
    for face, result in zip(faces, results, strict=True):
        _put(done, face, result)
    return done


def _put(photo: np.ndarray, face: Placed, result: np.ndarray) -> None:
    """Blend one result into the photo, in place."""
    rows, columns = _region(photo, face)
    inverse = np.linalg.inv(np.vstack([face.matrix, [0, 0, 1]]))[:2]
    crop = face.crop.astype(np.float32)
    change = _matched(crop, result.astype(np.float32)) - crop
    differs = np.minimum(_smooth(np.abs(change).mean(2, keepdims=True), NEAR) / AGREES, 1)
    planes = np.concatenate([change, crop, differs], axis=2)
    if (step := math.hypot(*inverse[:, 0])) > 1:  # crop pixels per photo pixel
        planes = _smooth(planes, 0.5 * math.sqrt(step * step - 1))
    height = max(1, BAND // max(1, columns.stop - columns.start))
    for top in range(rows.start, rows.stop, height):
        band = slice(top, min(top + height, rows.stop))
        _put_band(photo[band, columns], planes, inverse, at=(band, columns))


def _put_band(part: np.ndarray, planes: np.ndarray, inverse: np.ndarray, *, at: tuple[slice, slice]) -> None:
    """Blend some rows, a view of the photo. ``planes`` are change, crop, and how far they differ."""
    c = planes.shape[2] // 2
    mask = _mask(_points(inverse, at), planes.shape[:2])
    warped = _warp(planes, inverse, at)
    there = part.astype(np.float32)
    seen = images.luma(part).astype(np.float32) if c == 1 else there
    detail = seen - warped[..., c : 2 * c]
    change = warped[..., :c] - warped[..., 2 * c :].clip(0, 1) * detail
    blended = np.clip(np.rint(there + mask * change), 0, 255).astype(np.uint8)
    part[:] = np.where(mask > 0, blended, part)


def _region(photo: np.ndarray, face: Placed) -> tuple[slice, slice]:
    """Return the rows and columns of the photo that the crop touches."""
    h, w = face.crop.shape[:2]
    corners = np.array([[0, 0], [w, 0], [w, h], [0, h]]) @ face.matrix[:, :2].T + face.matrix[:, 2]
    low = np.clip(np.floor(corners.min(0)), 0, photo.shape[1::-1]).astype(int)
    high = np.clip(np.ceil(corners.max(0)), 0, photo.shape[1::-1]).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _points(inverse: np.ndarray, at: tuple[slice, slice]) -> np.ndarray:
    """Return where the centres of the region's pixels lie in the crop: float32 ``2,h,w`` (x, y)."""
    rows, columns = at
    x = np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    a = inverse.astype(np.float32)
    return np.stack([a[0, 0] * x + a[0, 1] * y + a[0, 2], a[1, 0] * x + a[1, 1] * y + a[1, 2]])


def _mask(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return float32 ``h,w,1`` in [0, 1]: 1 inside, smoothly down to exactly 0 at the crop's border."""
    h, w = size
    across, down = np.abs(points[0] / (w / 2) - 1), np.abs(points[1] / (h / 2) - 1)
    reach = (across**ROUND + down**ROUND) ** (1 / ROUND)
    t = np.clip((1 - reach) / (1 - INNER), 0, 1)
    found: np.ndarray = (t * t * (3 - 2 * t))[..., None]
    return found


def _matched(crop: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return the result without the shift of colours that it has where the mask is 1, as the median there.

    The median leaves changes of less than half of the face alone, such as glasses; hair and background lie
    farther out. Where the photo is grey and the result is not, colours are what was wanted: the brightness
    alone is matched.
    """
    h, w = crop.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5))
    inner = _mask(grid, (h, w))[..., 0] == 1
    shift = np.median((result - crop)[inner], axis=0)
    if _spread(crop) < 1 <= _spread(result):
        shift = np.full_like(shift, np.median((result.mean(2) - crop.mean(2))[inner]))
    return result - shift


def _spread(picture: np.ndarray) -> float:
    """Return how far a picture's channels lie apart, in levels: 0 for a grey one."""
    return float((picture.max(2) - picture.min(2)).mean())


def _smooth(planes: np.ndarray, sigma: float) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(planes, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE).reshape(planes.shape)


def _warp(planes: np.ndarray, inverse: np.ndarray, at: tuple[slice, slice]) -> np.ndarray:
    """Return planes ``H,W,P`` of the crop at some of the photo's pixels, float32 ``h,w,P``."""
    import cv2

    rows, columns = at
    matrix = inverse.copy()  # OpenCV counts from the centre of the first pixel
    matrix[:, 2] += inverse[:, :2] @ [columns.start + 0.5, rows.start + 0.5] - 0.5
    size = (columns.stop - columns.start, rows.stop - rows.start)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    parts = [
        cv2.warpAffine(planes[..., k : k + 4], matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for k in range(0, planes.shape[2], 4)  # OpenCV warps up to four channels at once
    ]
    return np.concatenate([part.reshape(*size[::-1], -1) for part in parts], axis=2)
