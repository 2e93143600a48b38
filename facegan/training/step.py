"""One update of both networks, and the state that it changes.

An update can be cut into pieces (``accumulate``) and shared between processes; whatever is drawn
belongs to an image's global index, so that the cut changes nothing but the order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from facegan import rng
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.generator import Latent
from facegan.losses.adversarial import LOSSES
from facegan.losses.penalties import gradient_penalty
from facegan.nets import parallel
from facegan.nets.ema import ema_decay, update_ema
from facegan.training.config import TrainConfig

Part = tuple[int, int]  # images low .. high - 1 of a batch


class Feed(Protocol):
    """Images ``N,C,H,W`` in [-1, 1]: part ``low .. high - 1`` of the batch that begins at ``start``."""

    def __call__(self, start: int, count: int, part: Part | None = None) -> torch.Tensor: ...


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
    dtype: torch.dtype = torch.float32
    images_seen: int = 0
    fakes_drawn: int = 0
    updates: int = 0
    seconds: float = 0.0
    lr_scale: float = 1.0  # of the learning rates, lowered by the watchdog
    watch: dict[str, Any] = field(default_factory=dict)  # the watchdog's memory
    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def record(self, name: str, value: torch.Tensor) -> None:
        """Add to a running mean, without waiting for the device."""
        self.sums[name] = (
            self.sums.get(name, torch.zeros((), device=self.device)) + value.detach().float().mean()
        )
        self.counts[name] = self.counts.get(name, 0) + 1

    def share_sums(self) -> None:
        """Replace the sums by their means over processes."""
        if parallel.world() > 1 and self.sums:
            joined = parallel.mean(torch.stack([self.sums[name] for name in sorted(self.sums)]))
            self.sums = dict(zip(sorted(self.sums), joined.unbind(), strict=True))

    def take_means(self) -> dict[str, float]:
        """Means since the last call, over all processes."""
        self.share_sums()
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


def create_state(
    config: TrainConfig, image_shape: Sequence[int], device: torch.device, dtype: torch.dtype = torch.float32
) -> TrainState:
    """Fresh networks and optimisers; weights depend on ``config.seed`` alone."""
    family = get_family(config.family)
    torch.manual_seed(rng.torch_seed(config.seed, "weights", 0))
    generator = family.build_generator(config.model.generator, image_shape, config.latent.dim)
    discriminator = family.build_discriminator(config.model.discriminator, image_shape)
    # Channels-last is the layout in which convolutions are fastest on current CPUs and GPUs.
    networks = [
        m.to(device=device, dtype=dtype, memory_format=torch.channels_last)
        for m in (generator, discriminator)
    ]
    generator, discriminator = networks[0].train(), networks[1].train()
    ema = deepcopy(generator).eval().requires_grad_(False) if config.ema_halflife_kimg > 0 else None
    return TrainState(
        config, generator, discriminator, ema,
        _adam(generator, config.model.generator), _adam(discriminator, config.model.discriminator), device,
        dtype,
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
            group["lr"] = settings.lr * state.lr_scale * factor / (1.0 + settings.lr_decay * updates)


@dataclass(frozen=True)
class Batch:
    """Images ``start .. start + count - 1`` of the run, real or generated, by their global index."""

    start: int
    count: int


def parts(state: TrainState, count: int) -> list[Part]:
    """This process's share of a batch of ``count``, cut into ``accumulate`` pieces."""
    pieces = state.config.accumulate
    size = count // (parallel.world() * pieces)
    first = parallel.rank() * pieces if parallel.world() > 1 else 0
    return [((first + i) * size, (first + i + 1) * size) for i in range(pieces)]


def draw_latents(state: TrainState, batch: Batch, part: Part | None = None) -> torch.Tensor:
    """Training latents ``N,dim`` of a part of a batch of generated images."""
    c = state.config.latent
    low, high = part or (0, batch.count)
    normal = torch.from_numpy(rng.normal(state.config.seed, "latent", batch.start + low, high - low, c.dim))
    prior = Latent(
        c.kind,
        c.dim,
        c.mean if c.train_mean is None else c.train_mean,
        c.std if c.train_std is None else c.train_std,
    )
    return prior.shape_normal(normal).to(state.device, state.dtype)


