"""Changes that pictures go through in use: real codecs and resampling, and differentiable versions.

Expectation over transformations (Athalye et al. 2018, equation 2) follows the mean gradient over draws of the
differentiable ones; whether a result survives is measured with the real ones.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan import images

SCALES = (0.5, 1.0)  # sides are multiplied by a number in between
QUALITIES = (50, 95)  # of JPEG

# Quantisation tables of ITU-T T.81, annex K.1, rows from top to bottom.
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _random_size(size: Sequence[int], generator: torch.Generator) -> tuple[int, int]:
    factor = _uniform(*SCALES, generator)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def soft_resize(x01: Tensor, generator: torch.Generator) -> Tensor:
    """Make pictures smaller by a random factor, linear and antialiased."""
    return F.interpolate(x01, _random_size(x01.shape[-2:], generator), mode="bilinear", antialias=True)


def real_resize(image: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Resize a picture as Pillow does."""
    return images.resize(image, _random_size(image.shape[:2], generator), "bilinear")


def soft_jpeg(x01: Tensor, generator: torch.Generator) -> Tensor:
    """Return what :func:`jpeg` keeps at a random quality."""
    return jpeg(x01, round(_uniform(*QUALITIES, generator)))


def real_jpeg(image: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Write a picture as JPEG and read it again."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=round(_uniform(*QUALITIES, generator)))
    return images.read_image(buffer.getvalue())


def tables(quality: int) -> Tensor:
    """Return the two 8x8 tables at a quality from 1 to 100, scaled as libjpeg does."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = torch.tensor([[float(v) for v in text.split()] for text in (_LUMA, _CHROMA)]).view(2, 8, 8)
    return ((base * scale + 50) / 100).floor().clamp(1, 255)


def _dct() -> Tensor:
    """Return the orthonormal 8-point cosine transform (T.81, A.3.3)."""
    k = torch.arange(8.0)
    matrix = torch.cos((2 * k + 1) * k[:, None] * torch.pi / 16) / 2
    matrix[0] /= 2**0.5
    return matrix


def _round(x: Tensor) -> Tensor:
    """Round; the gradient passes as if it did not (Bengio et al. 2013, the straight-through estimator)."""
    return x + (x.round() - x).detach()


def _quantise(plane: Tensor, table: Tensor) -> Tensor:
    """Take one plane of levels -128..127 through the cosine transform and back, quantised."""
    height, width = plane.shape[-2:]
    plane = F.pad(plane, (0, -width % 8, 0, -height % 8), "replicate")
    n, _, h, w = plane.shape
    d = _dct().to(plane)
    blocks = plane.view(n, h // 8, 8, w // 8, 8).transpose(2, 3)
    coefficients = d @ blocks @ d.T / table
    back = d.T @ (_round(coefficients) * table) @ d
    return back.transpose(2, 3).reshape(n, 1, h, w)[..., :height, :width]


def jpeg(x01: Tensor, quality: int) -> Tensor:
    """Return what a JPEG file with halved colour (4:2:0) keeps; roundings let gradients pass."""
    r, g, b = (x01 * 255).unbind(1)
    y = 0.299 * r + 0.587 * g + 0.114 * b - 128
    cb, cr = (b - 128 - y) * 0.564, (r - 128 - y) * 0.713
    luma, chroma = tables(quality).to(x01.device)
    size = y.shape[-2:]
    y = _quantise(y[:, None], luma)[:, 0]
    colours = []
    for plane in (cb, cr):
        padded = F.pad(plane[:, None], (0, size[1] % 2, 0, size[0] % 2), "replicate")
        quantised = _quantise(F.avg_pool2d(padded, 2), chroma)
        back = F.interpolate(quantised, padded.shape[-2:], mode="bilinear", align_corners=False)
        colours.append(back[:, 0, : size[0], : size[1]])
    cb, cr = colours
    y = y + 128
    rgb = torch.stack([y + 1.403 * cr, y - 0.344 * cb - 0.714 * cr, y + 1.773 * cb], 1)
    return (_round(rgb) / 255).clamp(0, 1)


@dataclass(frozen=True)
class Transform:
    """``soft`` takes float ``N,3,H,W`` in [0, 1] and is differentiable; ``real`` takes uint8 ``H,W,3``."""

    name: str
    soft: Callable[[Tensor, torch.Generator], Tensor]
    real: Callable[[np.ndarray, torch.Generator], np.ndarray]


TRANSFORMS = {
    "resize": Transform("resize", soft_resize, real_resize),
    "jpeg": Transform("jpeg", soft_jpeg, real_jpeg),
}
