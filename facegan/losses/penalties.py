"""Gradient penalties on the discriminator."""

from __future__ import annotations

from collections.abc import Callable

import torch


def gradient_penalty(logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Half the mean squared gradient norm of ``logits`` (``N``) at ``images`` (``N,C,H,W``).

    R1 at real images, R2 at generated ones (Mescheder et al. 2018, equations 9 and 10), to be
    multiplied by gamma. ``images`` must require gradients; double backward keeps this step eager.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()


def interpolation_penalty(
    judge: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor, u: torch.Tensor
) -> torch.Tensor:
    """Mean of (|gradient| - 1)^2 at ``real + u (fake - real)`` (Gulrajani et al. 2017, equation 3).

    ``real`` and ``fake`` are ``N,C,H,W``, ``u`` is ``N`` in [0, 1); ``judge`` gives logits ``N``.
    """
    images = torch.lerp(real, fake, u.view(-1, 1, 1, 1)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    return ((gradient.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1.0).square().mean()


def path_lengths(images: torch.Tensor, ws: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """``N``: |J^T y| of each image, J its Jacobian in w (Karras et al. 2020, equation 4).

    ``noise`` is y, N(0, 1) / sqrt(H W), of the shape of ``images`` ``N,C,H,W``; ``ws`` ``N,num_ws,w_dim``.
    """
    (gradient,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()
