"""The grid of 8-bit pictures: perturbations whose entries are whole levels, 1/255 of the range.

Small perturbations vanish when a picture is rounded; so they are never rounded, but chosen on the grid. Of
all points of the grid in a ball, these go furthest along a direction v:

- L-inf, radius r: sign(v) floor(r), which maximises <v, q>.
- L2, radius r: q = round(c v) for the largest c with |q| <= r. The Lagrangian of max <v, q> subject to
  |q|^2 <= r^2 falls apart into one term for each entry, 2 c v q - q^2, whose best integer is round(c v).
"""

from __future__ import annotations

import torch
from torch import Tensor

_SAMPLE = 1 << 16  # entries from which c is estimated; fewer are all of them


def norm2(q: Tensor) -> float:
    """Euclidean norm over all entries."""
    return float(torch.linalg.vector_norm(q))


def norm_inf(q: Tensor) -> float:
    return float(q.abs().max())


def steepest_l2(v: Tensor, radius: float, out: Tensor | None = None) -> Tensor:
    """round(c v) with the largest c whose norm is at most ``radius`` (to 1% for large pictures)."""
    out = torch.empty_like(v) if out is None else out
    peak = norm_inf(v)
    if not peak > 0 or radius < 1:
        return out.zero_()
    flat = v.flatten()
    stride = max(1, flat.numel() // _SAMPLE)
    some = flat[::stride].abs()
    share = flat.numel() / some.numel()
    low, high = 0.5 / peak, (radius + 1) / peak  # below low all is 0; at high one entry alone is too much
    for _ in range(40):
        c = (low + high) / 2
        if share * float((some * c).round_().square_().sum()) <= radius * radius:
            low = c
        else:
            high = c
        if high - low < 1e-4 * low:
            break
    c = low
    while True:
        q = torch.mul(v, c, out=out).round_()
        norm = norm2(q)
        if norm <= radius:
            return q
        c *= max(0.9, min(0.999, radius / norm))  # the estimate was a little high
        if c * peak < 0.5:
            return out.zero_()


def steepest_inf(v: Tensor, radius: float, out: Tensor | None = None) -> Tensor:
    """v within the box, rounded: whole levels up to ``radius``."""
    r = float(int(radius + 1e-6))
    return torch.clamp(v, -r, r, out=out).round_()
