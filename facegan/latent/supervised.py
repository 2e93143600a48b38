"""Directions for attributes that a network sees: boundaries, and what the network's gradients add to them.

Everything happens in x, where samples of w are white (see ``w_statistics.Spread``), and with logits divided
by their standard deviation over samples. Shapes: x ``N,w_dim``, logits ``N,K``, Jacobians
``N,K,num_ws,w_dim``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegan.attributes.networks import fit
from facegan.attributes.predictor import AttributePredictor
from facegan.generator import Generator
from facegan.latent import w_statistics
from facegan.latent.w_statistics import Spread, Tensor

Progress = Callable[[str, int, int], None]
RELATED = 0.45  # logits that go together more than this name one thing: lipstick and make-up
RARE = 20  # fewer samples with, or without, an attribute say nothing about it


@dataclass(frozen=True)
class Seen:
    """Samples, and what the attribute network sees in them: w ``N,w_dim``, calibrated logits ``N,K``."""

    w: Tensor
    logits: Tensor

    @property
    def deviation(self) -> Tensor:
        return self.logits.std(0).clamp_min(1e-6)


def look(
    model: Generator,
    predictor: AttributePredictor,
    count: int,
    *,
    seed: int = 0,
    first: int = 0,
    on_progress: Progress = lambda *_: None,
) -> Seen:
    """Return ``count`` samples from the ``first`` on, with labels as trained."""
    kept, logits = [], []
    for start in range(first, first + count, 128):
        w = w_statistics.sample_w(model, min(128, first + count - start), seed, first=start)
        logits.append(predictor.raw_logits(model.images(w)) * predictor.scale + predictor.shift)
        kept.append(w[:, 0])
        on_progress("looking at samples", start + len(w), first + count)
    return Seen(torch.cat(kept), torch.from_numpy(np.concatenate(logits)).double())


@dataclass(frozen=True)
class Boundaries:
    """Normals ``K,w_dim`` in x of length 1; accuracies are balanced, on samples that were held out."""

    normals: Tensor
    accuracy: dict[str, float]


def boundaries(seen: Seen, spread: Spread, names: Sequence[str], *, ridge: float = 0.02) -> Boundaries:
    """Return a plane for each attribute: ridge regression of its logit on x, judged by a fifth held out."""
    x = torch.cat([spread.white(seen.w), torch.ones(len(seen.w), 1, dtype=torch.float64)], 1)
    cut = len(x) * 4 // 5
    found = _ridge(x[:cut], seen.logits[:cut], ridge)
    answer, true = x[cut:] @ found > 0, seen.logits[cut:] > 0
    accuracy = {}
    for k, name in enumerate(names):
        sides = [true[:, k], ~true[:, k]]
        if min(int(side.sum()) for side in sides) >= max(1, RARE // 5):
            right = (answer[:, k] == true[:, k]).double()
            accuracy[name] = float(sum(right[side].mean() for side in sides)) / 2
    normals = _ridge(x, seen.logits, ridge)[:-1].T
    return Boundaries(normals / normals.norm(dim=1, keepdim=True).clamp_min(1e-12), accuracy)


def _ridge(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    weight = torch.full((x.shape[1],), ridge * len(x), dtype=torch.float64)
    weight[-1] = 0.0
    found: Tensor = torch.linalg.solve(x.T @ x + weight.diag(), x.T @ y)
    return found


def project(normals: Tensor, k: int, others: Sequence[int]) -> Tensor:
    """Return normal ``k`` less all that it shares with ``others`` (Shen et al. 2020)."""
    if not others:
        return normals[k]
    basis = torch.linalg.qr(normals[list(others)].T).Q
    rest = normals[k] - basis @ (basis.T @ normals[k])
    found: Tensor = rest / rest.norm().clamp_min(1e-12)
    return found


def jacobians(
    model: Generator,
    predictor: AttributePredictor,
    spread: Spread,
    *,
    deviation: Tensor,
    count: int,
    seed: int = 0,
    first: int = 0,
    on_progress: Progress = lambda *_: None,
    batch: int = 16,
) -> Tensor:
    """Return how each logit changes with x of each layer, float32 ``N,K,num_ws,w_dim``.

    It is taken at ``count`` samples from the ``first`` on.
    """
    scale = torch.from_numpy(predictor.scale) / deviation
    root, parts = spread.root.float(), []
    for start in range(first, first + count, batch):
        w = w_statistics.sample_w(model, min(batch, first + count - start), seed, first=start)
        parts.append(logit_gradients(model, predictor, w, scale=scale)[1] @ root)
        on_progress("gradients", start + len(w), first + count)
    return torch.cat(parts)


def logit_gradients(
    model: Generator,
    predictor: AttributePredictor,
    w: Tensor,
    *,
    scale: Tensor,
    shift: Tensor | None = None,
    columns: list[int] | slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """Return the scaled logits ``N,K`` of w's pictures in some columns, and their gradients in w."""
    predictor.network.eval()
    w = w.detach().clone().to(model.device).requires_grad_()
    with torch.enable_grad():
        images = model.synthesize(w).clamp(-1, 1)
        logits = predictor.network(fit(images, predictor.shape))[:, columns] * scale.to(images)
        logits = logits if shift is None else logits + shift.to(images)
        sums = [logits[:, k].sum() for k in range(logits.shape[1])]
        rows = [torch.autograd.grad(total, w, retain_graph=True)[0] for total in sums]
    return logits.detach().cpu(), torch.stack(rows, 1).cpu()


def protection(
    logits: Tensor, names: Sequence[str], k: int, *, protect: Sequence[str], other: float
) -> Tensor:
    """Return the weights ``K`` of keeping each attribute while ``k`` moves.

    They are 1 for the protected ones, ``other`` for the rest, 0 for ``k`` and what names the same thing.
    """
    together = torch.corrcoef(logits.T).nan_to_num()[k].abs()
    weight = torch.full((len(names),), other, dtype=torch.float64)
    for name in protect:
        if name in names:
            weight[list(names).index(name)] = 1.0
    weight[together > RELATED] = 0.0
    weight[k] = 0.0
    return weight


def steer(gradients: Tensor, k: int, weight: Tensor, *, ridge: float, steps: int = 60) -> Tensor:
    """Return the x-direction ``num_ws,w_dim`` that raises logit ``k`` most for what it does to the others.

    With g_j the gradients of logit j at samples, d maximises E[g_k] d - (sum_j weight_j E[(g_j d)^2]
    + ridge |d|^2) / 2, which holds the others still at every sample and not only on average:
    d = (sum_j weight_j E[g_j g_j^T] + ridge I)^-1 E[g_k], by conjugate gradients.
    """
    n, _, layers, dim = gradients.shape
    kept = weight.nonzero()[:, 0]
    g = gradients[:, kept].flatten(2) * weight[kept].sqrt().float()[None, :, None]
    g = g.flatten(0, 1)  # without a row where no attribute has to be held
    b = gradients[:, k].mean(0).flatten()
    d, r = torch.zeros_like(b), b.clone()
    p, size = r.clone(), r @ r
    for _ in range(steps):
        if float(size) <= 1e-12 * float(b @ b):
            break
        ap = g.T @ (g @ p) / n + ridge * p
        alpha = size / (p @ ap)
        d, r = d + alpha * p, r - alpha * ap
        new = r @ r
        p, size = r + (new / size) * p, new
    return d.reshape(layers, dim)
