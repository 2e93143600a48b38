"""Layers from the notation against independent arithmetic."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facegan.errors import ConfigError
from facegan.layers.feedforward import (
    Builder,
    FeedForwardGenerator,
    MinibatchStd,
    SameConv,
    SameConvTranspose,
    same_padding,
)
from facegan.layers.notation import parse


@pytest.mark.parametrize(
    "size, kernel, stride, expected",
    [(80, 5, 2, (1, 2)), (80, 4, 2, (1, 1)), (80, 4, 1, (1, 2)), (25, 5, 2, (2, 2)), (7, 5, 1, (2, 2))],
)
def test_same_padding_is_keras(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize("size, kernel, stride", [(8, 5, 2), (8, 4, 1), (9, 5, 2), (8, 3, 1)])
def test_same_convolution_by_a_double_loop(size, kernel, stride):
    torch.manual_seed(0)
    conv = SameConv(1, 1, kernel, stride=stride, padding="same", size=(size, size)).double()
    x = torch.randn(1, 1, size, size, dtype=torch.float64)
    before, after = same_padding(size, kernel, stride)
    padded = np.pad(x[0, 0].numpy(), (before, after))
    weight, bias = conv.weight[0, 0].detach().numpy(), float(conv.bias)
    n = -(-size // stride)
    expected = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            window = padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel]
            expected[i, j] = (window * weight).sum() + bias
    np.testing.assert_allclose(conv(x)[0, 0].detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("kernel, stride", [(4, 2), (5, 2), (4, 1), (3, 1)])
def test_transposed_convolution_is_the_adjoint_of_same_convolution(kernel, stride):
    """<conv(x), y> = <x, convT(y)> with the same weights: how Keras defines it."""
    torch.manual_seed(0)
    n = 6
    conv = SameConv(2, 3, kernel, stride=stride, padding="same", size=(n * stride, n * stride)).double()
    transposed = SameConvTranspose(3, 2, kernel, stride=stride).double()
    with torch.no_grad():
        transposed.weight.copy_(conv.weight)
        conv.bias.zero_()
        transposed.bias.zero_()
    x = torch.randn(1, 2, n * stride, n * stride, dtype=torch.float64)
    y = torch.randn(1, 3, n, n, dtype=torch.float64)
    assert float((conv(x) * y).sum()) == pytest.approx(float((x * transposed(y)).sum()), abs=1e-10)


def test_minibatch_std_of_equal_and_of_opposite_images():
    layer = MinibatchStd()
    same = torch.randn(1, 3, 4, 4).expand(4, 3, 4, 4)
    assert float(layer(same)[:, 3].abs().max()) == pytest.approx(1e-4, abs=1e-6)  # sqrt(1e-8)
    ones = torch.ones(2, 3, 4, 4)
    opposite = torch.cat([ones, -ones])
    torch.testing.assert_close(layer(opposite)[:, 3], torch.ones(4, 4, 4))


def test_batch_norm_of_a_dense_layer_is_flat():
    builder = Builder((1, 8, 8))
    modules, shape = builder.build(parse("dense 4x4x6 bn relu; up; conv image 3"), (10,))
    assert shape == (1, 8, 8)
    assert [type(m).__name__ for m in modules][:4] == ["Linear", "BatchNorm1d", "ReLU", "Reshape"]
    assert modules[1].num_features == 96


def test_residual_block_halves_and_doubles():
    builder = Builder((3, 16, 16))
    down, shape = builder.build(parse("res 8 down lrelu; res 8 up lrelu; res 5"), (3, 16, 16))
    assert shape == (5, 16, 16)
    assert down(torch.randn(2, 3, 16, 16)).shape == (2, 5, 16, 16)


def test_generator_of_the_wrong_size_says_so():
    with pytest.raises(ConfigError, match=r"end in shape \(3, 8, 8\), but the pictures are \(3, 16, 16\)"):
        FeedForwardGenerator(
            parse("dense 8x8x4; conv image 3"), 10, Builder((3, 16, 16)), unit_range=False, init="he"
        )


def test_unit_range_is_mapped():
    """A network that gives 0.25 everywhere in [0, 1] shows -0.5 in [-1, 1]."""
    net = FeedForwardGenerator(parse("dense image linear"), 4, Builder((1, 2, 2)), unit_range=True, init="he")
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
        net.layers[0].bias.fill_(0.25)
    torch.testing.assert_close(net(torch.randn(3, 4)), torch.full((3, 1, 2, 2), -0.5))
    assert F.mse_loss(net(torch.zeros(1, 4)), torch.full((1, 1, 2, 2), -0.5)) == 0
