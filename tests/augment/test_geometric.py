"""The smooth resampling against analytic pictures, at their borders too.

Cosines with k half-periods between the outermost pixels are their own mirror pictures: moved, they are
known everywhere, beyond the border as well. Linear interpolation at twice the rate errs by no more than
(1/2)^2 / 8 of the second derivative for each axis, and the wavelet (exact for cubics) by far less.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from given_draws import given, normal, signed

from facegan.augment import table
from facegan.augment.ada import Ada
from facegan.augment.resample import resample

NOTHING = Ada(**table.NOTHING)

Shape = Callable[[np.ndarray, np.ndarray], np.ndarray]
H, W = 40, 32
DEGREE = math.pi / 180
MIRRORED = 0.02  # beyond the border, where a slope of 0.15 a pixel lies up to a tenth of a pixel aside


def waves(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of positions seen from the middle; without any symmetry but the mirrors'."""
    u, v = np.pi * (x / (W - 1) + 0.5), np.pi * (y / (H - 1) + 0.5)
    return np.stack([0.5 * np.cos(u) + 0.3 * np.cos(2 * v), np.cos(u) * np.cos(v), 0.7 * np.cos(2 * u) - 0.2])


def blob(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """An oblong Gaussian off the middle, whose mirror pictures are left out."""
    return np.exp(-(((x - 2) / 3.5) ** 2) / 2 - (((y + 1) / 2.5) ** 2) / 2)[None]


def pixels() -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(W) - (W - 1) / 2, np.arange(H) - (H - 1) / 2)


def rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


SPIN = [signed(30 * DEGREE / math.pi)]
# transform alone -> its setting, its random numbers, the matrix and the translation that they mean
CASES = {
    "larger": ({"scale": 0.2}, {"scale": normal(1.5)}, np.eye(2) * 2**0.3, (0, 0)),
    "smaller": ({"scale": 0.2}, {"scale": normal(-2.0)}, np.eye(2) * 2**-0.4, (0, 0)),
    "stretched": ({"anisotropy": 0.2}, {"anisotropy": normal(1.0)}, np.diag([2**0.2, 2**-0.2]), (0, 0)),
    "turned": (
        {"rotation": 1.0},
        {"rotation_before": SPIN, "rotation_after": [signed(0.0)]},
        rotation(30 * DEGREE),
        (0, 0),
    ),
    "turned twice about a stretch": (
        {"rotation": 1.0, "anisotropy": 0.2},
        {"rotation_before": SPIN, "anisotropy": normal(1.0), "rotation_after": [signed(-0.2)]},
        rotation(-0.2 * math.pi) @ np.diag([2**0.2, 2**-0.2]) @ rotation(30 * DEGREE),
        (0, 0),
    ),
    "moved by parts": (
        {"frac_translation": 0.1},
        {"frac_translation": [normal(0.5)[0], 60 / 360]},
        np.eye(2),
        (0.05 * W * math.cos(60 * DEGREE), 0.05 * H * math.sin(60 * DEGREE)),
    ),
    "mirrored, moved, then turned": (
        {"x_flip": True, "int_translation": 0.125, "rotation": 1.0},
        {
            "x_flip": [0.6],
            "int_translation": [signed(0.5), signed(-0.6)],
            "rotation_before": SPIN,
            "rotation_after": [signed(0.0)],
        },
        rotation(30 * DEGREE) @ np.diag([-1, 1]),
        tuple(rotation(30 * DEGREE) @ [2, -3]),
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("f", "most", "mirrored"), [(waves, 0.008, MIRRORED), (blob, 0.02, math.inf)])
def test_moved_pictures_are_the_analytic_ones(case: str, f: Shape, most: float, mirrored: float) -> None:
    """A new pixel q shows what was at A^-1 (q - t)."""
    setting, numbers, a, t = CASES[case]
    x, y = pixels()
    image = torch.from_numpy(f(x, y))[None]
    result = replace(NOTHING, **setting)(image, 1.0, given(**numbers))[0].numpy()
    old = np.linalg.inv(a) @ (np.stack([x.ravel(), y.ravel()]) - np.array(t)[:, None])
    expected = f(*(o.reshape(H, W) for o in old))
    inside = ((np.abs(old[0]) < (W - 1) / 2 - 2) & (np.abs(old[1]) < (H - 1) / 2 - 2)).reshape(H, W)
    error = np.abs(result - expected).max(0)
    assert error[inside].max() < most
    assert error.max() < mirrored
    assert np.abs(result - image[0].numpy()).max() > 4 * most  # so that doing nothing would fail


def test_both_rotations_take_part() -> None:
    x, y = pixels()
    image = torch.from_numpy(waves(x, y))[None]
    ada = replace(NOTHING, rotation=1.0)
    first = ada(image, 1.0, given(rotation_before=SPIN, rotation_after=[0.5]))
    second = ada(image, 1.0, given(rotation_before=[0.5], rotation_after=SPIN))
    torch.testing.assert_close(first, second)


def test_stripes_that_become_too_fine_turn_grey() -> None:
    """Half as large, stripes of one pixel lie at the rate of the finer grid, where the wavelet is 0."""
    stripes = torch.tensor([-1.0, 1.0]).repeat(8).expand(1, 1, 16, 16).double()
    half = torch.diag(torch.tensor([2.0, 2.0, 1.0])).double()[None]  # the way back
    inside = resample(stripes, half)[..., 6:10, 6:10]  # no mirror, which repeats no outermost pixel
    assert inside.abs().max() < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_an_even_picture_stays_even(seed: int) -> None:
    m = torch.eye(3).double() + 0.5 * torch.randn(8, 3, 3, generator=torch.Generator().manual_seed(seed))
    image = torch.full((8, 2, 5, 16), 0.37, dtype=torch.float64)
    torch.testing.assert_close(resample(image, m), image)


def test_the_rotations_happen_together_with_p() -> None:
    """1 - (1 - s)^2 = p for the share s = 1 - sqrt(1 - p) of each (appendix B)."""
    asked = []

    def draw(purpose: str, k: int) -> torch.Tensor:
        asked.append(purpose)
        return torch.tensor([[0.134, *[0.9] * (k - 1)]])  # between s(0.25) = 0.13397 and 0.25

    image = torch.rand(1, 1, 8, 8)
    ada = replace(NOTHING, rotation=1.0)
    assert torch.equal(ada(image, 0.25, draw), image)
    assert not torch.equal(ada(image, torch.tensor(0.2502), draw), image)
    assert len(asked) == 4


def test_the_defaults_are_the_papers() -> None:
    """Appendix B: standard deviations and ranges."""
    ada = Ada()
    assert (ada.int_translation, ada.scale, ada.rotation, ada.anisotropy, ada.frac_translation) == (
        0.125,
        0.2,
        1.0,
        0.2,
        0.125,
    )
    assert (ada.brightness, ada.contrast, ada.hue, ada.saturation) == (0.2, 0.5, 1.0, 1.0)
