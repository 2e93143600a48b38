"""The colour transforms of ADA as 4 x 4 matrices on (r, g, b, 1), r, g, b in [-1, 1].

The grey axis v = (1, 1, 1) / sqrt(3) is luma: a flip mirrors along it, hue turns about it, saturation
scales what is across it. A miss has the parameters of the identity.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def _affine(matrix: Tensor, offset: Tensor) -> Tensor:
    """Return ``N,4,4`` of a 3 x 3 part ``N,3,3`` and an offset ``N`` that is the same for each channel."""
    n = offset.shape[0]
    last = offset.view(n, 1, 1).expand(n, 3, 1)
    bottom = offset.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(n, 1, 4)
    return torch.cat([torch.cat([matrix.expand(n, 3, 3), last], dim=2), bottom], dim=1)


def _along_and_across(like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the projections onto the grey axis and onto the plane across it."""
    along = like.new_full((3, 3), 1.0 / 3.0)
    return along, torch.eye(3, device=like.device, dtype=like.dtype) - along


def brightness(b: Tensor) -> Tensor:
    """Add ``b``."""
    return _affine(torch.eye(3, device=b.device, dtype=b.dtype), b)


def contrast(c: Tensor) -> Tensor:
    """Multiply by ``c``."""
    return _affine(torch.eye(3, device=c.device, dtype=c.dtype) * c.view(-1, 1, 1), torch.zeros_like(c))


def luma_flip(on: Tensor) -> Tensor:
    """Reflect by Householder's I - 2 v v' where ``on`` is 1."""
    along, across = _along_and_across(on)
    return _affine(across + along * (1.0 - 2.0 * on.view(-1, 1, 1)), torch.zeros_like(on))


def hue(angle: Tensor) -> Tensor:
    """Turn by ``angle`` about the grey axis (Rodrigues' formula)."""
    along, across = _along_and_across(angle)
    cos, sin = torch.cos(angle).view(-1, 1, 1), torch.sin(angle).view(-1, 1, 1)
    turn = angle.new_tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / 3.0**0.5
    return _affine(along + across * cos + turn * sin, torch.zeros_like(angle))


def saturation(s: Tensor) -> Tensor:
    """Scale by ``s`` across the grey axis."""
    along, across = _along_and_across(s)
    return _affine(along + across * s.view(-1, 1, 1), torch.zeros_like(s))


def recolour(images: Tensor, matrix: Tensor) -> Tensor:
    """Apply ``matrix`` (``N,4,4``) to ``images`` (``N,C,H,W``); grey ones count as three equal channels.

    Of a grey picture hue and saturation leave everything as it is: they keep the grey axis.
    """
    n, c, h, w = images.shape
    linear, offset = matrix[:, :3, :3], matrix[:, :3, 3:]
    if c == 1:
        linear, offset = linear.sum((1, 2), keepdim=True) / 3, offset.mean(1, keepdim=True)
    return (linear @ images.reshape(n, c, h * w) + offset).view(n, c, h, w)
