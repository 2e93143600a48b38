"""The constants and matrices of the wavelets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from facegan.augment import wavelets
from facegan.augment.resample import _Sample, _Spread, sample_by_gathering

FILTERS = {"sym2": np.array(wavelets.SYM2), "sym6": np.array(wavelets.SYM6)}


@pytest.mark.parametrize("name", FILTERS)
def test_the_filters_are_orthonormal(name: str) -> None:
    h = FILTERS[name]
    assert h.sum() == pytest.approx(math.sqrt(2), abs=1e-12)
    for shift in range(0, len(h), 2):
        assert h[shift:] @ h[: len(h) - shift] == pytest.approx(float(shift == 0), abs=1e-10)


@pytest.mark.parametrize("name", FILTERS)
def test_the_wavelets_have_their_vanishing_moments(name: str) -> None:
    """symN: N of them, which makes smooth pictures pass unchanged."""
    h = FILTERS[name]
    k = np.arange(len(h)) - len(h) / 2
    for moment in range(len(h) // 2):
        assert np.sum((-1.0) ** np.arange(len(h)) * k**moment * h) == pytest.approx(0, abs=1e-6)


def test_up_then_down_is_the_identity() -> None:
    """On the interior, where the mirror plays no part: the filters are orthonormal."""
    size = 20
    up, down = wavelets._up(size), wavelets._down(size)
    fine = np.zeros((2 * size + 10, size))
    fine[wavelets.FIRST : wavelets.FIRST + len(up)] = up
    inside = slice(6, size - 6)
    np.testing.assert_allclose((down @ fine)[inside], np.eye(size)[inside], atol=1e-10)


def test_bands_add_up_to_the_identity() -> None:
    for size in (3, 8, 31):
        np.testing.assert_allclose(wavelets._bands(size).sum(0), np.eye(size), atol=1e-12)


@pytest.mark.parametrize(
    ("band", "low", "high"), [(0, 0, 1 / 8), (1, 1 / 8, 1 / 4), (2, 1 / 4, 1 / 2), (3, 1 / 2, 1)]
)
def test_bands_lie_in_octaves(band: int, low: float, high: float) -> None:
    """Each filter is the largest of the four in the middle of its octave."""
    w = math.pi * (low + high) / 2
    size = [float(t @ np.cos(w * (np.arange(len(t)) - len(t) // 2))) for t in wavelets.band_filters()]
    assert int(np.argmax(size)) == band


@pytest.mark.parametrize("size", [2, 5, 16, 50])
@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("kind", ["up", "down"])
def test_blocks_are_the_matrix(kind: str, axis: int, size: int) -> None:
    """Forwards, backwards and twice: a linear map whose adjoint is the transposed matrix."""
    matrix = torch.from_numpy(wavelets._KINDS[kind](size))
    shape = [2, 3, 4, 4]
    shape[axis] = matrix.shape[1]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    y = wavelets.along(kind, x, axis)
    expected = matrix @ x if axis == 2 else x @ matrix.mT
    torch.testing.assert_close(y, expected)
    v = torch.randn_like(y, requires_grad=True)
    (g,) = torch.autograd.grad((y * v).sum(), x, create_graph=True)
    torch.testing.assert_close(g, matrix.mT @ v if axis == 2 else v @ matrix)
    z = torch.randn_like(g)
    (again,) = torch.autograd.grad((g * z).sum(), v)
    torch.testing.assert_close(again, matrix @ z if axis == 2 else z @ matrix.mT)


def grid(n: int = 2) -> torch.Tensor:
    """Points inside, outside and at the ends."""
    points = torch.randn(n, 6, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 1.5
    points[0, 0, :4] = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [3.0, -5.0], [0.0, 0.0]])
    return points


def test_samples_of_the_mirrored_picture_in_a_naive_loop() -> None:
    x = torch.randn(2, 3, 7, 4, dtype=torch.float64)
    points = grid()
    y = _Sample.apply(x, points)
    for n, i, j in np.ndindex(2, 6, 5):
        value = torch.zeros(3, dtype=torch.float64)
        px, py = (points[n, i, j, 0] + 1) * 1.5, (points[n, i, j, 1] + 1) * 3
        left, top = math.floor(px), math.floor(py)
        for a, b in np.ndindex(2, 2):
            weight = (1 - abs(px - left - a)) * (1 - abs(py - top - b))
            row, column = (int(wavelets.reflect(np.array(k), s)) for k, s in ((top + b, 7), (left + a, 4)))
            value += weight * x[n, :, row, column]
        torch.testing.assert_close(y[n, :, i, j], value)


def test_sampling_is_differentiable_twice() -> None:
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    points = grid()

    def square(x: torch.Tensor) -> torch.Tensor:
        return _Sample.apply(x, points).square()

    assert torch.autograd.gradcheck(square, x)
    assert torch.autograd.gradgradcheck(square, x)
    v = torch.randn(2, 2, 6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: _Spread.apply(v, points, x.shape), v)


def test_gathering_gives_the_same_samples_and_derivatives() -> None:
    x = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    points = grid()
    results = []
    for function in (_Sample.apply, sample_by_gathering):
        y = function(x, points)
        (g,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
        results.append((y, g, torch.autograd.grad(g.square().sum(), x)[0]))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
