"""Colours and smoothness of pictures in [0, 1], ``N,3,H,W``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in images.luma


def luma(x: Tensor) -> Tensor:
    """Return 0.299 R + 0.587 G + 0.114 B, ``N,1,H,W``."""
    return torch.einsum("c,nchw->nhw", torch.tensor(LUMA, dtype=x.dtype, device=x.device), x)[:, None]


def transfer_luma(picture: Tensor, colours: Tensor) -> Tensor:
    """Return the luma of ``picture`` with the colours (differences from luma) of ``colours``, within [0, 1].

    Gatys et al. 2016, *Preserving color in neural artistic style transfer*, section 4: adding one number to
    all three channels changes Y of YIQ and neither I nor Q. Where that leaves [0, 1] the colour is paled
    towards its grey as far as needed, so that the luma is kept exactly.
    """
    grey = luma(picture).clamp(0, 1)
    chroma = colours - luma(colours)
    room = torch.where(chroma > 0, 1 - grey, grey) / chroma.abs().clamp_min(1e-6)
    return grey + chroma * room.amin(1, keepdim=True).clamp_max(1)


def match_luma(style: Tensor, content: Tensor) -> Tensor:
    """Return grey ``style`` with mean and spread of the content's luma (equation 10), three channels."""
    s, c = luma(style), luma(content)
    matched = (s - s.mean()) / s.std().clamp_min(1e-6) * c.std() + c.mean()
    return matched.clamp(0, 1).expand(-1, 3, -1, -1).contiguous()


def desaturate(gradient: Tensor, colour: float) -> Tensor:
    """Return a gradient with ``colour`` times its chroma: 0 changes brightness only, 1 leaves it."""
    return gradient if colour == 1 else torch.lerp(luma(gradient), gradient, colour)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Blur by a Gaussian of ``sigma`` px, borders mirrored (where it is wider than the picture: repeated)."""
    if sigma <= 0:
        return x
    radius = max(1, round(3 * sigma))
    weights = torch.exp(-torch.arange(-radius, radius + 1, dtype=torch.float64).square() / (2 * sigma**2))
    weights = weights / weights.sum()
    for axis, pad in ((-1, (radius, radius, 0, 0)), (-2, (0, 0, radius, radius))):
        count = x.shape[axis]
        padded = F.pad(x, pad, "reflect" if radius < count else "replicate")
        # A convolution of three channels may be computed with sixteen, which large photos have no room for.
        x = torch.zeros_like(x)
        for i, weight in enumerate(weights.tolist()):
            x.add_(padded.narrow(axis, i, count), alpha=weight)
    return x


def equalise(gradient: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Return the sum of a gradient's blurs of these widths (px), each brought to spread 1.

    Coarse and fine parts then have equal weight. A raw gradient is mostly grain, since a convolutional
    network's fine positions have more paths. Without ``sigmas`` the gradient stays as it is.
    """
    if not sigmas:
        return gradient
    total = torch.zeros_like(gradient)
    for sigma in sigmas:
        part = blur(gradient, sigma)
        total.add_(part, alpha=1 / max(float(part.std()), 1e-12))
    return total


def normalise(gradient: Tensor, least: float = 1e-7) -> Tensor:
    """Return a gradient divided by its mean absolute value."""
    return gradient / gradient.abs().mean().clamp_min(least)


def total_variation(x: Tensor) -> Tensor:
    """Return the mean squared difference of neighbours, down plus across (0 where there are none)."""
    down, across = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
    return sum((d.square().mean() for d in (down, across) if d.numel()), x.new_zeros(()))
