"""Operators that GANs share: resampling with FIR filters, equalised layers, modulated convolution.

Plain PyTorch, on any device, differentiable to any order. All of it is quickest where images lie
channels-last in memory; nothing here changes the layout of what it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from facegan.devices import full_precision

Filter = tuple[float, ...]
"""Taps along one axis; both axes are filtered alike."""

# --- filters ---------------------------------------------------------------------------------------


def setup_filter(taps: Sequence[float] = (1, 3, 3, 1)) -> Filter:
    """Return taps that sum to 1: (1, 3, 3, 1) is StyleGAN2's, (1, 1) repeats pixels or averages pairs."""
    total = float(sum(taps))
    return tuple(tap / total for tap in taps)


_kernels: dict[tuple[tuple[Filter, Filter], torch.device, torch.dtype], torch.Tensor] = {}


def _kernel(taps: tuple[Filter, Filter], like: torch.Tensor) -> torch.Tensor:
    """Return ``1,1,kh,kw``, the outer product of the taps, made once for each device and precision."""
    key = (taps, like.device, like.dtype)
    # A tracer's stand-in for a tensor must not be kept.
    kept = None if torch.compiler.is_compiling() else _kernels.get(key)
    if kept is None:
        values = [[a * b for b in taps[1]] for a in taps[0]]
        kept = torch.tensor([[values]], dtype=like.dtype, device=like.device)
        if type(kept) is torch.Tensor and not torch.compiler.is_compiling():
            _kernels[key] = kept
    return kept


def upfirdn2d(
    x: torch.Tensor,
    f: Filter,
    up: int = 1,
    *,
    down: int = 1,
    padding: int | Sequence[int] = 0,
    gain: float = 1.0,
) -> torch.Tensor:
    """Put ``up`` - 1 zeros after each pixel, pad, convolve with ``f`` along both axes, keep each ``down``-th.

    ``padding`` is one number or (left, right, top, bottom) in pixels of the enlarged picture; negative
    numbers crop. ``N,C,H,W`` becomes ``N,C,h,w`` with h = (H up + top + bottom - len(f)) // down + 1.
    """
    left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else padding
    root = math.sqrt(gain)
    mirrored = tuple(tap * root for tap in reversed(f))
    if len(f) <= 4:  # one small kernel is quicker than one for each axis
        plans = [_Plan((mirrored, mirrored), (up, up), (down, down), (left, right, top, bottom))]
    else:
        plans = [
            _Plan(((1.0,), mirrored), (1, up), (1, down), (left, right, 0, 0)),
            _Plan((mirrored, (1.0,)), (up, 1), (down, 1), (0, 0, top, bottom)),
        ]
    with full_precision(x.device):  # in the precision that it is given in
        for plan in plans:
            x = _Fir.apply(x, plan) if torch.is_grad_enabled() and x.requires_grad else _fir(x, plan)
    return x


@dataclass(frozen=True)
class _Plan:
    """A filter of ``N,C,H,W``: mirrored taps and factors by (rows, columns), (left, right, top, bottom)."""

    taps: tuple[Filter, Filter]
    up: tuple[int, int]
    down: tuple[int, int]
    padding: tuple[int, int, int, int]

    def adjoint(self, given: torch.Size, made: torch.Size) -> _Plan:
        """Return the filter that carries gradients back, from images of size ``made`` to ``given``."""
        pads: list[int] = []
        for axis in (1, 0):
            before = len(self.taps[axis]) - 1 - self.padding[2 - 2 * axis]
            enlarged = (given[2 + axis] - 1) * self.up[axis] + len(self.taps[axis])
            pads += [before, enlarged - made[2 + axis] * self.down[axis] - before]
        vertical, horizontal = self.taps
        taps = (vertical[::-1], horizontal[::-1])
        return _Plan(taps, self.down, self.up, (pads[0], pads[1], pads[2], pads[3]))


