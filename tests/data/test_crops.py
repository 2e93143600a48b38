"""Crops in closed form, with a stand-in for the detector; then real photos."""

from __future__ import annotations

import json
import pickle
import zipfile

import cv2
import numpy as np
import pytest

from facegan import images
from facegan.data import crops
from facegan.data.crops import Crop
from facegan.data.faces import Face
from facegan.errors import ImageError, InputError


class Found:
    """A detector that always finds the same faces, and notes how it was asked."""

    def __init__(self, *faces: Face) -> None:
        self.faces = faces
        self.largest: bool | None = None

    def detect(self, image: np.ndarray, largest: bool = False) -> list[Face]:
        self.largest = largest
        return list(self.faces)


def face(x=40.0, y=30.0, w=40.0, h=50.0, confidence=0.99, turn=0.0) -> Face:
    """A face with the mean shape, its eyes at 0.4 of the box's height, turned by ``turn`` degrees."""
    c, s = 0.45 * w * np.cos(np.radians(turn)), 0.45 * w * np.sin(np.radians(turn))
    points = crops.MEAN_SHAPE @ np.array([[c, s], [-s, c]]) + [x + w / 2, y + 0.4 * h]
    return Face((x, y, w, h), tuple(map(tuple, points.tolist())), confidence)


def gradient(h: int = 120, w: int = 160) -> np.ndarray:
    """Red tells x, green tells y, blue is 50."""
    y, x = np.mgrid[:h, :w]
    return np.stack([x, y, np.full((h, w), 50)], axis=2).astype(np.uint8)


def one(photo, crop, *faces) -> np.ndarray:
    (result,) = crops.apply(photo, crop, Found(*faces))
    assert result.image.shape == crop.shape and result.image.dtype == np.uint8
    return result.image


def test_center_is_the_largest_square():
    photo = gradient(100, 160)
    np.testing.assert_array_equal(one(photo, Crop("center", 100)), photo[:, 30:130])
    np.testing.assert_array_equal(one(photo, Crop("center", (100, 50))), photo[:, 55:105])
    np.testing.assert_array_equal(one(photo, Crop("center", 25)), images.resize(photo[:, 30:130], (25, 25)))


def test_none_takes_everything_without_keeping_the_aspect():
    photo = gradient(110, 150)
    np.testing.assert_array_equal(one(photo, Crop("none", 50)), images.resize(photo, (50, 50)))
    nearest = one(photo, crops.PRESETS["tutorial-50"])
    # Pillow's nearest takes the pixel that holds the new centre: floor((i + 0.5) * 150 / 50).
    rows, columns = ((np.arange(50) + 0.5) * n / 50 for n in (110, 150))
    np.testing.assert_array_equal(nearest, photo[rows.astype(int)][:, columns.astype(int)])


def test_face_is_a_square_around_the_box_with_a_margin():
    """Box 40 x 50 at (40, 30), margin 0.1 of 50 on each side: 60 px around (60, 55)."""
    photo = gradient()
    result = one(photo, Crop("face", 60, margin=0.1), face())
    np.testing.assert_array_equal(result, photo[25:85, 30:90])
    wide = one(photo, Crop("face", (50, 100), margin=0.0), face())
    np.testing.assert_array_equal(wide, photo[30:80, 10:110])


@pytest.mark.parametrize("turn", [0, 17, -35])
@pytest.mark.parametrize("size", [64, (48, 40), (40, 64)])
def test_aligned_puts_the_landmarks_on_the_template(turn, size):
    """Red tells x and green tells y, so the result's colours at the template are the landmarks."""
    crop = Crop("aligned", size)
    found = face(60, 40, 30, 38, turn=turn)
    result = one(gradient(120, 160), crop, found).astype(float)
    for (u, v), (x, y) in zip(crops.template(*crop.shape[:2]), found.landmarks, strict=True):
        column, row = int(u), int(v)
        du, dv = u - column - 0.5, v - row - 0.5
        slope = (result[row, column + 1] - result[row, column - 1]) / 2
        slope_v = (result[row + 1, column] - result[row - 1, column]) / 2
        colour = result[row, column] + slope * du + slope_v * dv
        assert np.abs(colour[:2] + 0.5 - (x, y)).max() < 1


def test_eyes_are_level_and_where_they_should_be():
    left, right, nose, mouth_left, mouth_right = crops.template(100, 100)
    assert left.tolist() == pytest.approx([36, 43.36]) and right.tolist() == pytest.approx([64, 43.36])
    assert nose[0] == 50 and 70 < mouth_left[1] == mouth_right[1] < 80


def test_tutorial_takes_the_first_box_and_absolute_values():
    photo = gradient()
    first, larger = face(10, -6, 20, 30, 0.75), face(40, 20, 80, 90, 0.99)
    result = one(photo, crops.PRESETS["tutorial-80"], first, larger)
    np.testing.assert_array_equal(result, images.resize(photo[6:36, 10:30], (80, 80), "bicubic"))
    outside = Found(face(500, 500))
    with pytest.raises(ImageError, match="no face"):
        crops.apply(photo, crops.PRESETS["tutorial-80"], outside)
    assert outside.largest is False


