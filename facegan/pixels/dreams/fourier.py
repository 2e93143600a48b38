"""Pictures as decorrelated Fourier coefficients: Olah, Mordvintsev, Schubert 2017, *Feature visualization*,
section "Preconditioning and parameterization".

A picture is sigmoid(M irfft2(scale * coefficients)): ``scale`` falls with the frequency as in photos, so that
one step size suits coarse and fine; M gives the channels the colour correlation of photos.
"""

from __future__ import annotations

import torch
from torch import Tensor

# A square root of the colour covariance of ImageNet's photos (the paper's own numbers), largest row norm 1.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()
_NEAREST_BLACK = 1e-4  # before the logit, which has none of 0 and 1


def scale(height: int, width: int, decay: float = 1.0) -> Tensor:
    """``H,W//2+1``: 1 / frequency^decay, the lowest frequency being that of the longer side."""
    fy = torch.fft.fftfreq(height)[:, None]
    fx = torch.fft.rfftfreq(width)[None, :]
    frequency = (fy.square() + fx.square()).sqrt()
    return frequency.clamp_min(1.0 / max(height, width)) ** -decay / 4


def random_coefficients(
    count: int, height: int, width: int, *, generator: torch.Generator, spread: float = 0.01
) -> Tensor:
    """``N,3,H,W//2+1,2`` (real and imaginary parts) of grey noise; each picture's depend on the generator."""
    return torch.randn(count, 3, height, width // 2 + 1, 2, generator=generator) * spread


def to_pixels(coefficients: Tensor, height: int, width: int, *, decay: float = 1.0) -> Tensor:
    """Coefficients ``N,3,H,W//2+1,2`` to a picture ``N,3,H,W`` in (0, 1)."""
    device = coefficients.device
    spectrum = torch.view_as_complex(coefficients.contiguous()) * scale(height, width, decay).to(device)
    plain = torch.fft.irfft2(spectrum, s=(height, width), norm="ortho")
    return torch.einsum("ij,njhw->nihw", COLOUR.to(device), plain).sigmoid()


def to_coefficients(x01: Tensor, decay: float = 1.0) -> Tensor:
    """Invert :func:`to_pixels`; values nearer than 1e-4 to 0 or 1 come back as 1e-4 from them."""
    height, width = x01.shape[-2:]
    logits = x01.clamp(_NEAREST_BLACK, 1 - _NEAREST_BLACK).logit()
    plain = torch.einsum("ij,njhw->nihw", torch.linalg.inv(COLOUR).to(x01.device), logits)
    spectrum = torch.fft.rfft2(plain, norm="ortho") / scale(height, width, decay).to(x01.device)
    return torch.view_as_real(spectrum).contiguous()