def next_fakes(state: TrainState, count: int) -> Batch:
    """The next ``count`` generated images; drawing them counts."""
    batch = Batch(state.fakes_drawn, count)
    state.fakes_drawn += count
    return batch


def _autocast(state: TrainState) -> AbstractContextManager[Any]:
    if state.config.precision == "bfloat16":
        return torch.autocast(state.device.type, torch.bfloat16)
    return nullcontext()


def _generate(state: TrainState, batch: Batch, part: Part, grad: bool) -> torch.Tensor:
    z = draw_latents(state, batch, part)
    with torch.set_grad_enabled(grad), _autocast(state):
        if grad or not state.config.frozen_fakes:
            return state.generator(z)
        state.generator.eval()
        fakes = state.generator(z)
        state.generator.train()
        return fakes


def _judge(state: TrainState, images: torch.Tensor) -> torch.Tensor:
    """Logits ``N``, above 0 for real; a network that learns 1 for generated says the opposite."""
    with _autocast(state):
        logits = state.discriminator(images).to(state.dtype)
    return -logits if state.config.flip_labels else logits


def _noise(state: TrainState, kind: str, batch: Batch, part: Part, logits: torch.Tensor) -> torch.Tensor:
    """What label_noise x U(0, 1) on each label adds to the binary cross entropy.

    BCE(x, t) = softplus(x) - t x on logits, so that t + u adds -u x; where labels are flipped, -x
    takes the place of x.
    """
    c = state.config
    low, high = part
    u = torch.from_numpy(rng.uniform(c.seed, f"label-noise-{kind}", batch.start + low, high - low)[:, 0])
    sign = 1.0 if c.flip_labels else -1.0
    return sign * c.label_noise * (u.to(logits) * logits).mean()


def _update(
    state: TrainState,
    side: str,
    losses: Callable[[Part], torch.Tensor],
    pieces: Iterable[Part],
) -> None:
    """One step of an optimiser on the mean of ``losses`` over the pieces and processes."""
    network, optimizer = (
        (state.generator, state.g_optimizer) if side == "g" else (state.discriminator, state.d_optimizer)
    )
    optimizer.zero_grad(set_to_none=True)
    for part in pieces:
        (losses(part) / state.config.accumulate).backward()
    parallel.average_gradients(network.parameters())
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    state.record(f"grad_{side}", torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt())
    settings = state.config.model.generator if side == "g" else state.config.model.discriminator
    if settings.eps_hat:
        # sqrt(v / (1 - b2^t)) + e is what torch divides by; sqrt(v) + eps, corrected as a whole, is Keras's.
        done = next((int(values["step"]) for values in optimizer.state.values()), 0)
        for group in optimizer.param_groups:
            group["eps"] = settings.eps / math.sqrt(1.0 - settings.beta2 ** (done + 1))
    optimizer.step()


