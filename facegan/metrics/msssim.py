"""Compute MS-SSIM of pairs from one set (Wang et al. 2003), which is high if samples collapse.

Odena et al. 2017 measure diversity by it.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from facegan import rng
from facegan.metrics.base import MetricInputs, Values

MAX_PAIRS = 1000  # pairs
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SIDE, _SIGMA = 11, 1.5


def scales(height: int, width: int) -> int:
    """Return how many scales, from 1 to 5, leave room for a window of 11 px."""
    return max(1, min(len(WEIGHTS), 1 + int(np.log2(max(min(height, width) / SIDE, 1)))))


def diversity_ms_ssim(images: np.ndarray, seed: int = 0) -> float:
    """Return the mean MS-SSIM of up to 1,000 disjoint random pairs of uint8 ``N,H,W,C``: 1 if all are equal.

    Pictures below 176 px have fewer than five scales; compare only equal sizes.
    """
    order = rng.permutation(seed, "ms-ssim", 0, n=len(images))
    count = min(len(images) // 2, MAX_PAIRS)
    total = 0.0
    for i in range(0, count, 64):
        rows = slice(i, min(i + 64, count))
        pairs = (images[order[:count][rows]], images[order[count : 2 * count][rows]])
        a, b = (torch.from_numpy(p.astype(np.float32)).permute(0, 3, 1, 2) for p in pairs)
        total += float(ms_ssim(a, b).sum())
    return total / count


def ms_ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``N`` values for ``N,C,H,W`` in [0, 255]: mean over windows and channels at each scale."""
    if min(a.shape[2:]) < SIDE:
        raise ValueError(f"MS-SSIM takes pictures of at least {SIDE} px")
    levels = scales(*a.shape[2:])
    weights = np.array(WEIGHTS[:levels]) / sum(WEIGHTS[:levels])
    result = torch.ones(len(a))
    for level, weight in enumerate(weights):
        structure, whole = ssim_terms(a, b)
        result = result * (whole if level == levels - 1 else structure).clamp_min(0) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return result


def ssim_terms(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return contrast and structure alone, and with luminance (the paper's equations 5 to 7): ``N`` each.

    Pictures are ``N,C,H,W`` in [0, 255], at least 11 px high and wide; the second value is SSIM (Wang et al.
    2004): a Gaussian window of 11 px, the mean over its places and the channels.
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = _window(a), _window(b)
    var_a = _window(a * a) - mean_a.square()
    var_b = _window(b * b) - mean_b.square()
    both = _window(a * b) - mean_a * mean_b
    structure = (2 * both + c2) / (var_a + var_b + c2)
    light = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    return structure.mean((1, 2, 3)), (structure * light).mean((1, 2, 3))


def _window(x: torch.Tensor) -> torch.Tensor:
    offsets = torch.arange(SIDE, dtype=x.dtype) - SIDE // 2
    line = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    line = line / line.sum()
    c = x.shape[1]
    across = F.conv2d(x, line.view(1, 1, 1, -1).expand(c, 1, 1, SIDE), groups=c)
    return F.conv2d(across, line.view(1, 1, -1, 1).expand(c, 1, SIDE, 1), groups=c)


def compute(inputs: MetricInputs) -> Values:
    """Return the likeness of pairs of generated pictures."""
    return {"ms_ssim": diversity_ms_ssim(inputs.fake_pictures(2 * MAX_PAIRS))}


def fits(inputs: MetricInputs) -> str:
    """Return why these pictures cannot be compared, or ""."""
    height, width = inputs.fake_pictures(1).shape[1:3]
    return f"pictures are below {SIDE} px" if min(height, width) < SIDE else ""
