"""Colours and smoothness of pictures in [0, 1], ``N,3,H,W``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in images.luma


def luma(x: Tensor) -> Tensor:
    """``N,1,H,W``: 0.299 R + 0.587 G + 0.114 B."""
    return torch.einsum("c,nchw->nhw", torch.tensor(LUMA, dtype=x.dtype, device=x.device), x)[:, None]


def transfer_luma(picture: Tensor, colours: Tensor) -> Tensor:
    """The luma of ``picture`` with the colours (differences from luma) of ``colours``, within [0, 1].

    Gatys et al. 2016, *Preserving color in neural artistic style transfer*, section 4: adding one number to
    all three channels changes Y of YIQ and neither I nor Q. Where that leaves [0, 1] the colour is paled
    towards its grey as far as needed, so that the luma is kept exactly.
    """
    grey = luma(picture).clamp(0, 1)
    chroma = colours - luma(colours)
    room = torch.where(chroma > 0, 1 - grey, grey) / chroma.abs().clamp_min(1e-6)
    return grey + chroma * room.amin(1, keepdim=True).clamp_max(1)


def match_luma(style: Tensor, content: Tensor) -> Tensor:
    """Grey ``style`` with mean and spread of the content's luma (equation 10), three channels."""
    s, c = luma(style), luma(content)
    matched = (s - s.mean()) / s.std().clamp_min(1e-6) * c.std() + c.mean()
    return matched.clamp(0, 1).expand(-1, 3, -1, -1).contiguous()


def paled(gradient: Tensor, colour: float) -> Tensor:
    """A gradient with ``colour`` times its chroma: 0 changes brightness only, 1 is the gradient itself."""
    if colour == 1:
        return gradient
    return torch.lerp(luma(gradient), gradient, colour)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """A Gaussian of ``sigma`` px, borders mirrored (where it is wider than the picture: repeated)."""
    if sigma <= 0:
        return x
    radius = max(1, round(3 * sigma))
    kernel = torch.exp(-torch.arange(-radius, radius + 1, device=x.device).float().square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 1, -1)
    mode = "reflect" if radius < min(x.shape[-2:]) else "replicate"
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), mode), kernel, groups=x.shape[1])
    return F.conv2d(F.pad(x, (0, 0, radius, radius), mode), kernel.mT, groups=x.shape[1])


def levelled(gradient: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Coarse and fine parts of a gradient with equal weight: blurs of these widths, each at spread 1, added.

    A raw gradient is mostly grain, since a convolutional network's fine positions have more paths. No
    ``sigmas``: the gradient as it is.
    """
    if not sigmas:
        return gradient
    total = torch.zeros_like(gradient)
    for sigma in sigmas:
        part = blurred(gradient, sigma)
        total += part / part.std().clamp_min(1e-12)
    return total


def normalised(gradient: Tensor, least: float = 1e-7) -> Tensor:
    """A gradient divided by its mean absolute value."""
    return gradient / gradient.abs().mean().clamp_min(least)


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbours, down plus across (0 where there are none)."""
    down, across = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
    return sum((d.square().mean() for d in (down, across) if d.numel()), x.new_zeros(()))
