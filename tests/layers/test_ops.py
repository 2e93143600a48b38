"""Resampling, equalised layers and modulated convolution against naive loops and closed forms."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from facegan import distributed
from facegan.layers.ops import (
    ACTIVATIONS,
    EqualizedConv2d,
    EqualizedLinear,
    demodulation,
    downsample2d,
    modulated_conv2d,
    resampling_conv2d,
    setup_filter,
    upfirdn2d,
    upsample2d,
)

FILTERS = [(1,), (1, 1), (1, 2, 5), (1, 3, 3, 1), (1, -2, 3, 4, 0, 6)]
PADDINGS = [0, 2, (2, 1, 2, 1), (3, 0, 0, 4), (-1, 2, 3, -1), (7, 7, 7, 7)]
SMOOTH = setup_filter()


def randn(*shape):
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


# --- filters -------------------------------------------------------------------------------------


def by_loops(x, f, up, down, padding, gain):
    """The definition: enlarge by zeros, pad, true convolution at each place, keep each down-th."""
    left, right, top, bottom = [padding] * 4 if isinstance(padding, int) else padding
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h * up + top + bottom, w * up + left + right))
    for i in range(h):
        for j in range(w):
            row, column = i * up + top, j * up + left
            if 0 <= row < padded.shape[2] and 0 <= column < padded.shape[3]:
                padded[:, :, row, column] = x[:, :, i, j]
    k = len(f)
    kernel = np.outer(f, f)[::-1, ::-1] * gain
    rows, columns = ((size - k) // down + 1 for size in padded.shape[2:])
    out = np.empty((n, c, rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, :, i * down : i * down + k, j * down : j * down + k]
            out[:, :, i, j] = (window * kernel).sum((2, 3))
    return out


@pytest.mark.parametrize("padding", PADDINGS, ids=str)
@pytest.mark.parametrize("taps", FILTERS, ids=str)
def test_upfirdn_by_a_double_loop(taps, padding):
    """Odd sizes, all factors up and down from 1 to 3, with and without a graph."""
    f = setup_filter(taps)
    x = randn(2, 2, 7, 9)
    for up in (1, 2, 3):
        for down in (1, 2, 3):
            expected = by_loops(x.numpy(), f, up, down, padding, 2.5)
            plain = upfirdn2d(x, f, up, down=down, padding=padding, gain=2.5)
            recorded = upfirdn2d(
                x.clone().requires_grad_(), f, up, down=down, padding=padding, gain=2.5
            ).detach()
            for found in (plain, recorded):
                assert found.shape == expected.shape
                np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


GRADIENTS = [
    (1, 1, 2),
    (1, 2, 1),
    (2, 1, (2, 1, 2, 1)),
    (1, 2, (-1, 2, 3, 0)),
    (2, 1, (-1, 2, 3, 0)),
    (2, 3, (4, 2, 4, 2)),
    (3, 2, (4, 7, 1, 2)),
    (1, 3, (1, 2, 3, 4)),
]


@pytest.mark.parametrize("up, down, padding", GRADIENTS, ids=str)
@pytest.mark.parametrize("taps", [(1, 2, 5), (1, 3, 3, 1), (1, -2, 3, 4, 0, 6)], ids=str)
def test_gradients_of_upfirdn(taps, up, down, padding):
    """First by finite differences; to the third order through a power."""
    f = setup_filter(taps)
    x = randn(1, 2, 6, 7).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: upfirdn2d(x, f, up, down=down, padding=padding, gain=2.0), x, fast_mode=True
    )
    cubed = lambda x: upfirdn2d(x, f, up, down=down, padding=padding, gain=2.0) ** 3  # noqa: E731
    assert torch.autograd.gradgradcheck(cubed, x, fast_mode=True)
    (first,) = torch.autograd.grad(cubed(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    assert third.isfinite().all() and third.abs().sum() > 0


def test_taps_sum_to_one():
    assert setup_filter((1, 3, 3, 1)) == (0.125, 0.375, 0.375, 0.125) and setup_filter((7,)) == (1.0,)


@pytest.mark.parametrize("taps", [(1, 1), (1, 3, 3, 1), (1, 5, 10, 10, 5, 1)], ids=str)
def test_resampling_keeps_a_slope_in_its_place(taps):
    """Where the picture is x = 0, 1, 2, ..., pixel j of twice the size lies at (j - 1/2) / 2, and pixel i of
    half the size at 2 i + 1/2. (Two taps repeat pixels: a slope in steps.)"""
    f = setup_filter(taps)
    slope = torch.arange(16.0).expand(1, 1, 16, 16)
    inside = slice(5, -5)
    small, large = downsample2d(slope, f), upsample2d(slope, f)
    assert small.shape[2:] == (8, 8) and large.shape[2:] == (32, 32)
    torch.testing.assert_close(small[0, 0, 4, 2:-2], (2 * torch.arange(8.0) + 0.5)[2:-2])
    place = (torch.arange(32.0) - 0.5) / 2 if len(taps) > 2 else torch.arange(32) // 2 * 1.0
    torch.testing.assert_close(large[0, 0, 16, inside], place[inside])


def test_two_taps_are_pairs_of_pixels():
    x, f = torch.randn(2, 3, 6, 8), setup_filter((1, 1))
    torch.testing.assert_close(downsample2d(x, f), F.avg_pool2d(x, 2))
    torch.testing.assert_close(upsample2d(x, f), F.interpolate(x, scale_factor=2, mode="nearest"))


def test_layout_and_precision_stay():
    x = torch.randn(2, 8, 8, 8).to(memory_format=torch.channels_last)
    for y in (upsample2d(x, SMOOTH), downsample2d(x, SMOOTH)):
        assert y.is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert upsample2d(x, SMOOTH).dtype == torch.float32
        torch.testing.assert_close(upsample2d(x, SMOOTH), upsample2d(x.double(), SMOOTH).float())
    assert upsample2d(x.bfloat16(), SMOOTH).dtype == torch.bfloat16


def test_after_inference_mode_gradients_still_flow():
    """Kernels are kept, and autograd must not save one that was made within inference mode."""
    f = setup_filter((3, 1, 4, 1))
    with torch.inference_mode():
        upfirdn2d(torch.zeros(1, 1, 4, 4), f)
    x = torch.randn(1, 1, 4, 4, requires_grad=True)
    upfirdn2d(x, f).square().sum().backward()
    assert x.grad.abs().sum() > 0


# --- convolution beside resampling ---------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("taps", [(1, 1), (1, 2, 1), (1, 3, 3, 1)], ids=str)
def test_resampling_convolution_is_both_in_turn(taps, k):
    """On pictures that are 0 all around, convolution at the higher resolution and the filter, one by one."""
    f = setup_filter(taps)
    x, weight, bias, wide = randn(2, 3, 8, 6), randn(4, 3, k, k), randn(4), 20
    turned = weight.flip((2, 3))  # upwards the kernel is mirrored
    large = upfirdn2d(x, f, up=2, padding=wide, gain=4)
    at = wide - (len(f) + 1) // 2
    expected = F.conv2d(large, turned, bias, padding=k // 2)[:, :, at : at + 16, at : at + 12]
    torch.testing.assert_close(resampling_conv2d(x, weight, bias, up=2, f=f), expected)
    smooth = upfirdn2d(x, f, padding=wide)
    at = wide - (len(f) - 1) // 2
    expected = F.conv2d(smooth, weight, bias, padding=k // 2)[:, :, at : at + 8 : 2, at : at + 6 : 2]
    torch.testing.assert_close(resampling_conv2d(x, weight, bias, down=2, f=f), expected)


@pytest.mark.parametrize("k", [1, 3])
def test_resampling_without_a_filter(k):
    x, weight = randn(2, 3, 6, 4), randn(5, 3, k, k)
    down = resampling_conv2d(x, weight, down=2)
    torch.testing.assert_close(down, F.conv2d(x, weight, padding=k // 2)[:, :, ::2, ::2])
    spread = torch.zeros(2, 3, 12, 8, dtype=torch.float64)
    spread[:, :, ::2, ::2] = x
    expected = F.conv2d(spread, weight.flip((2, 3)), padding=k // 2)
    torch.testing.assert_close(resampling_conv2d(x, weight, up=2), expected)


# --- equalised layers ------------------------------------------------------------------------------

# E[f(sqrt(2) n)^2] for n ~ N(0, 1): half of 2 for relu, and 0.2^2 of the other half for leaky relu.
POWER = {"linear": 1.0, "relu": 1.0, "lrelu": 1.04}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_unit_variance_at_initialisation(activation):
    x = torch.randn(64, 32, 12, 12)
    with torch.no_grad():
        for kernel, changes in ((1, {}), (3, {}), (3, {"down": 2}), (3, {"gain": 0.5})):
            y = EqualizedConv2d(32, 256, kernel, activation=activation, **changes)(x)
            edge = slice(1, -1)  # around the picture are zeros
            gain = (changes.get("gain", ACTIVATIONS[activation][1]) / ACTIVATIONS[activation][1]) ** 2
            power = y[:, :, edge, edge].square().mean().item()
            assert power == pytest.approx(POWER[activation] * gain, rel=0.06)
        y = EqualizedLinear(512, 512, lr_multiplier=0.01, activation=activation)(torch.randn(512, 512))
        assert y.square().mean().item() == pytest.approx(POWER[activation], rel=0.03)


def test_modulated_convolution_has_unit_variance_for_any_style():
    x, weight = torch.randn(8, 32, 16, 16), torch.randn(256, 32, 3, 3)
    styles = 10 ** torch.linspace(-2, 2, 8)[:, None] * torch.rand(8, 32)
    y = modulated_conv2d(x, weight, styles)[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(y.square().mean((1, 2, 3)), torch.ones(8), rtol=0.1, atol=0)


def test_equalised_layers_by_hand():
    linear = EqualizedLinear(4, 2, bias_init=3.0, lr_multiplier=0.01, activation="lrelu")
    with torch.no_grad():
        linear.weight.fill_(100.0)  # 1 once it is multiplied; He's constant is 1 / 2
    assert linear(torch.zeros(1, 4)).tolist() == [pytest.approx([3 * math.sqrt(2)] * 2)]
    assert linear(torch.full((1, 4), -3.0)).tolist() == [pytest.approx([0.2 * math.sqrt(2) * -3] * 2)]
    conv = EqualizedConv2d(4, 1, 3, activation="linear", gain=6.0)
    with torch.no_grad():
        conv.weight.fill_(1.0)
        conv.bias.fill_(-1.0)
        found = conv(torch.ones(1, 4, 3, 3))[0, 0]
    # 6 (4 n / sqrt(36) - 1) where n of 9 taps lie inside: 4 in a corner, 6 at an edge.
    torch.testing.assert_close(found, torch.tensor([[10.0, 18, 10], [18, 30, 18], [10, 18, 10]]))


# --- modulation ------------------------------------------------------------------------------------


def modulated_by_loops(x, weight, styles, demodulate, up):
    """Equations 1 and 3 of Karras et al. 2020: a kernel of its own for each image."""
    images = []
    for image, style in zip(x, styles, strict=True):
        kernel = torch.empty_like(weight)
        for o in range(weight.shape[0]):
            for i in range(weight.shape[1]):
                kernel[o, i] = style[i] * weight[o, i]
            if demodulate:
                kernel[o] /= math.sqrt(float((kernel[o] ** 2).sum()) + 1e-8)
        images.append(resampling_conv2d(image[None], kernel, up=up, f=SMOOTH if up > 1 else None))
    return torch.cat(images)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_image_by_image(demodulate, up, k):
    x, weight, styles = randn(3, 4, 5, 6), randn(2, 4, k, k), randn(3, 4)
    f = SMOOTH if up > 1 else None
    found = modulated_conv2d(x, weight, styles, demodulate=demodulate, up=up, f=f)
    torch.testing.assert_close(found, modulated_by_loops(x, weight, styles, demodulate, up))
    offset = randn(3, 1, 5 * up, 6 * up)
    more = modulated_conv2d(x, weight, styles, demodulate=demodulate, up=up, f=f, gain=3.0, offset=offset)
    torch.testing.assert_close(more, 3 * found + offset)


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("demodulate", [True, False])
def test_gradients_of_modulated_convolution(demodulate, up):
    def both(x, weight, styles):
        return modulated_conv2d(x, weight, styles, demodulate=demodulate, up=up, f=SMOOTH if up > 1 else None)

    inputs = [t.requires_grad_() for t in (randn(2, 3, 4, 5), randn(2, 3, 3, 3), randn(2, 3))]
    assert torch.autograd.gradcheck(both, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(both, inputs, fast_mode=True)


@pytest.mark.parametrize("changes", [{}, {"up": 2}, {"down": 2}], ids=str)
def test_gradients_of_an_equalised_convolution(changes):
    conv = EqualizedConv2d(2, 3, 3, f=SMOOTH, activation="lrelu", **changes).double()
    x = randn(2, 2, 6, 4).requires_grad_()

    def of(x, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, x).square()

    inputs = (x, conv.weight.detach().requires_grad_(), randn(3).requires_grad_())
    assert torch.autograd.gradgradcheck(of, inputs, fast_mode=True)


def test_modulation_under_autocast():
    """bfloat16 has 8 bits: the result is near, and the norms are those of full precision."""
    x, weight, styles = torch.randn(2, 64, 8, 8), torch.randn(16, 64, 3, 3), torch.randn(2, 64)
    with torch.autocast("cpu", torch.bfloat16):
        found = modulated_conv2d(x, weight, styles, up=2, f=SMOOTH)
        assert torch.equal(demodulation(weight, styles), demodulation(weight, styles).float())
    exact = modulated_conv2d(x, weight, styles, up=2, f=SMOOTH)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, atol=0.05, rtol=0.02)
    torch.testing.assert_close(
        demodulation(weight, styles), demodulation(weight.double(), styles.double()).float()
    )


# --- several processes -----------------------------------------------------------------------------


def test_processes_share_the_noise_of_one(monkeypatch):
    whole = distributed.shared_randn((6, 1, 2, 3), torch.device("cpu"), torch.float32)
    shares = []
    for rank in range(2):
        monkeypatch.setattr(distributed, "world", lambda: 2)
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        torch.manual_seed(0)
        shares.append(distributed.shared_randn((3, 1, 2, 3), torch.device("cpu"), torch.float32))
    assert torch.equal(torch.cat(shares), whole)
