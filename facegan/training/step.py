"""One update of both networks, and the state that it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from facegan import rng
from facegan.families import get_family
from facegan.generator import Latent
from facegan.losses.adversarial import LOSSES
from facegan.losses.penalties import gradient_penalty
from facegan.nets.ema import ema_decay, update_ema
from facegan.training.config import TrainConfig


@dataclass
class TrainState:
    """Everything that a checkpoint holds. ``ema`` is the averaged generator, or None without one."""

    config: TrainConfig
    generator: nn.Module
    discriminator: nn.Module
    ema: nn.Module | None
    g_optimizer: torch.optim.Optimizer
    d_optimizer: torch.optim.Optimizer
    device: torch.device
    images_seen: int = 0
    fakes_drawn: int = 0
    updates: int = 0
    seconds: float = 0.0
    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def record(self, name: str, value: torch.Tensor) -> None:
        """Add to a running mean, without waiting for the device."""
        self.sums[name] = (
            self.sums.get(name, torch.zeros((), device=self.device)) + value.detach().float().mean()
        )
        self.counts[name] = self.counts.get(name, 0) + 1

    def take_means(self) -> dict[str, float]:
        """Means since the last call."""
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


def create_state(config: TrainConfig, image_shape: Sequence[int], device: torch.device) -> TrainState:
    """Fresh networks and optimisers; weights depend on ``config.seed`` alone."""
    family = get_family(config.family)
    torch.manual_seed(rng.torch_seed(config.seed, "weights", 0))
    generator = family.build_generator(config.model.generator, image_shape, config.latent.dim)
    discriminator = family.build_discriminator(config.model.discriminator, image_shape)
    # Channels-last is the layout in which convolutions are fastest on current CPUs and GPUs.
    networks = [m.to(device=device, memory_format=torch.channels_last) for m in (generator, discriminator)]
    generator, discriminator = networks[0].train(), networks[1].train()
    ema = deepcopy(generator).eval().requires_grad_(False) if config.ema_halflife_kimg > 0 else None
    return TrainState(
        config, generator, discriminator, ema,
        _adam(generator, config.model.generator), _adam(discriminator, config.model.discriminator), device,
    )  # fmt: skip


def _adam(module: nn.Module, settings: Any) -> torch.optim.Optimizer:
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(module.parameters(), settings.lr, betas, settings.eps, fused=True)


def set_lr(state: TrainState) -> None:
    """Learning rates of this update: warm-up, Keras's decay, linear cool-down; from counts alone."""
    c = state.config
    factor = 1.0
    if c.warmup_kimg > 0:
        factor = min(1.0, (state.images_seen + c.batch) / (c.warmup_kimg * 1000))
    if c.cooldown > 0:
        left = 1.0 - state.images_seen / max(c.kimg * 1000, 1)
        factor *= min(1.0, max(left / c.cooldown, 0.0))
    # Each optimiser counts its own updates: the discriminator may make two for one of the generator.
    per_step = c.d_updates * (2 if c.d_split else 1)
    sides = (
        (state.g_optimizer, c.model.generator, state.updates),
        (state.d_optimizer, c.model.discriminator, state.updates * per_step),
    )
    for optimizer, settings, updates in sides:
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * factor / (1.0 + settings.lr_decay * updates)


def draw_latents(state: TrainState, count: int) -> torch.Tensor:
    """The next ``count`` training latents, by their index since the beginning of the run."""
    c = state.config.latent
    normal = torch.from_numpy(rng.normal(state.config.seed, "latent", state.fakes_drawn, count, c.dim))
    state.fakes_drawn += count
    prior = Latent(
        c.kind,
        c.dim,
        c.mean if c.train_mean is None else c.train_mean,
        c.std if c.train_std is None else c.train_std,
    )
    return prior.shape_normal(normal).to(state.device)


def _autocast(state: TrainState) -> AbstractContextManager[Any]:
    if state.config.precision == "bfloat16":
        return torch.autocast(state.device.type, torch.bfloat16)
    return nullcontext()


