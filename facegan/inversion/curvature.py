"""How much pictures change along each direction of a latent space, on average.

It is much the same everywhere in the space (Wang, Ponce 2021, *The geometry of deep generative image
models*), so that one matrix for a model tells a search from anywhere which steps are large.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from facegan import rng
from facegan.generator import Generator
from facegan.inversion.losses import get_loss
from facegan.inversion.space import Space

Tensor = torch.Tensor
DRAWS = 512
STEP = 0.02  # of the differences, in standard deviations
DAMPING = 0.2  # of the mean eigenvalue: directions that nothing changes along must not become infinite


def measure_metric(
    model: Generator, space: Space, weights: Mapping[str, float], *, seed: int, draws: int = DRAWS
) -> Tensor:
    """Return E[J^T J] of what the losses see, over the prior: ``dim,dim`` with a mean eigenvalue of 1.

    J^T v of random v with unit covariance has this second moment (Hutchinson 1990). For losses that are means
    of squares, this is the Gauss-Newton Hessian, averaged, up to a factor.
    """
    device = str(model.device)
    rows = []
    for at in range(0, draws, 32):
        n = rng.normal(seed, "metric/z", at, count=min(32, draws - at), per_item=model.latent.dim)
        z = model.latent.shape_normal(torch.from_numpy(n)).to(model.device)
        u = space.coordinates(z).detach().requires_grad_()
        images = model.synthesize(space.w(u))
        total = torch.zeros((), device=model.device)
        for name, weight in weights.items():
            views = get_loss(name, device).embed(images)
            for k, view in enumerate(views):
                v = rng.normal(seed, f"metric/{name}/{k}", at, count=len(u), per_item=view[0].numel())
                share = math.sqrt(weight / (view[0].numel() * len(views)))
                total = total + share * (torch.from_numpy(v).to(view).view_as(view) * view).sum()
        rows.append(torch.autograd.grad(total, u)[0])
    g = torch.cat(rows).double()
    metric = g.T @ g / len(g)
    return (metric / metric.diagonal().mean().clamp_min(1e-30)).float()


@torch.no_grad()
def local_metric(model: Generator, space: Space, weights: Mapping[str, float], *, u: Tensor) -> Tensor:
    """Return J^T J at one point ``dim``, by differences along every direction; a mean eigenvalue of 1."""
    rows = []
    for part in torch.cat([torch.zeros_like(u)[None], STEP * torch.eye(len(u), device=u.device)]).split(64):
        images = model.synthesize(space.w(u + part))
        views = []
        for name, weight in weights.items():
            found = get_loss(name, str(u.device)).embed(images)
            views += [v.flatten(1) * math.sqrt(weight / (v[0].numel() * len(found))) for v in found]
        rows.append(torch.cat(views, 1))
    seen = torch.cat(rows)
    j = (seen[1:] - seen[0]) / STEP
    metric = j @ j.T
    return metric / metric.diagonal().mean().clamp_min(1e-30)


def inverse_metric(metric: Tensor, damping: float = DAMPING) -> Tensor:
    """Return the damped inverse of a metric, with a geometric mean of 1."""
    values, vectors = torch.linalg.eigh(metric.double())
    values = values.clamp_min(0) + damping
    values = values / values.log().mean().exp()
    found: Tensor = ((vectors / values) @ vectors.T).float()
    return found
