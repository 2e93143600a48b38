"""Moving one face along a direction while a network watches that other attributes of it stay.

A direction holds still on average; at each face the gradients are its own. Here every small step is corrected
by the smallest change of w, in standard deviations, that brings the watched logits back to where they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from facegan.attributes.predictor import AttributePredictor
from facegan.generator import Generator
from facegan.latent.supervised import logit_gradients
from facegan.latent.w_statistics import Spread, Tensor


def hold(
    model: Generator,
    predictor: AttributePredictor,
    spread: Spread,
    *,
    w: Tensor,
    step: Tensor,
    watched: Sequence[str],
    steps: int = 3,
    damping: float = 0.3,
    batch: int = 16,
) -> Tensor:
    """Return w ``N,num_ws,w_dim`` after ``step`` (``num_ws,w_dim``); the ``watched`` logits stay.

    Each of ``steps`` parts moves by d = p - G^T (G G^T + damping^2 I)^-1 (G p + change), p the part, G the
    gradients at the face and ``change`` what the logits have moved so far.
    """
    columns = [predictor.column(name) for name in watched]
    if not columns or not float(step.abs().max()):
        return w + step
    return torch.cat(
        [
            _held(model, predictor, spread, w=part, step=step, columns=columns, steps=steps, damping=damping)
            for part in w.split(batch)
        ]
    )


def _held(
    model: Generator,
    predictor: AttributePredictor,
    spread: Spread,
    *,
    w: Tensor,
    step: Tensor,
    columns: Sequence[int],
    steps: int,
    damping: float,
) -> Tensor:
    root, inverse = spread.root.float(), spread.inverse.float()
    part = ((step @ inverse) / steps).flatten()
    moved = torch.zeros(len(w), part.numel())
    first: Tensor | None = None
    scale, shift = (torch.tensor(v[list(columns)]) for v in (predictor.scale, predictor.shift))
    allowed = (step.abs().amax(1, keepdim=True) > 0).float()  # layers that the edit leaves alone stay
    for number in range(steps + 1):
        at = w + _back(moved, w, root)
        logits, gradients = logit_gradients(
            model, predictor, at, scale=scale, shift=shift, columns=list(columns)
        )
        first = logits if first is None else first
        g = ((gradients @ root) * allowed).flatten(2)
        p = part.expand(len(w), -1) if number < steps else torch.zeros_like(moved)
        wrong = torch.einsum("nkd,nd->nk", g, p) + logits - first
        square = g @ g.transpose(1, 2) + damping**2 * torch.eye(len(columns))
        moved = moved + p - torch.einsum("nkd,nk->nd", g, torch.linalg.solve(square, wrong))
    return w + _back(moved, w, root)


def _back(x: Tensor, w: Tensor, root: Tensor) -> Tensor:
    return x.reshape(w.shape) @ root
