"""Warping a picture by an affine map, without aliasing and differentiable to any order in the picture."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from facegan.nets.ops import setup_filter, upfirdn2d

# Low-pass filter of the least asymmetric Daubechies wavelet with 12 taps (sym6; Daubechies 1992, table 6.3).
# It is orthogonal to its shifts by two, so that enlarging with it and reducing again changes nothing.
SYM6 = (
    0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633,
    0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148,
)  # fmt: skip
_TAPS = setup_filter(SYM6)
_HALF = len(SYM6) // 2
# Its centre of mass is not its middle: the enlarged picture lies so many pixels (of the small one) beside.
_LAG = (len(SYM6) - 1) / 4 - sum(k * tap for k, tap in enumerate(SYM6)) / math.sqrt(2) / 2
_BORDER = 4  # pixels around the picture in which nothing is folded


class _Sample(torch.autograd.Function):
    """Bilinear sampling. It is linear in the picture, so that its gradient is its adjoint, and so on."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = x.shape
        return _sample(x, grid)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Adjoint.apply(g, grid, ctx.shape), None


class _Adjoint(torch.autograd.Function):
    """Spreads each value over the pixels that it was sampled from."""

    @staticmethod
    def forward(ctx: Any, g: torch.Tensor, grid: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        ctx.save_for_backward(grid)
        with torch.enable_grad():
            x = torch.zeros(shape, dtype=g.dtype, device=g.device, requires_grad=True)
            (spread,) = torch.autograd.grad(_sample(x, grid), x, g)
        return spread

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(g, grid), None, None


def _sample(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    return F.grid_sample(x, grid, "bilinear", "border", align_corners=False)


def mirrored(x: torch.Tensor, pixels: int) -> torch.Tensor:
    """``x`` with a border of ``pixels``, mirrored at its edges."""
    x = torch.cat([x[..., :pixels].flip(-1), x, x[..., -pixels:].flip(-1)], -1)
    return torch.cat([x[..., :pixels, :].flip(-2), x, x[..., -pixels:, :].flip(-2)], -2)


def _repeated(x: torch.Tensor, border: int) -> torch.Tensor:
    """Of pictures that are too small to be mirrored so far."""
    return F.pad(x, [border + _HALF // 2] * 4, "replicate")


def warp(x: torch.Tensor, inverse: torch.Tensor) -> torch.Tensor:
    """Pictures ``N,C,H,W`` under affine maps; what lies outside is mirrored in.

    ``inverse`` ``N,2,3`` takes (x, y) of the result, in pixels from the picture's centre, to where it comes
    from. The work is done at twice the resolution between orthogonal low-pass filters (Karras et al.
    2020b, appendix B.1), so that the identity gives the picture back.
    """
    _, _, h, w = x.shape
    dtype, x = x.dtype, x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    border = min(_BORDER, h, w)
    x = upfirdn2d(
        mirrored(x, border + _HALF // 2) if border + _HALF // 2 <= min(h, w) else _repeated(x, border),
        _TAPS, up=2, padding=(0, -1, 0, -1), gain=4.0,
    )  # fmt: skip
    # Pixels -5 .. 2H + 4 of the enlarged result are what the reduction's filter reaches.
    ys, xs = (
        (torch.arange(1 - _HALF, 2 * size + _HALF - 1, device=x.device, dtype=x.dtype) + 0.5) / 2
        - size / 2
        + _LAG
        for size in (h, w)
    )
    m = inverse.to(x.dtype)
    places = []
    for row, size in ((0, w), (1, h)):
        place = (
            xs.view(1, 1, -1) * m[:, row, 0].view(-1, 1, 1)
            + ys.view(1, -1, 1) * m[:, row, 1].view(-1, 1, 1)
            + m[:, row, 2].view(-1, 1, 1)
        )
        # Beyond the border, which the filter has seen, the picture is mirrored at its edges.
        folded = (place + size / 2) % (2 * size)
        folded = torch.minimum(folded, 2 * size - folded) - size / 2
        place = torch.where(place.abs() > size / 2 + border, folded, place)
        places.append((place - _LAG) / (size / 2 + border))
    x = _Sample.apply(x, torch.stack(places, -1))
    return upfirdn2d(x, _TAPS[::-1], down=2).to(dtype)


def rotation(angle: torch.Tensor) -> torch.Tensor:
    """``N,3,3`` by ``angle`` ``N`` in radians."""
    c, s, o, i = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return _matrix((c, -s, o), (s, c, o), (o, o, i))


def scaling(sx: torch.Tensor, sy: torch.Tensor) -> torch.Tensor:
    o, i = torch.zeros_like(sx), torch.ones_like(sx)
    return _matrix((sx, o, o), (o, sy, o), (o, o, i))


def translation(tx: torch.Tensor, ty: torch.Tensor) -> torch.Tensor:
    o, i = torch.zeros_like(tx), torch.ones_like(tx)
    return _matrix((i, o, tx), (o, i, ty), (o, o, i))


def _matrix(*rows: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def normal(u: torch.Tensor) -> torch.Tensor:
    """Uniform numbers in [0, 1) as normal ones, by the inverse of the distribution function."""
    return math.sqrt(2) * torch.erfinv((2 * u.double() - 1).clamp(-1 + 1e-15, 1 - 1e-15)).to(u.dtype)
