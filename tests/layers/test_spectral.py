"""Spectral norm: the largest singular value against a double loop and LAPACK; what moves it, and folding."""

import math

import pytest
import torch

from facegan.layers.spectral import (
    SpectralConv2d,
    SpectralLinear,
    fold,
    iterate,
    largest_singular_value,
)


def by_loops(rows: list[list[float]], count: int) -> float:
    """The largest singular value by the power method on W^T W, number by number."""
    v = [1.0 + 0.1 * j for j in range(len(rows[0]))]
    length = 0.0
    for _ in range(count):
        u = [sum(w * x for w, x in zip(row, v, strict=True)) for row in rows]
        v = [sum(rows[i][j] * u[i] for i in range(len(rows))) for j in range(len(rows[0]))]
        length = math.sqrt(sum(x * x for x in v))
        v = [x / length for x in v]
    return math.sqrt(length)


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3, 3), (6, 2, 1, 1)])
def test_the_largest_singular_value(shape):
    torch.manual_seed(0)
    weight = torch.randn(shape, dtype=torch.float64)
    u = torch.randn(shape[0], dtype=torch.float64)
    matrix = weight.flatten(1)
    for _ in range(300):
        u = matrix @ (matrix.T @ u)
        u /= u.norm()
    expected = float(torch.linalg.svdvals(matrix)[0])
    assert float(largest_singular_value(weight, u)) == pytest.approx(expected, rel=1e-10)
    assert by_loops(matrix.tolist(), 300) == pytest.approx(expected, rel=1e-10)
    # From any vector it is a lower bound.
    assert float(largest_singular_value(weight, torch.ones_like(u))) <= expected * (1 + 1e-12)


def test_its_derivative_is_the_product_of_the_singular_vectors():
    torch.manual_seed(1)
    weight = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    left, _, right = torch.linalg.svd(weight.detach())
    largest_singular_value(weight, left[:, 0]).backward()
    torch.testing.assert_close(weight.grad, torch.outer(left[:, 0], right[0]))


def layers():
    torch.manual_seed(2)
    made = [SpectralConv2d(3, 5, 3), SpectralLinear(6, 4), SpectralConv2d(4, 2, 1, bias=False)]
    for layer in made:
        with torch.no_grad():
            layer.weight.copy_(torch.randn(layer.weight.shape))
    return made


INPUTS = [(2, 3, 8, 8), (2, 6), (2, 4, 8, 8)]


@pytest.mark.parametrize("i", range(3))
def test_a_settled_layer_applies_a_weight_of_norm_one_and_folding_keeps_it(i):
    layer, x = layers()[i], torch.randn(INPUTS[i])
    before = layer.u.clone()
    layer(x)
    assert torch.equal(layer.u, before), "a forward pass changes nothing"
    iterate(layer)
    assert not torch.equal(layer.u, before)
    iterate(layer, 200)
    assert float(torch.linalg.svdvals(layer.effective_weight().detach().flatten(1))[0]) == pytest.approx(
        1, abs=1e-5
    )
    expected = layer(x)
    fold(layer)
    torch.testing.assert_close(layer(x), expected)
    assert "u" not in layer.state_dict()
    iterate(layer)  # nothing is left to move
    torch.testing.assert_close(layer(x), expected)


def test_without_normalisation_a_layer_is_a_plain_one():
    layer, x = SpectralConv2d(3, 5, 3, normalised=False), torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(layer(x), torch.nn.functional.conv2d(x, layer.weight, padding=1))
    assert set(layer.state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize("i", range(3))
def test_first_weights_are_orthogonal(i):
    layer = [SpectralConv2d(3, 5, 3), SpectralLinear(6, 4), SpectralLinear(4, 6)][i]
    singular = torch.linalg.svdvals(layer.weight.detach().flatten(1))
    torch.testing.assert_close(singular, torch.ones_like(singular))
    assert not layer.bias.any()
