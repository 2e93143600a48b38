"""Faces back in their photo: where nothing may change, what a result becomes there, and colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from untrained_translators import translator

from facegan.data import crops
from facegan.data.crops import PLACEMENTS, Crop
from facegan.data.faces import Face
from facegan.errors import InputError
from facegan.images import read_image_file
from facegan.translation import whole
from facegan.translation.whole import Placed, WholePhotos, put_back

PHOTOS = ["astronaut", "officer"]


def smooth_photo(h: int = 150, w: int = 200) -> np.ndarray:
    """Red tells x, green tells y, blue is 90."""
    y, x = np.mgrid[:h, :w]
    return np.stack([x, y, np.full((h, w), 90)], axis=2).astype(np.uint8)


def turned_matrix(scale: float, degrees: float, at: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, at[0]], [s, c, at[1]]])


# A crop larger than the photo's pixels, one that is turned, one smaller, and ones that reach beyond it.
PLACES = {
    "enlarged": turned_matrix(2.6, 0, (20, 10)),
    "turned": turned_matrix(2.0, 25, (80, 20)),
    "reduced": turned_matrix(0.6, -10, (60, 60)),
    "at a corner": turned_matrix(2.5, 0, (-20, -30)),
    "outside": turned_matrix(1.0, 0, (-100, -100)),
}


def cut(photo: np.ndarray, name: str, side: int = 32) -> Placed:
    return Placed(crops.cut(photo, PLACES[name], (side, side), resample="lanczos"), PLACES[name])


def corners_inside(photo: np.ndarray, place: Placed) -> np.ndarray:
    """Which pixels' centres lie within the crop, by its four edges."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]] + 0.5
    inverse = np.linalg.inv(np.vstack([place.matrix, [0, 0, 1]]))
    u = inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]
    v = inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]
    h, w = place.crop.shape[:2]
    inside: np.ndarray = (u > 0) & (u < w) & (v > 0) & (v < h)
    return inside


@pytest.mark.parametrize("name", PLACES)
def test_pixels_outside_of_the_crop_stay_to_the_bit(name: str) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    before, place = photo.copy(), cut(photo, name)
    done = put_back(photo, [place], [255 - place.crop])
    inside = corners_inside(photo, place)
    np.testing.assert_array_equal(photo, before)
    np.testing.assert_array_equal(done[~inside], photo[~inside])
    if name != "outside":
        assert (done[inside] != photo[inside]).mean() > 0.5


@pytest.mark.parametrize("name", PLACES)
def test_a_result_that_is_the_crop_changes_nothing(name: str) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (150, 200, 3), np.uint8)
    np.testing.assert_array_equal(put_back(photo, [place := cut(photo, name)], [place.crop]), photo)


@pytest.mark.parametrize("name", ["enlarged", "turned", "reduced", "at a corner"])
def test_a_spot_lands_where_it_was_in_the_crop(name: str) -> None:
    """Brighter by 60 within 6 px of the crop's centre: so is the photo there, and nowhere else."""
    photo, place = smooth_photo(), cut(smooth_photo(), name)
    v, u = np.mgrid[:32, :32] + 0.5
    spot = np.hypot(u - 16, v - 16) < 6
    result = np.where(spot[..., None], np.minimum(place.crop.astype(int) + 60, 255), place.crop)
    done = put_back(photo, [place], [result.astype(np.uint8)])
    y, x = np.mgrid[:150, :200] + 0.5
    centre, scale = place.matrix @ [16, 16, 1], np.hypot(*place.matrix[:, 0])
    distance = np.hypot(x - centre[0], y - centre[1]) / scale  # in px of the crop
    change = done.astype(int) - photo
    assert np.abs(change[distance < 4] - 60).max() <= 6
    assert np.abs(change[distance > 9]).max() <= 4
    grown = change[..., 2] > 30
    if name != "at a corner":  # where the photo's border cuts the spot
        assert np.hypot(x[grown].mean() - centre[0], y[grown].mean() - centre[1]) < max(0.25 * scale, 0.3)


def test_large_photos_are_done_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = smooth_photo()
    place = cut(photo, "turned")
    at_once = put_back(photo, [place], [255 - place.crop])
    monkeypatch.setattr(whole, "BAND", 500)
    np.testing.assert_array_equal(put_back(photo, [place], [255 - place.crop]), at_once)


def test_fine_detail_stays_where_the_result_agrees() -> None:
    """Stripes of one pixel are lost in a crop four times smaller, and are in the photo afterwards."""
    photo = np.full((160, 160, 3), 100, np.uint8)
    photo[:, ::2] += 40
    place = Placed(np.full((32, 32, 3), 120, np.uint8), turned_matrix(4.0, 0, (16, 16)))
    v, _ = np.mgrid[:32, :32]
    a_little = np.where((np.abs(v - 15.5) < 4)[..., None], 132, 120).astype(np.uint8)
    much = np.where((np.abs(v - 15.5) < 4)[..., None], 220, 120).astype(np.uint8)
    contrast = []
    for result in (a_little, much):
        middle = put_back(photo, [place], [result])[78:82, 70:90].astype(int)
        contrast.append(np.abs(np.diff(middle[..., 0], axis=1)).mean())
        assert abs(middle.mean() - result[16, 16, 0]) < 4
    assert 25 < contrast[0] < 40 and contrast[1] < 4


def test_a_cast_of_colour_is_taken_off() -> None:
    photo = smooth_photo()
    place = cut(photo, "enlarged")
    cast = np.clip(place.crop + np.array([25, -10, 40]), 0, 255).astype(np.uint8)
    assert np.abs(put_back(photo, [place], [cast]).astype(int) - photo).max() <= 12  # clipped values
    assert np.abs(put_back(photo, [place], [cast]).astype(int) - photo).mean() < 0.5


