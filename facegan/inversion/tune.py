"""Pivotal tuning (Roich et al. 2022): the generator's weights move a little, so that a vector gives a photo.

What is learnt, for each weight, is a product of two thin factors (Hu et al. 2021), and whole biases: that is
what the delta file holds. A locality term (Roich et al., section 3.3) keeps other faces as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass

import torch

from facegan.deltas import add_differences, differences
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.inversion.losses import Objective, parse_losses
from facegan.inversion.noise import synthesize_with
from facegan.layers.optimizers import Adam
from facegan.tensor_files import half

Tensor = torch.Tensor


@dataclass(frozen=True)
class TuneConfig:
    """How weights are tuned to one photo."""

    steps: int = 100
    """Updates."""
    lr: float = 1e-2
    """Adam's learning rate; a weight's factors are in units of its standard deviation."""
    rank: int = 8
    """Of the difference of each weight; more is nearer and larger."""
    locality: float = 1.0
    """Weight of how much neighbouring faces change."""
    loss: str = "mse=1,faces=0.02"
    """As of the inversion."""
    seed: int = 0


def checked(config: TuneConfig) -> TuneConfig:
    """Return the same, or InputError that names the option."""
    if config.steps < 1 or config.rank < 1:
        raise InputError("--tune-steps and --tune-rank must be at least 1")
    if not (math.isfinite(config.locality) and config.locality >= 0):
        raise InputError(f"--tune-locality must be at least 0, not {config.locality:g}")
    parse_losses(config.loss)
    return config


class Difference:
    """Tensors that add up to the network's: factors for weights, whole tensors for the rest."""

    def __init__(self, model: Generator, rank: int, seed: int) -> None:
        self.base = {n: p.detach() for n, p in model.network.named_parameters() if p.is_floating_point()}
        self.parts: dict[str, Tensor] = {}
        self.scale: dict[str, float] = {}
        generator = torch.Generator().manual_seed(seed)
        for name, p in self.base.items():
            rows = p.shape[0] if p.ndim else 1
            columns = p.numel() // max(rows, 1)
            if p.ndim < 2 or rank * (rows + columns) >= p.numel():
                self.scale[name] = 1.0
                self.parts[f"full/{name}"] = torch.zeros_like(p)
                continue
            self.scale[name] = float(p.std()) or 1.0
            right = torch.randn(rank, columns, generator=generator) / math.sqrt(rank)
            self.parts[f"left/{name}"] = p.new_zeros(rows, rank)
            self.parts[f"right/{name}"] = right.to(p)
        for part in self.parts.values():
            part.requires_grad_()

    def tensors(self) -> dict[str, Tensor]:
        """Return the tuned network's parameters; differentiable."""
        found = {}
        for name, p in self.base.items():
            if f"full/{name}" in self.parts:
                found[name] = p + self.parts[f"full/{name}"]
            else:
                product = self.parts[f"left/{name}"] @ self.parts[f"right/{name}"]
                found[name] = p + self.scale[name] * product.reshape(p.shape)
        return found

    @torch.no_grad()
    def saved(self) -> dict[str, Tensor]:
        """Return a delta file's tensors: what has moved, the scales multiplied in."""
        moved = {}
        for key, part in self.parts.items():
            kind, _, name = key.partition("/")
            if kind == "full" and part.any():
                moved[key] = part.detach()
            elif kind == "left" and part.any():
                moved[key], moved[f"right/{name}"] = (
                    part * self.scale[name],
                    self.parts[f"right/{name}"].detach(),
                )
        return moved


def tune(
    model: Generator,
    w: Tensor,
    target: Tensor,
    *,
    config: TuneConfig,
    noise: dict[str, Tensor] | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> dict[str, Tensor]:
    """Return what to save as a delta, so that ``w`` ``1,num_ws,w_dim`` gives ``target`` ``1,C,H,W``.

    ``noise`` (``1,H,W`` by buffer) takes the place of the network's own, and is part of the delta. The step
    that came nearest counts.
    """
    noise = {name: maps.detach() for name, maps in (noise or {}).items()}
    difference = Difference(model, config.rank, config.seed)
    adam = Adam(list(difference.parts.values()), config.lr, betas=(0.9, 0.99))
    objective = Objective(parse_losses(config.loss), target)
    row, w = torch.zeros(1, dtype=torch.long, device=w.device), w.detach()
    best, kept = math.inf, difference.parts
    for step in range(config.steps + 1):
        tensors = difference.tensors()
        loss = objective(synthesize_with(model, w, {**tensors, **noise}), row)[0]
        if float(loss.detach()) < best:
            best = float(loss.detach())
            kept = {key: part.detach().clone() for key, part in difference.parts.items()}
        if step == config.steps:
            break
        total = loss
        if config.locality:
            # A face on the way to a random one, 30% of it: it must look as before.
            with torch.no_grad():
                near = torch.lerp(w, model.map(model.latent.sample([config.seed + step])), 0.3)
                before = model.synthesize(near)
            after = synthesize_with(model, near, tensors)
            total = loss + config.locality * (after - before).square().mean()
        adam.param_groups[0]["lr"] = config.lr * min(1.0, 4 * (1 - step / config.steps))
        adam.zero_grad(set_to_none=True)
        total.backward()
        adam.step()
        if on_step is not None:
            on_step(step + 1, float(loss.detach()))
    difference.parts = kept
    return {**difference.saved(), **noise_difference(model, noise)}


def noise_difference(model: Generator, noise: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a delta file's tensors of noise (``1,H,W`` by buffer) in place of the network's own."""
    own = dict(model.network.named_buffers())
    return {f"full/{name}": maps[0].detach().to(own[name]) - own[name] for name, maps in noise.items()}


def with_delta(model: Generator, tensors: Mapping[str, Tensor]) -> Generator:
    """Return another generator, changed as a delta file of these tensors would change this one."""
    other = copy(model)
    other.network, other._averages, other._renewed = deepcopy(model.network), {}, {}
    add_differences(other, differences(half(tensors)), "the delta")
    return other
