"""Inputs derived from pictures: each row of the table keeps its promises, whatever the size and channels."""

from __future__ import annotations

import numpy as np
import pytest

import facegan
from facegan.data.inputs import INPUTS, derive, register_input
from facegan.errors import InputError
from facegan.images import read_image_file, resize

SIZES = [(16, 16), (17, 40), (64, 64), (100, 66)]


def photo(size: tuple[int, int], channels: int = 3) -> np.ndarray:
    picture = resize(read_image_file("sample:officer"), size)
    return picture if channels == 3 else picture[..., :1]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(INPUTS))
def test_an_input_has_the_pictures_shape_and_depends_on_that_picture_alone(name, size, channels):
    if min(size) < INPUTS[name].least_side:
        with pytest.raises(InputError, match="at least"):
            derive(name, photo(size, channels)[None])
        return
    picture = photo(size, channels)
    batch = np.stack([255 - picture, picture, picture[:, ::-1]])
    before = batch.copy()
    made = derive(name, batch)
    assert made.shape == batch.shape and made.dtype == np.uint8
    np.testing.assert_array_equal(batch, before)
    np.testing.assert_array_equal(derive(name, picture[None])[0], made[1])
    np.testing.assert_array_equal(derive(name, batch), made)
    np.testing.assert_array_equal(derive(name, np.asfortranarray(batch)), made)
    assert (made[1] != picture).any() or (name == "grey" and channels == 1)
    if INPUTS[name].idempotent:
        np.testing.assert_array_equal(derive(name, made), made)
    assert derive(name, batch[:0]).shape == (0, *batch.shape[1:])


def test_edges_of_a_square_are_one_closed_thin_line():
    picture = np.full((64, 64, 3), 220, np.uint8)
    picture[16:48, 16:48] = 60
    drawn = derive("edges", picture[None])[0]
    assert (drawn == drawn[..., :1]).all()
    ink = drawn[..., 0] < 128
    assert 0.02 < ink.mean() < 0.07  # a square of 30 px, one to two px wide
    inside, outside = ink[22:42, 22:42], ink.copy()
    outside[13:51, 13:51] = False
    assert not inside.any() and not outside.any()
    for crossed in (ink[20:44, :32], ink[20:44, 32:], ink[:32, 20:44].T, ink[32:, 20:44].T):
        assert crossed.any(axis=1).all()  # each side is whole


def test_noise_of_a_few_levels_draws_nothing():
    noise = np.random.default_rng(3).integers(126, 131, (2, 64, 64, 3), dtype=np.uint8)
    assert (derive("edges", noise) == 255).all()


def test_a_drawing_of_a_photo_is_mostly_white_and_has_no_specks():
    import cv2

    for side in (64, 256):
        ink = (derive("edges", photo((side, side))[None])[0, ..., 0] < 160).astype(np.uint8)
        assert 0.02 < ink.mean() < 0.25
        _, _, statistics, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
        spans = statistics[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
        assert np.median(spans) >= side / 16


def test_grey_is_the_luma():
    picture = photo((64, 64))
    luma = picture.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(derive("grey", picture[None])[0] - luma[..., None]).max() <= 0.51


@pytest.mark.parametrize(("name", "side"), [("small-16", 64), ("small-16", 100), ("small-64", 256)])
def test_small_takes_fine_stripes_and_keeps_what_spans_many_small_pixels(name, side):
    columns = np.broadcast_to(np.arange(side), (side, side))
    stripes = np.repeat((columns % 2 * 200).astype(np.uint8)[None, :, :, None], 3, 3)
    halves = np.repeat((columns // (side // 2) * 200).clip(0, 200).astype(np.uint8)[None, :, :, None], 3, 3)
    assert np.abs(derive(name, stripes)[:, :, 8:-8].astype(int) - 100).max() <= 12
    made, quarter = derive(name, halves).astype(int), side // 4
    np.testing.assert_array_equal(made[:, :, :quarter], halves[:, :, :quarter])
    np.testing.assert_array_equal(made[:, :, -quarter:], halves[:, :, -quarter:])


def test_a_hole_covers_a_sixteenth_to_a_quarter_and_lies_elsewhere_in_other_pictures():
    pictures = np.stack([np.roll(photo((64, 64)), k, axis=1) for k in range(12)])
    masks = (derive("hole", pictures) != pictures).any(-1)
    shares = masks.mean((1, 2))
    assert ((shares > 0.055) & (shares <= 0.25)).all()
    assert len({mask.tobytes() for mask in masks}) == 12
    for mask in masks:  # one rectangle
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.97


def test_blur_keeps_the_mean_and_takes_the_detail():
    checks = np.indices((64, 64)).sum(0)[None, :, :, None] % 2 * np.uint8(200)
    made = derive("blur", np.repeat(checks.astype(np.uint8), 3, 3))
    assert np.abs(made.astype(int) - 100).max() <= 1


WRONG = {
    "an unknown name": ("nope", np.zeros((1, 32, 32, 3), np.uint8), "known: edges, grey, small-16"),
    "no name": (3, np.zeros((1, 32, 32, 3), np.uint8), "--input 3 is unknown"),
    "floats": ("grey", np.zeros((1, 32, 32, 3)), "uint8 pictures N,H,W,C"),
    "one picture": ("grey", np.zeros((32, 32, 3), np.uint8), "uint8 pictures N,H,W,C"),
    "two channels": ("blur", np.zeros((1, 32, 32, 2), np.uint8), "C = 1 or 3"),
    "no array": ("edges", "photo.jpg", "uint8 pictures N,H,W,C"),
    "too small": ("edges", np.zeros((1, 12, 32, 3), np.uint8), "at least 16x16 px; these have 32x12"),
    "too small to be made small": ("small-64", np.zeros((1, 64, 64, 3), np.uint8), "at least 65x65 px"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_told_in_one_line(case):
    name, pictures, text = WRONG[case]
    with pytest.raises(InputError) as found:
        derive(name, pictures)
    assert text in str(found.value) and "\n" not in str(found.value)


@pytest.fixture
def _table():
    before = dict(INPUTS)
    yield
    INPUTS.clear()
    INPUTS.update(before)


@pytest.mark.usefixtures("_table")
def test_a_registered_input_is_derived_like_the_others():
    facegan.register_input("dark", lambda pictures: pictures // 4, text="darken")
    pictures = photo((32, 32))[None]
    np.testing.assert_array_equal(derive("dark", pictures), pictures // 4)
    assert INPUTS["dark"].text == "darken" and not INPUTS["dark"].idempotent


BROKEN = {
    "taken": ("grey", lambda x: x, "already"),
    "malformed": ("Dark One", lambda x: x, "lower-case"),
    "no function": ("toy", 3, "give a function"),
    "fails": ("toy", lambda x: x @ x.shape, "it fails on three pictures"),
    "another shape": ("toy", lambda x: x[:, ::2], "keep the pictures' shape"),
    "another type": ("toy", lambda x: x / 255, "keep the pictures' shape and type"),
    "fewer": ("toy", lambda x: x[:1], "one for each picture"),
    "chance": (
        "toy",
        lambda x: x ^ np.random.default_rng().integers(9, size=x.shape, dtype=np.uint8),
        "each time",
    ),
    "the batch": ("toy", lambda x: (x - x.mean(axis=0)).astype(np.uint8), "must not depend on the other"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.usefixtures("_table")
def test_a_function_that_breaks_a_promise_is_not_registered(case):
    name, function, text = BROKEN[case]
    with pytest.raises(InputError, match=text):
        register_input(name, function)
    assert "toy" not in INPUTS
