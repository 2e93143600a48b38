"""Fourier pictures, colours, and the two optimisers: what can be derived by hand."""

from __future__ import annotations

import math

import pytest
import torch
from small import picture

from facegan.pixels import colours
from facegan.pixels.dreams import visualise as noise
from facegan.pixels.optimizers import LBFGS, Adam


def test_a_constant_coefficient_is_a_constant_picture() -> None:
    """Frequency 0 of n x n at "ortho" is the mean times n; its scale is that of 1/n, n / 4: n^2 c / (4 n)."""
    n, c = 8, 0.05
    spectrum = torch.zeros(1, 3, n, n // 2 + 1, 2)
    spectrum[0, 1, 0, 0, 0] = c
    expected = torch.sigmoid(noise.COLOUR[:, 1] * (n / 4 * c) / n)
    got = noise.to_pixels(spectrum, n)
    assert torch.allclose(got, expected.view(1, 3, 1, 1).expand_as(got), atol=1e-6)
    assert float((got - 0.5).abs().max()) > 1e-4


def test_doubling_the_frequency_halves_the_scale() -> None:
    table = noise.scale(32)
    assert table[0, 4] / table[0, 8] == pytest.approx(2) and table[0, 0] == table[0, 1] == pytest.approx(8)


def test_luma_transfer_keeps_luma_and_colour() -> None:
    grey, colour = picture(8, 8, 1).clamp(0.3, 0.7), 0.5 + 0.1 * (picture(8, 8, 2) - 0.5)
    made = colours.transfer_luma(grey, colour)
    assert torch.allclose(colours.luma(made), colours.luma(grey), atol=1e-12)
    assert torch.allclose(made - colours.luma(made), colour - colours.luma(colour), atol=1e-12)


def test_luma_transfer_pales_rather_than_clips() -> None:
    white = torch.full((1, 3, 2, 2), 0.95, dtype=torch.float64)
    made = colours.transfer_luma(white, picture(2, 2))
    assert float(made.max()) <= 1 + 1e-12 and torch.allclose(
        colours.luma(made), colours.luma(white), atol=1e-12
    )


def test_match_luma_has_the_contents_mean_and_spread() -> None:
    content = 0.4 + 0.1 * picture(16, 16, 1)
    matched = colours.luma(colours.match_luma(picture(20, 9, 2), content))
    assert float(matched.mean()) == pytest.approx(float(colours.luma(content).mean()), abs=1e-6)
    assert float(matched.std()) == pytest.approx(float(colours.luma(content).std()), rel=1e-6)


def test_total_variation_by_hand() -> None:
    x = torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])  # down: 0, 2; across: 1, 3
    assert float(colours.total_variation(x)) == pytest.approx((0 + 4) / 2 + (1 + 9) / 2)
    assert float(colours.total_variation(torch.ones(1, 3, 1, 1))) == 0


@pytest.mark.parametrize("sigma", [0.7, 2.8, 6.0])
def test_blurs_keep_constants_and_spread_as_they_say(sigma: float) -> None:
    flat = torch.full((1, 3, 33, 47), 0.3)
    assert torch.allclose(colours.blur(flat, sigma), flat, atol=1e-5)
    dot = torch.zeros(1, 1, 65, 65)
    dot[..., 32, 32] = 1
    made = colours.blur(dot, sigma)[0, 0]
    at = torch.arange(65.0) - 32
    assert float(made.sum()) == pytest.approx(1, abs=1e-3)
    spread = math.sqrt(float((made.sum(0) * at**2).sum()))
    assert spread == pytest.approx(sigma, rel=0.12)


def test_levels_and_colour_of_gradients() -> None:
    g = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(colours.equalise(g, ()), g) and torch.equal(colours.desaturate(g, 1), g)
    assert torch.allclose(colours.desaturate(g, 0), colours.luma(g).expand_as(g))
    assert float(colours.normalise(g).abs().mean()) == pytest.approx(1)
    fine, level = (g[..., 1:] - g[..., :-1]).std() / g.std(), colours.equalise(g, (0.7, 2.8))
    assert (level[..., 1:] - level[..., :-1]).std() / level.std() < 0.6 * fine


def bowl(x: torch.Tensor) -> tuple[float, torch.Tensor]:
    """A badly scaled quadratic with its minimum at 0.3, 0.6, and outside, where the bound is."""
    k, at = torch.tensor([1.0, 100.0, 4.0]), torch.tensor([0.3, 0.6, 1.5])
    d = x.flatten() - at
    return float((k * d * d).sum() / 2), (k * d).view_as(x)


def test_lbfgs_finds_the_bounded_minimum() -> None:
    x, optimizer, evaluations = torch.full((1, 3, 1, 1), 0.5), LBFGS(), 0

    def counted(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        nonlocal evaluations
        evaluations += 1
        return bowl(x)

    losses = []
    for _ in range(25):
        x, loss = optimizer.step(x, counted)
        losses.append(loss)
    assert torch.allclose(x.flatten(), torch.tensor([0.3, 0.6, 1.0]), atol=1e-3)
    assert losses == sorted(losses, reverse=True) and evaluations < 80


def test_adam_is_torchs_adam() -> None:
    x, ours = torch.full((1, 3, 1, 1), 0.5), Adam(0.01, 0.9, 0.99)
    leaf = x.clone().requires_grad_(True)
    theirs = torch.optim.Adam([leaf], 0.01, (0.9, 0.99), 1e-8)
    for _ in range(20):
        x, _ = ours.step(x, bowl)
        leaf.grad = bowl(leaf.detach())[1]
        theirs.step()
        assert torch.allclose(x, leaf.detach(), atol=1e-6)


@pytest.mark.parametrize("make", [LBFGS, Adam])
def test_an_optimizer_goes_on_from_its_state(make: type) -> None:
    x, one = torch.full((1, 3, 1, 1), 0.5), make()
    for _ in range(5):
        x, _ = one.step(x, bowl)
    two = make()
    two.load({k: v.clone() for k, v in one.state().items()})
    a, b = x, x
    for _ in range(5):
        a, b = one.step(a, bowl)[0], two.step(b, bowl)[0]
        assert torch.equal(a, b)