def update_discriminator(
    state: TrainState, feed: Feed, real: Batch, fake: Batch, shown: torch.Tensor | None
) -> None:
    """One update (two with ``d_split``); ``shown`` are the generated images where they are there already."""
    c, loss = state.config, LOSSES[state.config.loss]
    # Regularised lazily: with the weight raised as much (Karras et al. 2020, appendix B).
    penalised = (c.r1_gamma > 0 or c.r2_gamma > 0) and state.updates % c.r1_every == 0

    def real_logits(part: Part, grad: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        images = feed(real.start, real.count, part).to(state.dtype).requires_grad_(grad)
        logits = _judge(state, images)
        _record_logits(state, "real", logits, logits > loss.boundary)
        return logits, images

    def fake_logits(part: Part, grad: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        images = _generate(state, fake, part, grad=False) if shown is None else shown
        images = images.detach().requires_grad_(grad)
        logits = _judge(state, images)
        _record_logits(state, "fake", logits, logits < loss.boundary)
        return logits, images

    def on_real(part: Part) -> torch.Tensor:
        assert loss.d_real is not None
        logits, _ = real_logits(part)
        value = loss.d_real(logits)
        state.record("loss_real", value)
        return value + _noise(state, "real", real, part, logits) if c.label_noise else value

    def on_fake(part: Part) -> torch.Tensor:
        assert loss.d_fake is not None
        logits, _ = fake_logits(part)
        value = loss.d_fake(logits)
        state.record("loss_fake", value)
        return value + _noise(state, "fake", fake, part, logits) if c.label_noise else value

    def on_both(part: Part) -> torch.Tensor:
        x, real_images = real_logits(part, penalised and c.r1_gamma > 0)
        y, fake_images = fake_logits(part, penalised and c.r2_gamma > 0)
        objective = loss.d(x, y)
        state.record("loss_d", objective)
        if loss.d_real is not None and loss.d_fake is not None:
            with torch.no_grad():
                state.record("loss_real", loss.d_real(x))
                state.record("loss_fake", loss.d_fake(y))
        if c.label_noise:
            noise = _noise(state, "real", real, part, x) + _noise(state, "fake", fake, part, y)
            objective = objective + loss.d_scale * noise
        for name, gamma, logits, images in (
            ("r1", c.r1_gamma, x, real_images),
            ("r2", c.r2_gamma, y, fake_images),
        ):
            if penalised and gamma > 0:
                penalty = gradient_penalty(logits, images)
                state.record(name, penalty)
                objective = objective + penalty * (gamma * c.r1_every)
        return objective

    if c.d_split:
        _update(state, "d", on_real, parts(state, real.count))
        _update(state, "d", on_fake, parts(state, fake.count))
        state.sums["loss_d"] = (state.sums["loss_real"] + state.sums["loss_fake"]) / 2
        state.counts["loss_d"] = state.counts["loss_real"]
    else:
        _update(state, "d", on_both, parts(state, real.count))


def _record_logits(state: TrainState, kind: str, logits: torch.Tensor, right: torch.Tensor) -> None:
    state.record(f"score_{kind}", logits)
    state.record(f"accuracy_{kind}", right.float())


def update_generator(
    state: TrainState, feed: Feed, real: Batch, fake: Batch, shown: torch.Tensor | None
) -> None:
    """One update; ``shown`` are generated images that still hang on the generator's graph."""
    loss, d = LOSSES[state.config.loss], state.discriminator

    def on_fake(part: Part) -> torch.Tensor:
        logits = _judge(state, _generate(state, fake, part, grad=True) if shown is None else shown)
        others = None
        if loss.needs_real:
            others = _judge(state, feed(real.start, real.count, part).to(state.dtype))
        value = loss.g(logits, others)
        state.record("loss_g", value)
        return value

    d.requires_grad_(False)  # saves the weight gradients, a third of the discriminator's cost
    _update(state, "g", on_fake, parts(state, fake.count))
    d.requires_grad_(True)


def train_step(state: TrainState, feed: Feed) -> None:
    """One update of both networks."""
    c = state.config
    set_lr(state)
    # Dropout and the like draw from torch's own generator: set by count, so that a resumed run agrees.
    torch.manual_seed(rng.torch_seed(c.seed, "step", state.updates))
    real = fake = Batch(0, 0)
    shown: torch.Tensor | None = None
    for i in range(c.d_updates):
        real, fake = Batch(state.images_seen, c.batch), next_fakes(state, c.batch)
        if c.accumulate == 1 and not c.frozen_fakes:
            # The last batch of a step serves the generator's update as well: nothing is computed twice.
            keep = c.reuse_fakes and i == c.d_updates - 1
            shown = _generate(state, fake, parts(state, c.batch)[0], grad=keep)
        update_discriminator(state, feed, real, fake, shown)
        state.images_seen += c.batch
    if not c.reuse_fakes:
        fake, shown = next_fakes(state, c.g_batch or c.batch), None
    update_generator(state, feed, real, fake, shown)
    if state.ema is not None:
        count = c.batch * c.d_updates
        update_ema(
            state.ema, state.generator, ema_decay(count, c.ema_halflife_kimg, state.images_seen, c.ema_rampup)
        )
    state.updates += 1


def check_split(config: TrainConfig, processes: int) -> None:
    """ConfigError if the batches cannot be shared equally between the processes."""
    share = processes * config.accumulate
    for name in ("batch", "g_batch"):
        if getattr(config, name) % share:
            raise ConfigError(
                f"--{name.replace('_', '-')} {getattr(config, name)} cannot be shared by {processes} "
                f"processes with --accumulate {config.accumulate}; choose a multiple of {share}"
            )
