"""Augmentation of what the discriminator sees, and its adaptive strength (Karras et al. 2020b, ADA)."""

from __future__ import annotations

import torch

from facegan import distributed, rng
from facegan.augment.table import AUGMENTS
from facegan.training.schedules import burn_in
from facegan.training.state import TrainState


def strength(state: TrainState) -> float:
    """The probability p of the augmentations at this update."""
    c = state.config
    if not c.augment:
        return 0.0
    return state.augment.p if c.augment_target else burn_in(state, 0.0, c.augment_p)


def augmented(state: TrainState, images: torch.Tensor, kind: str, *, first: int) -> torch.Tensor:
    """``images`` as the discriminator sees them; draws belong to each one's global index among its kind."""
    p = strength(state)
    if p == 0.0:
        return images
    seed, count = state.config.seed, len(images)

    def draw(purpose: str, k: int) -> torch.Tensor:
        u = rng.uniform(seed, f"augment-{kind}-{purpose}", first, count=count, per_item=k)
        # Never in half precision, in which one kind may come: the tails of what is drawn would be others.
        return torch.from_numpy(u).to(torch.promote_types(images.dtype, torch.float32))

    return AUGMENTS[state.config.augment](images, p, draw)


def adapt(state: TrainState, margin: torch.Tensor) -> None:
    """Note how often real images are told apart (``margin`` ``N`` above 0), and move p by it."""
    c = state.config
    if not c.augment or not c.augment_target:
        return
    signs = distributed.mean(margin.detach().sign().float().mean())
    state.augment.observe(signs, c.batch // c.accumulate)
    if state.augment.fresh:
        for name, value in (("augment_r", state.augment.heuristic), ("augment_p", state.augment.p)):
            state.record(name, torch.full((), float(value or 0.0), device=state.device))
