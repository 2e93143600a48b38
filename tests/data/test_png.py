"""The fast PNG writer: what others read is what was given, and files are no larger than theirs."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from facegan.data import png
from facegan.images import png_bytes

RNG = np.random.default_rng(4)
SMOOTH = np.asarray(Image.fromarray(RNG.integers(0, 256, (9, 7, 3), np.uint8)).resize((80, 64)))
PICTURES = {
    "one pixel": np.array([[[7, 200, 90]]], np.uint8),
    "one column": RNG.integers(0, 256, (30, 1, 3), np.uint8),
    "one row, grey": RNG.integers(0, 256, (1, 30, 1), np.uint8),
    "noise": RNG.integers(0, 256, (31, 45, 3), np.uint8),
    "extremes": RNG.choice([0, 255], (28, 28, 1)).astype(np.uint8),
    "smooth": SMOOTH,
    "smooth, grey, every other column": SMOOTH[:, ::2, :1],
    "even": np.full((40, 50, 3), 255, np.uint8),
    "a drawing": np.kron(RNG.integers(0, 256, (4, 5, 3)), np.ones((12, 12, 1))).astype(np.uint8),
}


@pytest.mark.parametrize("name", PICTURES)
def test_other_readers_see_the_same_pixels(name: str) -> None:
    image = PICTURES[name]
    data = png.encode(image)
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.mode == ("L" if image.shape[2] == 1 else "RGB")
        np.testing.assert_array_equal(np.asarray(opened).reshape(image.shape), image)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).reshape(image.shape)
    np.testing.assert_array_equal(read[..., ::-1], image)
    assert len(data) <= 1.1 * len(png_bytes(image)) + 20
