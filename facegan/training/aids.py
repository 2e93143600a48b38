"""Augmentation of what the discriminator sees, and its adaptive strength (Karras et al. 2020, ADA)."""

from __future__ import annotations

import torch

from facegan import rng
from facegan.augment.table import AUGMENTS
from facegan.nets import parallel
from facegan.training.state import TrainState, schedule

INTERVAL = 4  # updates between two corrections of the strength


def strength(state: TrainState) -> float:
    """The probability p of the augmentations at this update."""
    c = state.config
    if not c.augment:
        return 0.0
    return state.augment_p if c.augment_target else schedule(state, 0.0, c.augment_p)


def augmented(state: TrainState, images: torch.Tensor, kind: str, first: int) -> torch.Tensor:
    """``images`` as the discriminator sees them; draws belong to the global index of each among its kind."""
    p = strength(state)
    if p == 0.0:
        return images
    seed, count = state.config.seed, len(images)

    def draw(purpose: str, k: int) -> torch.Tensor:
        u = rng.uniform(seed, f"augment-{kind}-{purpose}", first, count, k)
        return torch.from_numpy(u).to(images)

    return AUGMENTS[state.config.augment](images, p, draw)


def adapt(state: TrainState, logits: torch.Tensor) -> None:
    """Note how often real images are called real; every few updates, move p towards the target.

    The heuristic is r_t = E[sign(D(real))] (section 3, equation 1); p moves so fast that it crosses 0 to 1
    in ``augment_kimg``.
    """
    c = state.config
    if not c.augment or not c.augment_target:
        return
    state.signs.append(parallel.mean(logits.detach().sign().float().mean()))
    if len(state.signs) < INTERVAL * c.accumulate:
        return
    heuristic = sum(float(s) for s in state.signs) / len(state.signs)
    state.signs = []
    step = c.batch * c.d_updates * INTERVAL / (c.augment_kimg * 1000)
    p = state.augment_p + (step if heuristic > c.augment_target else -step)
    state.augment_p = min(max(p, 0.0), c.augment_max)
    state.record("augment_r", torch.as_tensor(heuristic, device=state.device))
    state.record("augment_p", torch.as_tensor(state.augment_p, device=state.device))
