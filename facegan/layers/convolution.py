"""Convolution of stride 1 whose derivatives, of any order, are plain convolutions.

PyTorch's own second derivative walks through the groups one by one, which makes R1 and R2 slow where
there are many. Here it does not: <g, x * w> is linear in the picture x, the weight w and the gradient g,
so that the derivative in each is an operator of the other two, and three functions that call each other
are closed under differentiation.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

Tensor = torch.Tensor


class _Output(torch.autograd.Function):
    """x * w + b, from picture and weight."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any, x: Tensor, w: Tensor, b: Tensor | None, padding: tuple[int, int], groups: int
    ) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.how = padding, groups
        return F.conv2d(x, w, b, padding=padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        gx = _Picture.apply(g, w, *ctx.how) if ctx.needs_input_grad[0] else None
        gw = _Weight.apply(g, x, w.detach(), *ctx.how) if ctx.needs_input_grad[1] else None
        gb = g.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return gx, gw, gb, None, None


class _Picture(torch.autograd.Function):
    """The derivative in the picture, from gradient and weight."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, w: Tensor, padding: tuple[int, int], groups: int) -> Tensor:  # noqa: PLR0917
        ctx.save_for_backward(g, w)
        ctx.how = padding, groups
        return F.conv_transpose2d(g, w, padding=padding, groups=groups)

    @staticmethod
    def backward(ctx: Any, gx: Tensor) -> Any:
        g, w = ctx.saved_tensors
        gg = _Output.apply(gx, w, None, *ctx.how) if ctx.needs_input_grad[0] else None
        gw = _Weight.apply(g, gx, w.detach(), *ctx.how) if ctx.needs_input_grad[1] else None
        return gg, gw, None, None


class _Weight(torch.autograd.Function):
    """The derivative in the weight, from gradient and picture; of ``like`` only shape and layout count."""

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any, g: Tensor, x: Tensor, like: Tensor, padding: tuple[int, int], groups: int
    ) -> Tensor:
        ctx.save_for_backward(g, x)
        ctx.how = padding, groups
        _, gradient, _ = torch.ops.aten.convolution_backward(
            g, x, like, None, (1, 1), padding, (1, 1), False, (0, 0), groups, (False, True, False)
        )
        return cast(Tensor, gradient)

    @staticmethod
    def backward(ctx: Any, gw: Tensor) -> Any:
        g, x = ctx.saved_tensors
        gg = _Output.apply(x, gw, None, *ctx.how) if ctx.needs_input_grad[0] else None
        gx = _Picture.apply(g, gw, *ctx.how) if ctx.needs_input_grad[1] else None
        return gg, gx, None, None, None


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
) -> Tensor:
    """Return ``F.conv2d`` of stride 1, which here is quick to differentiate twice."""
    given = [t for t in (x, weight, bias) if t is not None]
    if not (torch.is_grad_enabled() and any(t.requires_grad for t in given)):
        return F.conv2d(x, weight, bias, padding=padding, groups=groups)
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)  # one type for all, as backward runs outside autocast
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    return cast(Tensor, _Output.apply(x, weight, bias, padding, groups))


class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` of stride 1, padded with zeros, through :func:`convolve`."""

    def forward(self, x: Tensor) -> Tensor:
        padding = tuple(map(int, self.padding))
        return convolve(x, self.weight, self.bias, padding=padding, groups=self.groups)  # type: ignore[arg-type]
