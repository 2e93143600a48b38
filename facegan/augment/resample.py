"""Pictures moved by exact copies of pixels or by one smooth resampling; linear, differentiable twice.

PyTorch 2.6 has no second derivative of ``grid_sample``. Sampling is linear in the picture: its
derivative is its adjoint, whose derivative is sampling again, and so the two make a pair here.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from facegan.augment import wavelets
from facegan.augment.draws import choose
from facegan.devices import send

Tensor = torch.Tensor
KNOWN = ("cpu",)  # where numbers can be read at once
SAMPLED = ("cpu", "cuda")  # devices whose grid_sample has a derivative in every version of PyTorch


def reflect(index: Tensor, size: int) -> Tensor:
    """Return positions within 0 .. size - 1 of those outside, mirrored at the outermost pixels."""
    last = max(size - 1, 1)
    return (last - (index.abs() % (2 * last) - last).abs()).clamp(max=size - 1)


def copy_pixels(images: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Copy pixels: y, x of image n is its old pixel number ``by_row[n, y] + by_column[n, x]``."""
    n, c, h, w = images.shape
    index = (by_row[:, :, None] + by_column[:, None, :]).view(n, 1, h * w).expand(n, c, h * w)
    return images.reshape(n, c, h * w).gather(2, index).view(n, c, h, w)


def _positions(size: int, like: Tensor) -> Tensor:
    """Return the positions of pixels along an axis, seen from the middle."""
    return torch.arange(size, device=like.device, dtype=like.dtype) - (size - 1) / 2


def blit(images: Tensor, inverse: Tensor) -> Tensor:
    """Copy pixels of the endlessly mirrored pictures as they are.

    ``inverse`` (``N,3,3``) is made of flips, quarter turns and whole steps: each old coordinate
    depends on one of the new ones.
    """
    h, w = images.shape[2:]
    sizes = (w, h)

    def old(axis: int, new: int) -> Tensor:
        m, size = inverse[:, axis, :, None], sizes[axis]
        position = m[:, new] * _positions(sizes[new], inverse) + (m[:, 2] + (size - 1) / 2)
        return reflect(position.round().long(), size) * (w if axis == 1 else 1)

    turned = (inverse[:, 0, 0] == 0)[:, None]
    by_row = torch.where(turned, old(0, 1), old(1, 1))
    by_column = torch.where(turned, old(1, 0), old(0, 0)) if h == w else old(0, 0)
    return copy_pixels(images, by_row, by_column)


class _Sample(torch.autograd.Function):
    """Bilinear samples of the mirrored picture at ``grid``."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, "bilinear", "reflection", align_corners=True)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(gradient, ctx.saved_tensors[0], ctx.shape), None


class _Spread(torch.autograd.Function):
    """The adjoint of :class:`_Sample`: each value goes where it would have come from."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:  # noqa: PLR0917
        ctx.save_for_backward(grid)
        images = values.new_zeros(()).expand(shape)  # of which only the shape matters
        bilinear, reflection, corners, mask = 0, 2, True, [True, False]
        return torch.ops.aten.grid_sampler_2d_backward(
            values.contiguous(), images, grid, bilinear, reflection, corners, mask
        )[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Sample.apply(gradient, ctx.saved_tensors[0]), None, None


def sample_by_gathering(images: Tensor, grid: Tensor) -> Tensor:
    """Sample as :class:`_Sample` does, from operators that every device has, with their derivatives."""
    n, c, h, w = images.shape
    x = reflect((grid[..., 0] + 1) * ((w - 1) / 2), w)
    y = reflect((grid[..., 1] + 1) * ((h - 1) / 2), h)
    left, top = x.floor().clamp(max=max(w - 2, 0)), y.floor().clamp(max=max(h - 2, 0))
    fx, fy = (x - left).unsqueeze(1), (y - top).unsqueeze(1)
    left, top = left.long(), top.long()
    flat, total = images.reshape(n, c, h * w), None
    corners = ((0, 0, (1 - fy) * (1 - fx)), (0, 1, (1 - fy) * fx), (1, 0, fy * (1 - fx)), (1, 1, fy * fx))
    for dy, dx, weight in corners:
        index = (top + dy).clamp(max=h - 1) * w + (left + dx).clamp(max=w - 1)
        value = flat.gather(2, index.view(n, 1, -1).expand(n, c, -1)).view(n, c, *index.shape[1:]) * weight
        total = value if total is None else total + value
    assert total is not None
    return total


def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Return bilinear samples of the mirrored pictures at ``grid``; -1 and 1 are the outermost pixels."""
    if images.device.type in SAMPLED:
        return _Sample.apply(images, grid)
    return sample_by_gathering(images, grid)  # MPS has had no derivative of grid_sample


def resample(images: Tensor, inverse: Tensor) -> Tensor:
    """Return the mirrored pictures seen through ``inverse`` (``N,3,3``, from a new pixel to an old one).

    Karras et al. 2020a, appendix B: twice the rate with the wavelet sym6, bilinear samples there, and
    back by the wavelet's adjoint. Positions take the filter's asymmetry into account, and what lies
    beyond the border is the mirrored picture of twice the rate (theirs mirrors before filtering), by a
    tenth of a pixel aside.
    """
    h, w = images.shape[2:]
    fine = wavelets.along("up", wavelets.along("up", images, 3), 2)
    # New sample k stands at pixel (k - CENTRE) / 2; pixel i is sample 2 i + CENTRE - FIRST of `fine`,
    # whose first and last are -1 and 1.
    ends = [max(w - 1, 1) / 2, max(h - 1, 1) / 2]
    x, y = (_positions(2 * size + 10, inverse) / 2 + (5.5 - wavelets.CENTRE) / 2 for size in (w, h))
    m = torch.stack([inverse[:, 0] / ends[0], inverse[:, 1] / ends[1]], dim=1)  # N,2,3
    first = torch.stack(
        [m[:, i, 2] + (wavelets.CENTRE - wavelets.FIRST) / 2 / ends[i] for i in range(2)], dim=1
    )
    grid = x[:, None] * m[:, None, :, 0]
    grid = grid[:, None] + (y[:, None] * m[:, None, :, 1] + first[:, None])[:, :, None]
    return wavelets.along("down", wavelets.along("down", sample(fine, grid), 2), 3)


def resample_where(hit: Tensor, images: Tensor, inverse: Tensor, *, otherwise: Tensor) -> Tensor:
    """Return :func:`resample` where ``hit`` (``N``), and ``otherwise`` elsewhere, bit for bit.

    Where it is known without waiting for a device which those are, they alone are computed.
    """
    place = images.device
    if hit.device.type not in KNOWN:
        return choose(hit, resample(images, send(inverse, place)), otherwise)
    rows = hit.nonzero()[:, 0]
    if not len(rows):
        return otherwise
    back, rows = send(inverse[rows], place), send(rows, place)
    return otherwise.index_copy(0, rows, resample(images.index_select(0, rows), back))