class _Fir(torch.autograd.Function):
    """A filter whose gradient is a filter, too; autograd's own second derivative loops over the channels."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, plan: _Plan) -> torch.Tensor:
        y = _fir(x, plan)
        ctx.plan = plan.adjoint(x.shape, y.shape)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _Fir.apply(gradient, ctx.plan), None


def _fir(x: torch.Tensor, plan: _Plan) -> torch.Tensor:
    """Filter each channel by one convolution."""
    channels, up, down = x.shape[1], plan.up, plan.down
    kernel = _kernel(plan.taps, x)
    left, right, top, bottom = plan.padding
    if up == (1, 1):
        even = left == right >= 0 and top == bottom >= 0
        x = x if even else F.pad(x, plan.padding)
        kernel = kernel.expand(channels, -1, -1, -1)
        return F.conv2d(x, kernel, None, down, (top, left) if even else 0, groups=channels)
    # A transposed convolution spreads each pixel over the taps: the full convolution of the enlarged
    # picture without the zeros after the last pixel. ``grow`` is by how much it must be padded or cropped.
    kh, kw = kernel.shape[2:]
    grow = [left + 1 - kw, right + up[1] - kw, top + 1 - kh, bottom + up[0] - kh]
    crop = [max(0, -max(grow[2:])), max(0, -max(grow[:2]))]
    kernel = kernel.flip((2, 3)).expand(channels, -1, -1, -1)
    y = F.conv_transpose2d(x, kernel, None, up, crop, groups=channels)
    grow = [grow[0] + crop[1], grow[1] + crop[1], grow[2] + crop[0], grow[3] + crop[0]]
    y = F.pad(y, grow) if any(grow) else y
    return y if down == (1, 1) else y[:, :, :: down[0], :: down[1]]


def upsample2d(x: torch.Tensor, f: Filter, up: int = 2) -> torch.Tensor:
    """Return ``up`` times the size at the same brightness; the filter's centre stays on the pixel's."""
    before, after = (len(f) + up - 1) // 2, (len(f) - up) // 2
    return upfirdn2d(x, f, up=up, padding=(before, after, before, after), gain=up**2)


def downsample2d(x: torch.Tensor, f: Filter, down: int = 2) -> torch.Tensor:
    """Filter, then divide the size by ``down``."""
    before, after = (len(f) - down + 1) // 2, (len(f) - down) // 2
    return upfirdn2d(x, f, down=down, padding=(before, after, before, after))


def resampling_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    up: int = 1,
    down: int = 1,
    f: Filter | None = None,
) -> torch.Tensor:
    """Return a "same" convolution with ``O,I,k,k`` (k odd) beside a change of resolution by 2.

    Convolution and filter commute, so they run in the order that works on fewer pixels: transposed
    convolution, then filter; filter, then strided convolution. ``f`` None resamples without filter.
    Upwards the kernel is mirrored, which saves turning it over; learned weights do not mind.
    """
    k = weight.shape[-1]
    if up == 1 and down == 1:
        return F.conv2d(x, weight, bias, padding=k // 2)
    if down > 1:
        if f is None:
            return F.conv2d(x, weight, bias, down, k // 2)
        if k == 1:
            return F.conv2d(downsample2d(x, f, down), weight, bias)
        before, after = (len(f) - down + 1) // 2 + k // 2, (len(f) - down) // 2 + k // 2
        return F.conv2d(upfirdn2d(x, f, padding=(before, after, before, after)), weight, bias, down)
    if f is None:
        x = F.conv_transpose2d(x, weight.transpose(0, 1), None, up, k // 2, up - 1)
    elif k == 1:
        x = upsample2d(F.conv2d(x, weight), f, up)
    else:
        before = (len(f) + up - 1) // 2 - k // 2
        after = len(f) + up - 1 - k - before
        x = F.conv_transpose2d(x, weight.transpose(0, 1), None, up)
        x = upfirdn2d(x, f, padding=(before, after, before, after), gain=up**2)
    return x if bias is None else x + bias.to(x.dtype).view(1, -1, 1, 1)


# --- layers with an equalised learning rate ----------------------------------------------------------


def limited(x: torch.Tensor, clamp: float) -> torch.Tensor:
    """Return ``x`` within -clamp and clamp; 0 is no limit."""
    return x.clamp(-clamp, clamp) if clamp else x


# Activation -> (function, the gain that keeps unit variance; He et al. 2015). Each function f has
# f(a x) = a f(x) for a > 0, so that a layer can apply the gain beforehand, to its smaller weights.
ACTIVATIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float]] = {
    "linear": (lambda x: x, 1.0),
    "lrelu": (lambda x: F.leaky_relu(x, 0.2), math.sqrt(2)),
    "relu": (F.relu, math.sqrt(2)),
}


class EqualizedLinear(nn.Module):
    """Fully connected: weights of N(0, 1), times He's constant at run time (Karras et al. 2018, section 4.1).

    ``lr_multiplier`` slows learning: parameters are stored that much larger and used that much smaller.
    """

    def __init__(
        self,
        features_in: int,
        features_out: int,
        *,
        bias: bool = True,
        bias_init: float = 0.0,
        lr_multiplier: float = 1.0,
        activation: str = "linear",
    ) -> None:
        super().__init__()
        self.in_features, self.out_features, self.activation = features_in, features_out, activation
        self.act, gain = ACTIVATIONS[activation]
        self.weight = nn.Parameter(torch.randn(features_out, features_in) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((features_out,), bias_init / lr_multiplier)) if bias else None
        self.weight_gain = lr_multiplier * gain / math.sqrt(features_in)
        self.bias_gain = lr_multiplier * gain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = None if self.bias is None else self.bias * self.bias_gain
        # Scaling the input instead of the weights: a batch is smaller.
        return self.act(F.linear(x * self.weight_gain, self.weight, bias))

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, activation={self.activation}"


class EqualizedConv2d(nn.Module):
    """Convolution, padded "same", with N(0, 1) weights times He's constant (Karras et al. 2018, section 4.1).

    ``up`` or ``down`` 2 changes the resolution through ``f`` (None: plain strides). ``gain`` takes the
    place of the activation's own. ``clamp`` limits the output's magnitude, unless it is 0.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int = 3,
        *,
        up: int = 1,
        down: int = 1,
        f: Filter | None = None,
        bias: bool = True,
        activation: str = "linear",
        gain: float | None = None,
        clamp: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.kernel, self.clamp = cin, cout, kernel, clamp
        self.up, self.down, self.f, self.activation = up, down, f, activation
        self.act, own = ACTIVATIONS[activation]
        self.gain = own if gain is None else gain
        self.weight = nn.Parameter(torch.randn(cout, cin, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(cout)) if bias else None
        self.weight_gain = self.gain / math.sqrt(cin * kernel**2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = None if self.bias is None else self.bias * self.gain
        weight = self.weight * self.weight_gain
        x = self.act(resampling_conv2d(x, weight, bias, up=self.up, down=self.down, f=self.f))
        return limited(x, self.clamp)

    def extra_repr(self) -> str:
        resample = f", up={self.up}" if self.up > 1 else f", down={self.down}" if self.down > 1 else ""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel={self.kernel}{resample}, "
            f"activation={self.activation}"
        )


# --- modulation --------------------------------------------------------------------------------------


def demodulation(weight: torch.Tensor, styles: torch.Tensor, eps: float = 1e-8) -> torch.Tensor:
    """Return ``N,O``: 1 / norm of each output's weights after modulation (Karras et al. 2020, equation 3).

    Always in full precision: in bfloat16 the sum of squares would keep two digits.
    """
    with full_precision(styles.device):
        wide = torch.promote_types(styles.dtype, torch.float32)
        squares = weight.to(wide).square().sum((2, 3))
        return (styles.to(wide).square() @ squares.t() + eps).rsqrt()


def modulated_conv2d(
    x: torch.Tensor,
    weight: torch.Tensor,
    styles: torch.Tensor,
    *,
    demodulate: bool = True,
    up: int = 1,
    f: Filter | None = None,
    gain: float = 1.0,
    offset: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return a convolution whose input channels are scaled by each image's ``styles`` ``N,I``.

    Karras et al. 2020, equations 1 to 3: scaling weights is scaling the input, dividing by their norm is
    scaling the output; so one convolution with the shared ``O,I,k,k`` serves the whole batch.
    ``gain`` multiplies the result; ``offset``, ``N,1,h,w`` or so, is added to it.
    """
    x = x * styles.to(x.dtype)[:, :, None, None]
    if not demodulate:
        x = resampling_conv2d(x, weight * gain, up=up, f=f)
        return x if offset is None else x + offset.to(x.dtype)
    x = resampling_conv2d(x, weight, up=up, f=f)
    scale = (demodulation(weight, styles) * gain).to(x.dtype)[:, :, None, None]
    return x * scale if offset is None else torch.addcmul(offset.to(x.dtype), x, scale)
