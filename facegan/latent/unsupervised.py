"""Directions without labels: GANSpace (Härkönen et al. 2020) and SeFa (Shen and Zhou 2021)."""

from __future__ import annotations

import torch

from facegan.generator import Generator
from facegan.latent import w_statistics
from facegan.latent.w_statistics import Spread, Tensor


def pca(model: Generator, spread: Spread, count: int, *, samples: int = 2000, seed: int = 0) -> Tensor:
    """Return ``count,num_ws,w_dim``, one standard deviation each, those of most variance first.

    With a mapping network, principal components of w. Where w is an affine function of z its
    samples have no shape; there components of the first activations that are more than that, brought back
    to w by regression, as GANSpace does it for BigGAN.
    """
    count = min(count, model.w_dim)
    if not w_statistics.is_affine(model):
        values, vectors = torch.linalg.eigh(spread.root)
        order = values.argsort(descending=True)[:count]
        return _everywhere(model, spread, vectors[:, order].T)
    w = w_statistics.sample_w(model, max(samples, 2 * count), seed)
    y = w_statistics.activations(model, w)
    y = y - y.mean(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        left, size, _ = torch.svd_lowrank(y, q=min(2 * count + 8, *y.shape), niter=4)
    kept = min(count, int((size > 1e-6 * size[0]).sum()))
    x = spread.white(w[:, 0])
    return _everywhere(model, spread, left[:, :kept].double().T @ x @ spread.root)


def sefa(model: Generator, spread: Spread, count: int) -> Tensor:
    """Return ``count,num_ws,w_dim``: what the weights of the layers that take w react to most."""
    return _everywhere(model, spread, sefa_basis(model, spread)[:count])


def sefa_basis(model: Generator, spread: Spread) -> Tensor:
    """Return ``w_dim,w_dim``, rows of length 1: eigenvectors of A^T A, the strongest first (SeFa).

    A holds the rows of all layers that take w, each of length 1 (as in the authors' code).
    """
    rows = torch.cat([weight for _, weight in w_statistics.style_weights(model)]).double()
    rows = rows @ (
        spread.inverse @ spread.root
    )  # what samples never do, such as other labels, is no direction
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
    values, vectors = torch.linalg.eigh(rows.T @ rows)
    found: Tensor = vectors[:, values.argsort(descending=True)].T
    return found


def _everywhere(model: Generator, spread: Spread, directions: Tensor) -> Tensor:
    """Return ``K,w_dim`` alike in all layers, one unit long, their sign fixed by the largest component."""
    top = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    signed = directions * torch.where(top < 0, -1.0, 1.0)
    return torch.stack([spread.unit(d.expand(model.num_ws, -1)) for d in signed])