def _fakes(state: TrainState, count: int, grad: bool) -> torch.Tensor:
    z = draw_latents(state, count)
    with torch.set_grad_enabled(grad), _autocast(state):
        if grad or not state.config.frozen_fakes:
            return state.generator(z)
        state.generator.eval()
        fakes = state.generator(z)
        state.generator.train()
        return fakes


def _apply(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def update_discriminator(state: TrainState, real: torch.Tensor, fake: torch.Tensor) -> None:
    """One update (two with ``d_split``) on real and fake images ``N,C,H,W`` in [-1, 1]."""
    c, loss, d = state.config, LOSSES[state.config.loss], state.discriminator
    fake = fake.detach()
    if c.d_split:
        assert loss.d_real is not None and loss.d_fake is not None
        with _autocast(state):
            real_logits = d(real)
            loss_real = loss.d_real(real_logits.float())
        _apply(state.d_optimizer, loss_real)
        with _autocast(state):
            fake_logits = d(fake)
            loss_fake = loss.d_fake(fake_logits.float())
        _apply(state.d_optimizer, loss_fake)
        total = (loss_real + loss_fake) / 2
    else:
        penalise = (c.r1_gamma > 0 or c.r2_gamma > 0) and state.updates % c.r1_every == 0
        real = real.detach().requires_grad_(penalise and c.r1_gamma > 0)
        fake = fake.requires_grad_(penalise and c.r2_gamma > 0)
        with _autocast(state):
            real_logits, fake_logits = d(real), d(fake)
        real_logits, fake_logits = real_logits.float(), fake_logits.float()
        total = objective = loss.d(real_logits, fake_logits)
        if real.requires_grad:
            r1 = gradient_penalty(real_logits, real)
            state.record("r1", r1)
            objective = objective + r1 * (c.r1_gamma * c.r1_every)
        if fake.requires_grad:
            r2 = gradient_penalty(fake_logits, fake)
            state.record("r2", r2)
            objective = objective + r2 * (c.r2_gamma * c.r1_every)
        _apply(state.d_optimizer, objective)
    state.record("loss_d", total)
    for side, logits, right in (
        ("real", real_logits, real_logits > 0),
        ("fake", fake_logits, fake_logits < 0),
    ):
        state.record(f"score_{side}", logits)
        state.record(f"accuracy_{side}", right.float())


def update_generator(state: TrainState, fake: torch.Tensor, real: torch.Tensor) -> None:
    """One update through ``fake``, which still hangs on the generator's graph."""
    loss, d = LOSSES[state.config.loss], state.discriminator
    d.requires_grad_(False)  # saves the weight gradients, a third of the discriminator's cost
    with _autocast(state):
        fake_logits = d(fake)
        real_logits = d(real) if loss.needs_real else None
    value = loss.g(fake_logits.float(), None if real_logits is None else real_logits.float())
    _apply(state.g_optimizer, value)
    d.requires_grad_(True)
    state.record("loss_g", value)


def train_step(state: TrainState, next_real: Callable[[int, int], torch.Tensor]) -> None:
    """One update of both networks; ``next_real(start, count)`` gives real images by global index."""
    c = state.config
    set_lr(state)
    # Dropout and the like draw from torch's own generator: set by count, so that a resumed run agrees.
    torch.manual_seed(rng.torch_seed(c.seed, "step", state.updates))
    fake = real = torch.empty(0)
    for i in range(c.d_updates):
        real = next_real(state.images_seen, c.batch)
        keep = c.reuse_fakes and i == c.d_updates - 1
        fake = _fakes(state, c.batch, grad=keep)
        update_discriminator(state, real, fake)
        state.images_seen += c.batch
    if not c.reuse_fakes:
        fake = _fakes(state, c.g_batch or c.batch, grad=True)
    update_generator(state, fake, real.detach())
    if state.ema is not None:
        shown = c.batch * c.d_updates
        update_ema(
            state.ema, state.generator, ema_decay(shown, c.ema_halflife_kimg, state.images_seen, c.ema_rampup)
        )
    state.updates += 1
