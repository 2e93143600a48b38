"""Exponential moving average of weights, and batch-norm statistics that fit the averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from facegan import distributed


@torch.no_grad()
def update_ema(ema: nn.Module, model: nn.Module, decay: float) -> None:
    """Set ``ema = decay * ema + (1 - decay) * model`` for parameters; copy buffers."""
    averaged: list[torch.Tensor] = list(ema.parameters())
    current: list[torch.Tensor] = list(model.parameters())
    torch._foreach_lerp_(averaged, current, 1.0 - decay)
    for a, b in zip(ema.buffers(), model.buffers(), strict=True):
        a.copy_(b)


def ema_decay(batch: int, halflife_kimg: float, images_seen: int, *, rampup: float | None) -> float:
    """Return the decay for one update of ``batch`` images: half the weight is gone after ``halflife_kimg``.

    ``rampup`` limits the half-life to that share of the images seen so far, so that the average
    follows quickly at the beginning (Karras et al. 2020, the authors' code).
    """
    halflife = halflife_kimg * 1000
    if rampup is not None:
        halflife = min(halflife, images_seen * rampup)
    return math.pow(0.5, batch / max(halflife, 1e-8))


def batch_norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    """Return the batch-norm layers of a model."""
    return [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


@torch.no_grad()
def recalibrate_batch_norm(
    model: nn.Module,
    inputs: Iterable[torch.Tensor | tuple[torch.Tensor, ...]],
    call: Callable[..., Any] | None = None,
) -> None:
    """Set running statistics to the plain average over ``inputs``, then leave the model in eval mode.

    Each of the ``inputs`` is a batch, or all that the model takes of one, such as latents and labels.
    ``call`` is the method of the model that takes them, if not ``forward``.

    Averaged weights do not fit statistics gathered with the raw ones; sampling needs statistics of
    its own (Izmailov et al. 2018, section 3.2).
    """
    norms = batch_norms(model)
    if norms:
        momenta = [norm.momentum for norm in norms]
        model.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative average
        with distributed.alone():
            for batch in inputs:
                (call or model)(*((batch,) if isinstance(batch, torch.Tensor) else batch))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    model.eval()