def test_the_largest_face_or_all_of_them():
    photo = gradient()
    small, large, doubtful = face(5, 5, 25, 30), face(60, 20, 50, 60), face(0, 0, 90, 99, confidence=0.8)
    finder = Found(small, doubtful, large)
    (result,) = crops.apply(photo, Crop("face"), finder)
    assert result.face == large and finder.largest is True  # a doubtful box does not hide a certain one
    kept, rejected = crops.apply_each(photo, Crop("face", all_faces=True), finder)
    assert [c.face for c in kept] == [large, small] and finder.largest is False
    assert [str(r) for r in rejected] == ["low confidence: 0.800 at x 0, y 0"]


REJECTS = {
    "no face": (Crop("aligned"), ()),
    "low confidence": (Crop("aligned", min_confidence=0.995), (face(),)),
    "face too small": (Crop("face", min_face=51), (face(),)),
    "no landmarks": (Crop("aligned"), (Face((0, 0, 30, 30), (), 0.99),)),
    "no landmarks: they coincide": (Crop("aligned"), (Face((0, 0, 30, 30), ((5.0, 5.0),) * 5, 0.99),)),
    "no landmarks: not numbers": (Crop("aligned"), (Face((0, 0, 30, 30), ((np.nan, 5.0),) * 5, 0.99),)),
    "blurred": (Crop("face", min_sharpness=30), (face(),)),
}


@pytest.mark.parametrize("name", REJECTS)
def test_rejects_name_their_reason(name):
    crop, found = REJECTS[name]
    with pytest.raises(ImageError) as caught:
        crops.apply(gradient(), crop, Found(*found))
    assert caught.value.reason == name.split(":")[0]


def test_sharpness_in_closed_form():
    """A checkerboard of 0 and 200: the Laplacian is +-4 * 200 everywhere, so its variance is 800^2."""
    board = (np.indices((20, 20)).sum(axis=0) % 2 * 200).astype(np.uint8)[..., None]
    assert crops.sharpness(board) == pytest.approx(800**2)
    assert crops.sharpness(board.repeat(3, axis=2)) == pytest.approx(800**2)
    assert crops.sharpness(np.full((9, 9, 3), 70, np.uint8)) == 0


def test_gray_is_one_channel_of_luma():
    photo = gradient()
    result = one(photo, Crop("face", 60, margin=0.1, gray=True), face())
    np.testing.assert_array_equal(result, images.luma(photo[25:85, 30:90]))


@pytest.mark.parametrize(
    "options,message",
    [
        ({"kind": "round"}, "unknown crop 'round': choose one of face, aligned, center, none, tutorial"),
        ({"resample": "box"}, "unknown resampling 'box': choose one of nearest"),
        ({"size": 0}, "both sides must be at least 1"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(InputError, match=message):
        Crop(**options)


def test_crops_travel_and_describe_themselves():
    for crop in [Crop(), *crops.PRESETS.values()]:
        assert pickle.loads(pickle.dumps(crop)) == crop and hash(crop) is not None
        record = json.loads(json.dumps(crops.describe(crop)))
        assert record["kind"] == crop.kind and record["size"] == list(crop.shape[:2])
        assert ("landmarks" in record) == (crop.kind == "aligned")
        assert record.get("opencv", "") == (cv2.__version__ if crops.needs_detector(crop) else "")
        assert (crops.make_detector(crop) is not None) == crops.needs_detector(crop)


def test_real_eyes_land_on_the_template(shared):
    """Found again in the 256 px crops, the landmarks lie near their places; 5 of 5 photos are kept."""
    crop = Crop("aligned", 256, all_faces=True)
    detector = crops.make_detector(crop)
    results = []
    for name in ("group", "officer", "portrait"):
        photo = images.read_image_file(shared / "data" / "photos" / f"{name}.jpg")
        results += crops.apply(photo, crop, detector)
    assert len(results) == 8
    sizes = [c.face.extent for c in results[:6]]
    assert sizes == sorted(sizes, reverse=True)
    for result in results:
        (again,) = detector.detect(result.image, largest=True)
        eyes = np.array(again.landmarks[:2])
        assert np.abs(eyes - crops.template(256, 256)[:2]).max() < 0.06 * 256


@pytest.mark.parametrize("kind", ["aligned", "face", "tutorial"])
def test_small_real_photos_are_kept(shared, kind):
    crop = crops.PRESETS["tutorial-80"] if kind == "tutorial" else Crop(kind, 64)
    detector = crops.make_detector(crop)
    with zipfile.ZipFile(shared / "data" / "celeba-9k.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::180]
        photos = [images.read_image(archive.read(name)) for name in names]
    kept = [crops.apply_each(photo, crop, detector)[0] for photo in photos]
    assert len(photos) == 50 and sum(map(len, kept)) >= 49
    assert all(k[0].image.shape == crop.shape for k in kept if k)
