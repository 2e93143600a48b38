"""What an update changes, what a checkpoint holds, and what belongs to an image's global index."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from facegan import distributed, rng
from facegan.augment.adaptive import AdaptiveStrength
from facegan.devices import send
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.generator import Latent
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork
from facegan.layers.optimizers import Adam
from facegan.layers.schedule import cosine
from facegan.recipes.config import TrainConfig
from facegan.training.initialization import freeze, initialise

Part = tuple[int, int]  # images low .. high - 1 of a batch
TYPICAL_P = 0.3  # an adaptive augmentation's, where the run is not so far yet


@dataclass
class TrainState:
    """Everything that a checkpoint holds. ``ema`` is the averaged generator, or None without one."""

    config: TrainConfig
    generator: GeneratorNetwork
    discriminator: DiscriminatorNetwork
    ema: GeneratorNetwork | None
    g_optimizer: torch.optim.Optimizer
    d_optimizer: torch.optim.Optimizer
    device: torch.device
    dtype: torch.dtype = torch.float32
    images_seen: int = 0
    fakes_drawn: int = 0
    updates: int = 0
    seconds: float = 0.0
    lr_scale: float = 1.0  # of the learning rates, lowered by the watchdog
    label_dim: int = 0
    augment: AdaptiveStrength = field(default_factory=AdaptiveStrength)
    path_mean: torch.Tensor | float = 0.0  # running mean of path lengths
    begun_with: str = ""
    images_before: int = 0  # that the networks had seen before this run, with ``init``
    watch: dict[str, Any] = field(default_factory=dict)  # the watchdog's memory
    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def record(self, name: str, value: torch.Tensor) -> None:
        """Add to a running mean, without waiting for the device."""
        mean, before = value.detach().float().mean(), self.sums.get(name)
        self.sums[name] = mean if before is None else before + mean
        self.counts[name] = self.counts.get(name, 0) + 1

    def share_sums(self) -> None:
        """Replace the sums by their means over processes."""
        if distributed.world() > 1 and self.sums:
            joined = distributed.mean(torch.stack([self.sums[name] for name in sorted(self.sums)]))
            self.sums = dict(zip(sorted(self.sums), joined.unbind(), strict=True))

    def forget_moments(self) -> None:
        """Let both optimisers begin again."""
        for optimizer in (self.g_optimizer, self.d_optimizer):
            optimizer.state.clear()

    def take_means(self) -> dict[str, float]:
        """Means since the last call, over all processes."""
        self.share_sums()
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


def create_state(
    config: TrainConfig, image_shape: Sequence[int], device: torch.device,
    dtype: torch.dtype = torch.float32, label_dim: int = 0, resuming: bool = False,
) -> TrainState:  # fmt: skip
    """Fresh networks and optimisers; weights depend on ``config.seed`` alone.

    ``label_dim`` numbers of condition go with each image; ConfigError if the family takes none. With
    ``--init`` the weights are that model's, unless a checkpoint is to follow (``resuming``).
    """
    family = get_family(config.family)
    torch.manual_seed(rng.torch_seed(config.seed, "weights", 0))
    generator = family.build_generator(config.model.generator, image_shape, config.latent.dim, label_dim)
    discriminator = family.build_discriminator(config.model.discriminator, image_shape, label_dim)
    # Channels-last is the layout in which convolutions are fastest on current CPUs and GPUs.
    for network in (generator, discriminator):
        network.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        network.train()
    freeze(discriminator, config.freeze_d)
    if config.accumulate > 1:
        # Fakes that serve both networks are drawn once in one piece, in several once for each network.
        again = (config.d_updates + 1) / config.d_updates if config.reuse_fakes else 1
        generator.pieces = config.accumulate * again
    ema = deepcopy(generator).eval().requires_grad_(False) if config.ema_halflife_kimg > 0 else None
    state = TrainState(
        config, generator, discriminator, ema,
        _adam(generator, config.model.generator), _adam(discriminator, config.model.discriminator), device,
        dtype, label_dim=label_dim,
        augment=AdaptiveStrength(
            target=config.augment_target, interval=4 * config.accumulate * config.d_updates,
            speed_kimg=config.augment_kimg, cap=config.augment_max, p=config.augment_p,
        ),
    )  # fmt: skip
    if config.init and not resuming:
        state.begun_with = initialise(state, config.init, image_shape)
    return state


def _adam(module: nn.Module, settings: Any) -> torch.optim.Optimizer:
    betas = (settings.beta1, settings.beta2)
    trained = [p for p in module.parameters() if p.requires_grad]
    return Adam(trained, settings.lr, betas, settings.eps, fused=True)


def schedule(state: TrainState, start: float, end: float) -> float:
    """From ``start`` to ``end`` along half a cosine within ``burnin_kimg``."""
    return cosine(start, end, state.images_seen, state.config.burnin_kimg)


def set_rates(state: TrainState) -> None:
    """Learning rates and moments' decay of this update: warm-up, Keras's decay, burn-in, linear cool-down.

    All from counts alone.
    """
    c = state.config
    factor = schedule(state, c.burnin_lr, 1.0)
    if c.warmup_kimg > 0:
        factor *= min(1.0, (state.images_seen + c.batch) / (c.warmup_kimg * 1000))
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
            if c.burnin_beta2:
                group["betas"] = (settings.beta1, schedule(state, c.burnin_beta2, settings.beta2))


@dataclass(frozen=True)
class Batch:
    """Images ``start .. start + count - 1`` of the run, real or generated, by their global index."""

    start: int
    count: int


def parts(state: TrainState, count: int) -> list[Part]:
    """This process's share of a batch of ``count``, cut into ``accumulate`` pieces."""
    pieces = state.config.accumulate
    size = count // (distributed.world() * pieces)
    first = distributed.rank() * pieces if distributed.world() > 1 else 0
    return [((first + i) * size, (first + i + 1) * size) for i in range(pieces)]


def draw_latents(
    state: TrainState, batch: Batch, part: Part | None = None, purpose: str = "latent"
) -> torch.Tensor:
    """Training latents ``N,dim`` of a part of a batch of generated images."""
    c = state.config.latent
    low, high = part or (0, batch.count)
    normal = torch.from_numpy(rng.normal(state.config.seed, purpose, batch.start + low, high - low, c.dim))
    prior = Latent(
        c.kind,
        c.dim,
        c.mean if c.train_mean is None else c.train_mean,
        c.std if c.train_std is None else c.train_std,
    )
    return send(prior.shape_normal(normal).to(state.dtype), state.device)


def next_fakes(state: TrainState, count: int) -> Batch:
    """The next ``count`` generated images; drawing them counts."""
    batch = Batch(state.fakes_drawn, count)
    state.fakes_drawn += count
    return batch


def at_the_end(state: TrainState) -> TrainState:
    """As after the run's last image, when networks that grow are grown, schedules have come to rest, and an
    augmentation that begins at nothing is at work."""
    c = state.config
    state.images_seen = state.fakes_drawn = round(c.kimg * 1000) // c.batch * c.batch
    if c.augment_target:
        state.augment.p = max(state.augment.p, min(TYPICAL_P, c.augment_max))
    return state


def check_split(config: TrainConfig, processes: int) -> None:
    """ConfigError if the batches cannot be shared equally between the processes."""
    share = processes * config.accumulate
    for name in ("batch", "g_batch"):
        if getattr(config, name) % share:
            raise ConfigError(
                f"--{name.replace('_', '-')} {getattr(config, name)} cannot be shared by {processes} "
                f"processes with --accumulate {config.accumulate}; choose a multiple of {share}"
            )
