"""DiffAugment against naive loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegan.augment.diffaugment import cut_out, diffaugment, recolour, translate


def picture(c: int, h: int, w: int) -> torch.Tensor:
    return torch.rand(1, c, h, w, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("u", [(0.9, 0.25, 0.0), (0.5, 0.0, 0.5), (0.1, 0.8, 1.0)])
def test_colour(u: tuple[float, float, float], channels: int) -> None:
    x = picture(channels, 4, 5)
    y = recolour(x, torch.tensor([u], dtype=torch.float64))[0].numpy()
    expected = x[0].numpy() + (u[0] - 0.5)
    grey = expected.mean(0)
    expected = grey + 2 * u[1] * (expected - grey)
    expected = expected.mean() + (u[2] + 0.5) * (expected - expected.mean())
    np.testing.assert_allclose(y, expected, atol=1e-12)


@pytest.mark.parametrize(("u", "dx", "dy"), [((0.0, 0.99), -2, 3), ((0.5, 0.5), 0, 0), ((0.7, 0.3), 1, -1)])
def test_translation_lets_0_in(u: tuple[float, float], dx: int, dy: int) -> None:
    """Of 16 columns an eighth each way is 2, of 24 rows 3: 5 and 7 steps of equal probability."""
    x = picture(3, 24, 16)
    y = translate(x, torch.tensor([u]))
    for i, j in np.ndindex(24, 16):
        inside = 0 <= i - dy < 24 and 0 <= j - dx < 16
        assert torch.equal(y[..., i, j], x[..., i - dy, j - dx] if inside else torch.zeros(1, 3).double())


@pytest.mark.parametrize(("h", "w"), [(8, 12), (9, 6)])
@pytest.mark.parametrize("u", [(0.0, 0.0), (0.5, 0.5), (0.99, 0.2)])
def test_cutout(u: tuple[float, float], h: int, w: int) -> None:
    """Half of each side (rounded), its middle pixel anywhere from 0 to the side's length."""
    x = picture(3, h, w)
    y = cut_out(x, torch.tensor([u]))
    (across, down) = (int(s * 0.5 + 0.5) for s in (w, h))
    left = int(u[0] * (w + 1 - across % 2)) - across // 2
    top = int(u[1] * (h + 1 - down % 2)) - down // 2
    for i, j in np.ndindex(h, w):
        inside = left <= j < left + across and top <= i < top + down
        assert torch.equal(y[..., i, j], torch.zeros(1, 3).double() if inside else x[..., i, j])


def test_the_three_in_order() -> None:
    x = picture(3, 16, 16)
    numbers = {"hit": [0.0], "colour": [0.9, 0.1, 0.7], "translation": [0.1, 0.9], "cutout": [0.3, 0.6]}
    u = {name: torch.tensor([v], dtype=torch.float64) for name, v in numbers.items()}
    y = diffaugment(x, 1.0, lambda purpose, k: u[purpose.split("/")[1]])
    expected = cut_out(translate(recolour(x, u["colour"]), u["translation"]), u["cutout"])
    assert torch.equal(y, expected) and not torch.equal(y, x)
