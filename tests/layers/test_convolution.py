"""The convolution against PyTorch's own and against numerical derivatives."""

import pytest
import torch
import torch.nn.functional as F

from facegan.layers.convolution import Conv2d, convolve

# channels in and out, kernel, padding, groups
SHAPES = [
    (4, 6, (1, 1), (0, 0), 1),
    (4, 6, (3, 3), (1, 1), 2),
    (3, 3, (3, 3), (1, 1), 3),
    (2, 2, (4, 3), (0, 0), 2),
    (2, 4, (5, 3), (2, 1), 1),
]


def draw(shape, batch=2, height=5, width=4):
    cin, cout, kernel, _, groups = shape
    torch.manual_seed(0)
    x = torch.randn(batch, cin, height, width, dtype=torch.float64, requires_grad=True)
    w = torch.randn(cout, cin // groups, *kernel, dtype=torch.float64, requires_grad=True)
    b = torch.randn(cout, dtype=torch.float64, requires_grad=True)
    return x, w, b


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_as_torch_to_the_second_order(shape):
    given = draw(shape)
    results = []
    for function in (F.conv2d, convolve):
        y = function(*given, padding=shape[3], groups=shape[4])
        first = torch.autograd.grad((y**3).sum(), given, create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), given)
        results.append([y, *first, *second])
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_numerical_derivatives(shape):
    given = draw(shape, batch=1, height=3, width=2)

    def function(*inputs):
        return convolve(*inputs, padding=shape[3], groups=shape[4])

    assert torch.autograd.gradcheck(function, given)
    assert torch.autograd.gradgradcheck(function, given)


def test_without_gradients_and_for_one_of_them():
    x, w, b = draw(SHAPES[1])
    with torch.no_grad():
        plain = convolve(x, w, b, padding=(1, 1), groups=2)
    assert plain.grad_fn is None
    y = convolve(x.detach(), w, None, padding=(1, 1), groups=2)
    (gw,) = torch.autograd.grad(y.sum(), w)
    (expected,) = torch.autograd.grad(F.conv2d(x.detach(), w, padding=1, groups=2).sum(), w)
    torch.testing.assert_close(gw, expected)


def test_mixed_precision_goes_back_to_full_weights():
    conv = Conv2d(4, 4, 3, padding=1, groups=2)
    x = torch.randn(2, 4, 6, 6, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = conv(x)
        (g,) = torch.autograd.grad(y.float().square().sum(), x, create_graph=True)
    g.square().sum().backward()
    assert y.dtype == torch.bfloat16
    assert conv.weight.grad.dtype == torch.float32
    full = conv(x)
    (g,) = torch.autograd.grad(full.square().sum(), x, create_graph=True)
    (expected,) = torch.autograd.grad(g.square().sum(), conv.weight)
    torch.testing.assert_close(conv.weight.grad, expected, rtol=0.1, atol=0.1 * expected.abs().max().item())


def test_the_layout_in_memory_stays():
    conv = Conv2d(8, 8, 3, padding=1, groups=4).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = conv(x)
    y.square().sum().backward()
    for t in (y, x.grad, conv.weight.grad):
        assert t.is_contiguous(memory_format=torch.channels_last)
