"""Colour, filters and corruption of ADA, each against its closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from given_draws import given, normal, signed

from facegan.augment import colour, table, wavelets
from facegan.augment.ada import Ada
from facegan.augment.draws import Draw

NOTHING = Ada(**table.NOTHING)

Tensor = torch.Tensor


def pictures(channels: int = 3) -> Tensor:
    return torch.rand(1, channels, 6, 5, generator=torch.Generator().manual_seed(1)).double() * 2 - 1


def mean(x: Tensor) -> Tensor:
    return x.mean(1, keepdim=True)


# name -> setting, random numbers, closed form on r, g, b
ALONE = {
    "brightness": ({"brightness": 0.2}, normal(1.5), lambda x: x + 0.3),
    "contrast": ({"contrast": 0.5}, normal(-2.0), lambda x: x / 2),
    "luma_flip": ({"luma_flip": True}, [0.5], lambda x: x - 2 * mean(x)),
    "hue": ({"hue": 1.0}, [signed(2 / 3)], lambda x: x[:, [2, 0, 1]]),  # 120 degrees: red becomes green
    "saturation": ({"saturation": 1.0}, normal(1.0), lambda x: mean(x) + 2 * (x - mean(x))),
}


@pytest.mark.parametrize("name", ALONE)
def test_each_colour_transform(name: str) -> None:
    setting, numbers, expected = ALONE[name]
    x = pictures()
    y = replace(NOTHING, **setting)(x, 1.0, given(**{name: numbers}))
    torch.testing.assert_close(y, expected(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ALONE)
def test_grey_pictures_as_three_equal_channels(name: str) -> None:
    setting, numbers, expected = ALONE[name]
    x = pictures(1)
    y = replace(NOTHING, **setting)(x, 1.0, given(**{name: numbers}))
    torch.testing.assert_close(y, expected(x.expand(-1, 3, -1, -1))[:, :1], rtol=0, atol=1e-12)


def test_no_saturation_is_grey() -> None:
    x = pictures()
    y = colour.recolour(x, colour.saturation(torch.zeros(1).double()))
    torch.testing.assert_close(y, mean(x).expand_as(x), rtol=0, atol=1e-12)


def test_colours_in_the_papers_order() -> None:
    """Brightness, contrast, luma flip, hue, saturation; the first two do not commute."""
    x = pictures()
    setting = {key: value for s, _, _ in ALONE.values() for key, value in s.items()}
    y = replace(NOTHING, **setting)(
        x, 1.0, given(**{name: numbers for name, (_, numbers, _) in ALONE.items()})
    )
    for _, _, expected in ALONE.values():
        x = expected(x)
    torch.testing.assert_close(y, x, rtol=0, atol=1e-12)


def response(taps: np.ndarray, w: float) -> float:
    """Of a filter that is symmetric about its middle tap."""
    half = len(taps) // 2
    return float(taps @ np.cos(w * np.arange(-half, half + 1)))


def filter_draw(z: list[float]) -> Draw:
    """Hits for the four bands and the uniform numbers of ``z`` (Box and Muller pair 0 with 2, 1 with 3)."""
    r = [math.hypot(z[i], z[i + 2]) for i in range(2)]
    angle = [math.atan2(z[i + 2], z[i]) % (2 * math.pi) / (2 * math.pi) for i in range(2)]
    numbers = [0.0] * 4 + [-math.expm1(-x * x / 2) for x in r] + angle
    return lambda purpose, k: torch.tensor([numbers], dtype=torch.float64)


@pytest.mark.parametrize("z", [(0, 0, 0, 1), (2, 0, 0, 0), (0, -1, 0, 0), (1, 0.5, -0.5, 1)])
@pytest.mark.parametrize(("kx", "ky"), [(0, 0), (1, 2), (5, 3), (14, 9)])
def test_filters_scale_cosines_by_their_gain(z: tuple[float, ...], kx: int, ky: int) -> None:
    """A cosine that is its own mirror picture keeps its shape; a band alone at 2^z keeps the expected power:
    (2^z for itself, 1 for the rest) / sqrt(sum of power * gain^2), the product over the bands."""
    h, w = 11, 17
    power = np.array([10, 1, 1, 1]) / 13
    gains = np.ones(4)
    for i in range(4):
        alone = np.where(np.arange(4) == i, 2.0 ** z[i], 1.0)
        gains *= alone / np.sqrt(power @ alone**2)
    wx, wy = math.pi * kx / (w - 1), math.pi * ky / (h - 1)
    gain = [
        sum(g * response(taps, f) for g, taps in zip(gains, wavelets.band_filters(), strict=True))
        for f in (wx, wy)
    ]
    x = torch.from_numpy(np.outer(np.cos(wy * np.arange(h)), np.cos(wx * np.arange(w))))[None, None]
    y = replace(NOTHING, image_filter=1.0)(x, 1.0, filter_draw(list(z)))
    torch.testing.assert_close(y, x * gain[0] * gain[1], rtol=0, atol=1e-5)


def test_noise_has_its_standard_deviation() -> None:
    """|z| * 0.1 with z = 1.5; 3 x 96 x 80 numbers, whose deviation is known to 0.47 %."""
    rng = np.random.default_rng(0)

    def draw(purpose: str, k: int) -> Tensor:
        return torch.tensor([[0.0, *normal(-1.5)]]) if k == 3 else torch.from_numpy(rng.random((1, k)))

    x = torch.full((1, 3, 96, 80), 0.25)
    added = replace(NOTHING, noise=0.1)(x, 1.0, draw) - x
    assert abs(added.std().item() / 0.15 - 1) < 0.02
    assert abs(added.mean().item()) < 0.004
    flat = added.flatten()
    for step in (1, 80, flat.numel() // 2):  # neighbours, rows, and the two halves of the pairs
        assert abs(torch.corrcoef(torch.stack([flat[:-step], flat[step:]]))[0, 1]) < 0.04


@pytest.mark.parametrize(("h", "w"), [(16, 16), (12, 20), (7, 9)])
@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.1, 0.8), (0.0, 0.999)])
def test_cutout_covers_its_rectangle(h: int, w: int, centre: tuple[float, float]) -> None:
    x = pictures().mean() + torch.ones(1, 3, h, w)
    y = replace(NOTHING, cutout=0.5)(x, 1.0, given(cutout=list(centre)))
    for i in range(h):
        for j in range(w):
            inside = abs((j + 0.5) / w - centre[0]) < 0.25 and abs((i + 0.5) / h - centre[1]) < 0.25
            assert torch.equal(y[..., i, j], torch.zeros(1, 3) if inside else x[..., i, j])
    if centre == (0.5, 0.5) and h % 4 == w % 4 == 0:
        assert (y == 0).float().mean() == 0.25
