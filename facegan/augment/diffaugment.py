"""DiffAugment (Zhao et al. 2020, section 3.3 and the authors' code).

Colour, translation and cutout all happen to the images that ``p`` chooses.
"""

from __future__ import annotations

import torch

from facegan.augment.draws import Draw, Sampler, Strength, choose
from facegan.augment.resample import copy_pixels
from facegan.devices import full_precision, send

Tensor = torch.Tensor

TRANSLATION = 1 / 8
"""Largest translation, as a share of width and height."""
CUTOUT = 1 / 2
"""Side of the rectangle cut out, as a share of width and height."""


def diffaugment(images: Tensor, p: Strength, draw: Draw) -> Tensor:
    """Augment each of ``images`` (``N,C,H,W`` in [-1, 1]) with probability ``p`` (the paper: 1)."""
    if not isinstance(p, Tensor) and p == 0:
        return images
    with full_precision(images.device):
        x = images if images.dtype == torch.float64 else images.float()
        s = Sampler(draw, p, "diffaugment/", dtype=x.dtype)
        hit = send(s.field("hit", 1)[:, 0] < p, x.device)
        colour, shift, middle = (
            send(s.field(name, k), x.device) for name, k in (("colour", 3), ("translation", 2), ("cutout", 2))
        )
        changed = cut_out(translate(recolour(x, colour), shift), middle)
        return choose(hit, changed, x).to(images.dtype)


def recolour(x: Tensor, u: Tensor) -> Tensor:
    """Add -0.5 to 0.5, scale saturation by 0 to 2 and contrast by 0.5 to 1.5, by ``u`` (``N,3``)."""
    brightness, saturation, contrast = u[:, :, None, None, None].unbind(1)
    x = x + (brightness - 0.5)
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (2.0 * saturation) + grey
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (contrast + 0.5) + mean


def translate(x: Tensor, u: Tensor) -> Tensor:
    """Move by whole pixels, up to TRANSLATION each way, by ``u`` (``N,2``: x, y); 0 comes in from outside."""
    _, _, h, w = x.shape
    columns, fits_x = _shifted(w, u[:, 0])
    rows, fits_y = _shifted(h, u[:, 1])
    moved = copy_pixels(x, rows * w, columns)
    return torch.where((fits_y[:, :, None] & fits_x[:, None, :])[:, None], moved, 0.0)


def _shifted(size: int, u: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``N,size``: where each pixel of an axis comes from, and whether that is in the picture."""
    most = int(size * TRANSLATION + 0.5)
    shift = (u * (2 * most + 1)).floor().long() - most
    source = torch.arange(size, device=u.device) - shift[:, None]
    return source.clamp(0, size - 1), (source >= 0) & (source < size)


def cut_out(x: Tensor, u: Tensor) -> Tensor:
    """Put 0 in a rectangle of CUTOUT of each side, whose middle ``u`` (``N,2``: x, y) puts anywhere."""
    _, _, h, w = x.shape
    inside = _covered(h, u[:, 1])[:, :, None] & _covered(w, u[:, 0])[:, None, :]
    return torch.where(inside[:, None], 0.0, x)


def _covered(size: int, u: Tensor) -> Tensor:
    """Return bool ``N,size``: the stretch of an axis that is cut out; it may hang over the ends."""
    length = int(size * CUTOUT + 0.5)
    middle = (u * (size + 1 - length % 2)).floor()
    place = torch.arange(size, device=u.device, dtype=u.dtype) - (middle - length // 2)[:, None]
    return (place >= 0) & (place < length)
