"""All that a photo offers: faces that are kept, rejected or passed over, and where each would be cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import facegan
from facegan.data import crops
from facegan.data.candidates import NOT_THE_LARGEST, candidates, outline
from facegan.data.crops import Crop
from facegan.data.faces import Face
from facegan.data.review import Decision
from facegan.images import read_image_file

PHOTO = np.full((120, 160, 3), 90, np.uint8)
MEAN = crops.MEAN_SHAPE * 20 + [40, 30]
ONE = Face((20, 10, 40, 50), tuple(map(tuple, MEAN.tolist())), 0.99)
TWO = Face((90, 10, 30, 30), tuple(map(tuple, (crops.MEAN_SHAPE * 12 + [105, 22]).tolist())), 0.98)
DOUBTFUL = Face((90, 70, 30, 30), (), 0.75)


class Sees:
    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def detect(self, image: np.ndarray, largest: bool = False) -> list[Face]:
        return list(self.faces)


def test_every_face_says_what_becomes_of_it() -> None:
    found = candidates(PHOTO, Crop(), Sees(TWO, ONE, DOUBTFUL))  # type: ignore[arg-type]
    assert [(c.face, c.reason) for c in found] == [
        (ONE, ""),
        (TWO, NOT_THE_LARGEST),
        (DOUBTFUL, "low confidence"),
    ]
    assert found[0].image is not None and found[0].image.shape == (64, 64, 3) and found[1].image is None
    swapped = [Decision("a", False, ONE.box), Decision("a", True, TWO.box)]
    found = candidates(PHOTO, Crop(), Sees(ONE, TWO), decisions=swapped)  # type: ignore[arg-type]
    assert [(c.face, c.reason) for c in found] == [(TWO, ""), (ONE, "left out by the review")]
    (only,) = candidates(PHOTO, Crop(), Sees())  # type: ignore[arg-type]
    assert only.face is None and only.reason == "no face" and only.outline == ()


OUTLINES = {
    "center": (Crop("center"), None, [(20, 0), (140, 0), (140, 120), (20, 120)]),
    "tall": (Crop("center", (60, 30)), None, [(50, 0), (110, 0), (110, 120), (50, 120)]),
    "none": (Crop("none"), None, [(0, 0), (160, 0), (160, 120), (0, 120)]),
    "face": (Crop("face", margin=0), ONE, [(15, 10), (65, 10), (65, 60), (15, 60)]),
    "drawn": (Crop(), Face((10, 20, 30, 50), (), 1.0), [(10, 30), (40, 30), (40, 60), (10, 60)]),
    "tutorial": (Crop("tutorial"), ONE, [(20, 10), (60, 10), (60, 60), (20, 60)]),
}


@pytest.mark.parametrize("case", OUTLINES)
def test_the_outline_is_what_is_cut(case: str) -> None:
    crop, face, corners = OUTLINES[case]
    np.testing.assert_allclose(outline(PHOTO.shape[:2], crop, face), corners)


def test_an_aligned_outline_has_the_eyes_where_the_template_has_them() -> None:
    corners = np.array(outline(PHOTO.shape[:2], Crop(), ONE))
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    eyes = corners[0] + crops.TEMPLATE[:2, :1] * right + crops.TEMPLATE[:2, 1:] * down
    np.testing.assert_allclose(eyes, MEAN[:2], atol=1e-6)


def test_a_real_photo_shows_its_face_inside_of_the_outline() -> None:
    photo = read_image_file(Path(facegan.__file__).parent / "assets/photos/astronaut.jpg")
    crop = Crop(size=32)
    (best, *_) = candidates(photo, crop, crops.make_detector(crop))
    assert best.face is not None and best.reason == ""
    low, high = np.min(best.outline, axis=0), np.max(best.outline, axis=0)
    x, y, width, height = best.face.box
    assert (low < (x, y)).all() and (high > (x + width, y + height)).all()