def test_other_hair_does_not_change_the_face() -> None:
    """Dark above the face: the skin keeps its colour, and what is dark stays dark."""
    photo = smooth_photo()
    place = cut(photo, "enlarged")
    dark = place.crop.copy()
    dark[:8] //= 4
    change = put_back(photo, [place], [dark]).astype(int) - photo
    assert np.abs(change[45:75, 50:75]).max() <= 1 and change[20:24, 58:66].mean() < -10


def test_colours_come_into_a_grey_photo() -> None:
    photo = np.repeat(smooth_photo()[..., :1], 3, axis=2)
    place = cut(photo, "enlarged")
    coloured = np.clip(place.crop + np.array([50, 0, -50]), 0, 255).astype(np.uint8)
    centre = put_back(photo, [place], [coloured])[50:54, 60:64].astype(int) - photo[50:54, 60:64]
    np.testing.assert_allclose(centre.mean((0, 1)), [50, 0, -50], atol=4)


def test_a_grey_model_changes_brightness_alone() -> None:
    photo = smooth_photo()
    grey = Placed(np.full((32, 32, 1), 80, np.uint8), turned_matrix(2.6, 0, (20, 10)))
    v, u = np.mgrid[:32, :32] + 0.5
    brighter = np.where(np.hypot(u - 16, v - 16)[..., None] < 6, 110, 80).astype(np.uint8)
    place = np.s_[49:54, 59:64]
    change = put_back(photo, [grey], [brighter])[place].astype(int) - photo[place]
    assert np.ptp(change, axis=2).max() <= 1 and 15 < change.mean() < 45


def test_the_mask_is_one_inside_and_zero_at_the_border() -> None:
    points = np.stack(np.meshgrid(np.linspace(0, 32, 65), np.linspace(0, 32, 65)))
    mask = whole._mask(points, (32, 32))[..., 0]
    assert mask[32, 32] == 1 and mask[24:41, 24:41].min() == 1
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
    assert np.abs(np.diff(mask[32])).max() < 0.15 and (np.diff(mask[32, :33]) >= 0).all()
    np.testing.assert_allclose(mask, mask[::-1, ::-1], atol=1e-6)


# --- real photos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("crop", PLACEMENTS)
def test_real_faces_come_back_to_their_place(name: str, crop: str) -> None:
    """The darkened middle of the crop lies between the eyes and the mouth that were found."""
    model = translator(side=64, crop=crop)
    reader, photo = WholePhotos(model), read_image_file(f"sample:{name}")
    np.testing.assert_array_equal(reader.fitted(photo, name), photo)
    (place,) = reader.faces
    (found,) = crops.apply_each(photo, replace(reader.crop, all_faces=True), reader.detector)[0]
    np.testing.assert_array_equal(place.crop, found.image)
    result = place.crop.copy()
    result[28:36, 28:36] = 0
    dark = (put_back(photo, [place], [result]).astype(int) - photo).sum(2) < -60
    y, x = np.nonzero(dark)
    assert found.face is not None
    left, top, width, height = found.face.box
    assert left < x.mean() < left + width and top < y.mean() < top + height
    if crop == "aligned":
        eyes, mouth = np.array(found.face.landmarks)[[0, 1]], np.array(found.face.landmarks)[[3, 4]]
        assert eyes[:, 1].mean() < y.mean() < mouth[:, 1].mean()
        assert eyes[0, 0] < x.mean() < eyes[1, 0]


def test_each_face_of_a_group_or_one(shared: Path) -> None:
    model, photo = (
        translator(side=32, crop="aligned"),
        read_image_file(shared / "data" / "photos" / "group.jpg"),
    )
    every, second = WholePhotos(model), WholePhotos(model, 2)
    every.fitted(photo, "group.jpg")
    second.fitted(photo, "group.jpg")
    assert len(every.faces) > 2 and len(second.faces) == 1
    np.testing.assert_array_equal(second.faces[0].crop, every.faces[1].crop)
    with pytest.raises(InputError, match=r"group\.jpg: --face 50, but only \d+ faces found"):
        WholePhotos(model, 50).fitted(photo, "group.jpg")


def test_a_photo_without_a_face() -> None:
    with pytest.raises(InputError, match=r"chelsea\.jpg: .*, and --whole changes nothing but faces"):
        WholePhotos(translator(crop="aligned")).fitted(np.full((80, 80, 3), 90, np.uint8), "chelsea.jpg")


@pytest.mark.parametrize("crop", ["", "none", "center"])
def test_a_model_of_other_crops_has_no_place_for_a_result(crop: str) -> None:
    with pytest.raises(InputError, match="--whole: this model was not trained on crops of faces"):
        WholePhotos(translator(crop=crop))


def test_where_a_crop_lies_is_where_it_was_cut() -> None:
    """Red and green of the crop tell x and y of the photo, as the matrix does."""
    photo = smooth_photo()
    points = crops.MEAN_SHAPE @ [[18, 6], [-6, 18]] + [95, 60]
    face = Face((70, 30, 50, 60), tuple(map(tuple, points.tolist())), 0.99)
    for kind, place in PLACEMENTS.items():
        crop = Crop(kind, 32)
        seen = crops._one(photo, crop, face)
        matrix = place(crop, face)
        for u, v in ((8, 8), (20, 12), (16, 24)):
            x, y = matrix @ [u + 0.5, v + 0.5, 1]
            np.testing.assert_allclose(seen[v, u, :2], [x - 0.5, y - 0.5], atol=1.5)
