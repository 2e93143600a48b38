"""Similarity transforms and the cut they make: closed forms, Lanczos quality, untouched photo pixels."""

from __future__ import annotations

import numpy as np
import pytest

from facegan import images
from facegan.data import crops


def matrix(scale: float, degrees: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def apply(m: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ m[:, :2].T + m[:, 2]


def smooth_photo(h: int, w: int, seed: int = 0) -> np.ndarray:
    """Band-limited colours: noise on a coarse lattice, enlarged."""
    lattice = np.random.default_rng(seed).integers(30, 226, (h // 8, w // 8, 3)).astype(np.uint8)
    return images.resize(lattice, (h, w), "bicubic")


@pytest.mark.parametrize("scale,degrees,shift", [(1, 0, (0, 0)), (2.5, 30, (7, -3)), (0.3, -170, (100, 40))])
def test_similarity_recovers_a_known_one(scale, degrees, shift):
    points = np.random.default_rng(1).normal(size=(5, 2))
    true = matrix(scale, degrees, shift)
    np.testing.assert_allclose(crops.similarity(points, apply(true, points)), true, atol=1e-9)


def test_similarity_is_the_least_squares_one():
    """At the minimum any small turn, scaling or shift costs more; and a mirror image is not mirrored."""
    rng = np.random.default_rng(2)
    source, target = rng.normal(size=(5, 2)), rng.normal(size=(5, 2))
    best = crops.similarity(source, target)

    def cost(m):
        return ((apply(m, source) - target) ** 2).sum()

    a, b, x, y = best[0, 0], best[1, 0], best[0, 2], best[1, 2]
    for da, db, dx, dy in rng.normal(size=(50, 4)) * 0.01:
        other = np.array([[a + da, -b - db, x + dx], [b + db, a + da, y + dy]])
        assert cost(other) > cost(best)
    assert np.linalg.det(crops.similarity(source, source * [-1, 1])[:, :2]) > 0


def test_similarity_of_coinciding_points_has_no_scale():
    np.testing.assert_array_equal(crops.similarity(np.ones((5, 2)), np.eye(5, 2))[:, :2], np.zeros((2, 2)))


@pytest.mark.parametrize("resample", images.RESAMPLE)
def test_a_cut_without_scaling_is_a_slice(resample):
    photo = np.random.default_rng(3).integers(0, 256, (50, 60, 3)).astype(np.uint8)
    result = crops.cut(photo, matrix(1, shift=(9, 5)), (24, 32), resample=resample)
    np.testing.assert_array_equal(result, photo[5:29, 9:41])


@pytest.mark.parametrize("side,size", [(192, 64), (160, 64), (150, 64), (640, 64), (517, 40)])
def test_a_reducing_cut_equals_lanczos_resize(side, size):
    """Scaling alone: the cut must give what ``resize`` gives for the same square."""
    photo = smooth_photo(704, 704)
    detail = np.random.default_rng(4).integers(-25, 26, photo.shape)  # beyond the result's Nyquist frequency
    photo = np.clip(photo + detail, 0, 255).astype(np.uint8)
    result = crops.cut(photo, matrix(side / size, shift=(20, 30)), (size, size), resample="lanczos")
    expected = images.resize(photo[30 : 30 + side, 20 : 20 + side], (size, size))
    error = np.abs(result.astype(int) - expected)[2:-2, 2:-2]  # ``resize`` sees no pixels beyond the square
    assert error.max() <= 4
    assert error.mean() < 0.6


def test_a_reducing_cut_does_not_alias():
    """Stripes of 0.4 cycles per px, cut at 2.7 px per px and turned by 20 degrees, leave plain grey."""
    x = np.arange(300) + 0.5
    row = np.rint(127.5 + 100 * np.cos(2 * np.pi * 0.4 * x)).astype(np.uint8)
    photo = np.repeat(np.tile(row, (300, 1))[..., None], 3, axis=2)
    turned = matrix(2.7, 20, (90, 40))
    assert np.abs(crops.cut(photo, turned, (60, 60), resample="lanczos").astype(int) - 127).max() <= 4
    assert np.abs(crops.cut(photo, turned, (60, 60), resample="nearest").astype(int) - 127).max() >= 80


@pytest.mark.parametrize("scale,degrees", [(0.5, 12), (1.7, -33), (6.3, 90), (11.0, 5)])
def test_points_land_where_the_matrix_says(scale, degrees):
    """A smooth disc at a known place of the photo has its centre of mass at the mapped place."""
    h, w = 600, 700
    target = np.array([40.3, 22.7])
    m = matrix(scale, degrees)
    m[:, 2] = (331.4, 287.9) - m[:, :2] @ target
    y, x = np.mgrid[:h, :w] + 0.5
    disc = 250 * np.exp(-((x - 331.4) ** 2 + (y - 287.9) ** 2) / (2 * (3 * scale) ** 2))
    photo = np.repeat(np.rint(disc).astype(np.uint8)[..., None], 3, axis=2)
    mass = crops.cut(photo, m, (50, 64), resample="lanczos")[..., 0].astype(float)
    mass[mass < 8] = 0
    yy, xx = np.mgrid[:50, :64] + 0.5
    centre = np.array([(mass * xx).sum(), (mass * yy).sum()]) / mass.sum()
    assert np.abs(centre - target).max() < 0.05


def test_border_is_smooth_and_the_photo_untouched():
    photo = smooth_photo(80, 80, seed=6)
    result = crops.cut(photo, matrix(1, shift=(-40, -40)), (160, 160), resample="lanczos")
    np.testing.assert_array_equal(result[40:120, 40:120], photo)
    seam = np.abs(result[39].astype(int) - result[40])[40:120]
    inside = np.abs(np.diff(photo.astype(int), axis=0))
    assert seam.max() <= inside.max()  # no edge where the photo ends
    steps = np.abs(np.diff(result.astype(int), axis=1))
    assert steps[:, :12].max() <= 4 < steps[40:120, 40:119].max()  # far out: no detail


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 5), (90, 70)])
@pytest.mark.parametrize("scale", [0.01, 1.0, 37.0])
def test_any_photo_and_scale_give_the_size_asked_for(shape, scale):
    photo = np.full((*shape, 3), 77, np.uint8)
    for resample in images.RESAMPLE:
        result = crops.cut(photo, matrix(scale, 25, (-9, 4)), (16, 24), resample=resample)
        assert result.shape == (16, 24, 3)
        assert np.abs(result.astype(int) - 77).max() <= 1  # one colour stays one colour
