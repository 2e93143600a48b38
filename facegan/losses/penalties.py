"""Penalties: on gradients, the discriminator's at images and the generator's at styles; on weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from facegan import distributed


def gradient_penalty(logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return half the mean squared gradient norm of ``logits`` (``N``) at ``images`` (``N,C,H,W``).

    R1 at real images, R2 at generated ones (Mescheder et al. 2018, equations 9 and 10), to be
    multiplied by gamma. ``images`` must require gradients; double backward keeps this step eager.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()


def interpolation_penalty(
    judge: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor, *, u: torch.Tensor
) -> torch.Tensor:
    """Return the mean of (|gradient| - 1)^2 at ``real + u (fake - real)``.

    Gulrajani et al. 2017, equation 3: ``real`` and ``fake`` are ``N,C,H,W``, ``u`` is ``N`` in [0, 1), and
    ``judge`` returns logits ``N``.
    """
    images = torch.lerp(real, fake, u.view(-1, 1, 1, 1)).requires_grad_(True)
    (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    return ((gradient.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1.0).square().mean()


def path_lengths(images: torch.Tensor, ws: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Return |J^T y| of each image, ``N``: how far ``images`` (``N,C,H,W``) move with ``ws``.

    Karras et al. 2020, equation 4, with y = ``noise``, the images' shape, of N(0, 1) / sqrt(H W); the mean
    square over the layers of ``ws``, ``N,num_ws,w_dim``, as in the authors' code. ``ws`` must require
    gradients.
    """
    (gradient,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_length_mean(mean: torch.Tensor, lengths: torch.Tensor, decay: float) -> torch.Tensor:
    """Return the running mean, a of equation 4, after one more batch, whose share is ``decay``."""
    return mean.lerp(distributed.mean(lengths.detach().mean()).to(mean.dtype), decay)


def path_length_penalty(lengths: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of ``lengths`` from their running mean (equation 4), unweighted."""
    return (lengths - mean).square().mean()


def orthogonal_penalty(weights: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return the sum of the squared products of each weight's different filters, unweighted.

    Brock et al. 2019, equation 3: |W^T W * (1 - I)|^2, where W has a filter in each column; ``weights`` are
    ``filters,...``. The filters' lengths are free.
    """
    total = torch.zeros(())
    for weight in weights:
        filters = weight.flatten(1)
        products = filters @ filters.T
        total = total.to(products) + products.square().sum() - products.diagonal().square().sum()
    return total
