"""Gradient penalties on the discriminator."""

from __future__ import annotations

import torch


def gradient_penalty(logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Half the mean squared gradient norm of ``logits`` (``N``) at ``images`` (``N,C,H,W``).

    R1 at real images, R2 at generated ones (Mescheder et al. 2018, equations 9 and 10), to be
    multiplied by gamma. ``images`` must require gradients; double backward keeps this step eager.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()
