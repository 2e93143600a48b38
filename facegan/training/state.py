"""The state of a run, and the contract of what trains it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import torch

from facegan import distributed
from facegan.augment.adaptive import AdaptiveStrength
from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork, Network
from facegan.recipes.config import TrainConfig
from facegan.training.sampler import ImageSampler

Slice = tuple[int, int]
"""Images ``low .. high - 1`` of a batch."""
Statistics = dict[str, torch.Tensor]
"""Numbers by name, of which the run records the means."""
TYPICAL_P = 0.3  # an adaptive augmentation's probability, where the run has not adapted it yet


class Objective(ABC):
    """What a run trains. Its module holds one instance, called ``OBJECTIVE``."""

    averages: ClassVar[Mapping[str, str]]
    """Name of a moving average -> name of the network of which it is one."""

    @abstractmethod
    def build(self, config: TrainConfig, image_shape: Sequence[int], label_dim: int) -> Mapping[str, Network]:
        """Return fresh networks by name; ``config.model`` has the settings of each under the same name."""

    @abstractmethod
    def steps_per_update(self, config: TrainConfig) -> Mapping[str, int]:
        """Return how many steps each network's optimiser takes in one update."""

    @abstractmethod
    def update(self, state: TrainState, sampler: ImageSampler) -> None:
        """Train every network once, and move the counts of ``state`` on."""


@dataclass
class TrainState:
    """Everything that a checkpoint holds, and where it lies."""

    config: TrainConfig
    objective: Objective
    networks: dict[str, Network]
    """The trained networks by name, and the moving averages of some of them."""
    optimizers: dict[str, torch.optim.Optimizer]
    """By the name of the network."""
    device: torch.device
    dtype: torch.dtype = torch.float32
    images_seen: int = 0
    fakes_drawn: int = 0
    updates: int = 0
    seconds: float = 0.0
    lr_scale: float = 1.0
    """Factor of all learning rates, which the watchdog lowers."""
    label_dim: int = 0
    augment: AdaptiveStrength = field(default_factory=AdaptiveStrength)
    path_mean: torch.Tensor | float = 0.0
    """Running mean of path lengths."""
    begun_with: str = ""
    images_before: int = 0
    """Images that the networks had seen before this run (``init``)."""
    watch: dict[str, Any] = field(default_factory=dict)
    """The watchdog's memory."""
    best: dict[str, Any] = field(default_factory=dict)
    """The best checkpoint by the run's metric: how it was measured, ``value`` and ``images_seen``."""
    sums: Statistics = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    # --- networks -----------------------------------------------------------------------------

    @property
    def generator(self) -> GeneratorNetwork:
        return cast(GeneratorNetwork, self.networks["generator"])

    @property
    def discriminator(self) -> DiscriminatorNetwork:
        return cast(DiscriminatorNetwork, self.networks["discriminator"])

    @property
    def ema(self) -> GeneratorNetwork | None:
        """The generator's moving average; None if the run keeps none."""
        return cast("GeneratorNetwork | None", self.networks.get("ema"))

    def settings(self, name: str) -> OptimizerConfig:
        """Return the settings of the named network."""
        return cast(OptimizerConfig, vars(self.config.model)[name])

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which networks compute: mixed precision if the run has bfloat16."""
        if self.config.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def step(
        self, name: str, loss: Callable[[Slice], tuple[torch.Tensor, Statistics]], slices: Iterable[Slice]
    ) -> None:
        """Take one step of the named network's optimiser.

        Args:
            name: the network.
            loss: maps a slice of the batch to its mean loss, and statistics to record.
            slices: this process's share of the batch; gradients are means over slices and processes.
        """
        network, optimizer, settings = self.networks[name], self.optimizers[name], self.settings(name)
        optimizer.zero_grad(set_to_none=True)
        for part in slices:
            value, statistics = loss(part)
            for key, number in statistics.items():
                self.record(key, number)
            (value / self.config.accumulate).backward()
        distributed.average_gradients(network.parameters())
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        self.record(f"grad_{name[0]}", torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt())
        if settings.eps_hat:
            # torch divides by sqrt(v / (1 - b2^t)) + e; Keras corrects sqrt(v) + eps as a whole.
            done = next((int(values["step"]) for values in optimizer.state.values()), 0)
            for group in optimizer.param_groups:
                group["eps"] = settings.eps / math.sqrt(1.0 - settings.beta2 ** (done + 1))
        optimizer.step()

    def forget_moments(self) -> None:
        """Let all optimisers begin again."""
        for optimizer in self.optimizers.values():
            optimizer.state.clear()

    # --- statistics ---------------------------------------------------------------------------

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

    def take_means(self) -> dict[str, float]:
        """Return the means since the last call, over all processes."""
        self.share_sums()
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


def as_if_finished(state: TrainState) -> TrainState:
    """Return the state as after the run's last image, for measuring what the longest updates take.

    Networks that grow are grown, schedules have come to rest, and an adaptive augmentation is at work.
    """
    c = state.config
    state.images_seen = state.fakes_drawn = round(c.kimg * 1000) // c.batch * c.batch
    if c.augment_target:
        state.augment.p = max(state.augment.p, min(TYPICAL_P, c.augment_max))
    return state


def check_split(config: TrainConfig, processes: int) -> None:
    """Raise ConfigError if the batches cannot be shared equally between the processes."""
    share = processes * config.accumulate
    counts: Mapping[str, int] = {"--batch": config.batch, "--g-batch": config.g_batch}
    for flag, count in counts.items():
        if count % share:
            raise ConfigError(
                f"{flag} {count} cannot be shared by {processes} processes with --accumulate "
                f"{config.accumulate}; choose a multiple of {share}"
            )
