"""The state of a run, and the contract of what trains it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

import numpy as np
import torch
from torch import nn

from facegan import distributed
from facegan.augment.adaptive import AdaptiveStrength
from facegan.data.dataset import Dataset
from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork, Network
from facegan.recipes.config import TrainConfig
from facegan.training.gallery import Gallery, HeldOutMetric, Model
from facegan.training.sampler import ImageSampler

Slice = tuple[int, int]
"""Images ``low .. high - 1`` of a batch."""
Statistics = dict[str, torch.Tensor]
"""Numbers by name, of which the run records the means."""
TYPICAL_P = 0.3  # an adaptive augmentation's probability, where the run has not adapted it yet


@dataclass(frozen=True)
class Sources:
    """The datasets of a run."""

    data: Dataset
    to: Dataset | None = None
    """The second domain, if the objective has two."""


Examples = dict[str, tuple[nn.Module, tuple[Any, ...]]]
"""For ``generator`` and ``discriminator``, a network of the kind and its inputs."""


class Objective(ABC):
    """What a run trains. Its module holds one instance, called ``OBJECTIVE``.

    Names of networks begin with ``generator`` or ``discriminator``, the fields of ``config.model`` with their
    settings: ``generator_ab`` has those of ``generator``.
    """

    averages: ClassVar[Mapping[str, str]]
    """Name of a moving average -> name of the network of which it is one."""

    # --- what there is to train ---------------------------------------------------------------

    def check(self, config: TrainConfig) -> None:  # noqa: B027
        """Raise ConfigError for settings that mean nothing to this objective."""

    def check_sources(self, config: TrainConfig, sources: Sources) -> None:
        """Raise ConfigError if the datasets are not what this objective trains on."""
        if sources.to is not None:
            raise ConfigError(
                f"--to {sources.to.path}: {config.recipe or 'this recipe'} trains on one dataset; a second "
                "one is for recipes such as cyclegan-64"
            )

    def beside(self, config: TrainConfig, sources: Sources) -> np.ndarray | None:
        """Return the second pictures, uint8 ``N,H,W,C``: inputs, or the other domain; None without any."""
        return None

    def sampler(
        self, images: np.ndarray, config: TrainConfig, device: torch.device, **more: np.ndarray | None
    ) -> ImageSampler:
        """Return what draws batches; ``more`` may contain the labels' ``table``, and ``beside``."""
        return ImageSampler(images, config, device, table=more.get("table"))

    def initialise(self, state: TrainState, given: Given, image_shape: Sequence[int]) -> str:
        """Put trained weights into fresh networks; return a line that says which.

        Raises:
            ConfigError: They do not fit.
        """
        raise ConfigError(f"--init {given.reference}: this objective cannot begin with a trained model")

    def bounded(self, config: TrainConfig) -> bool:
        """Return whether a discriminator whose loss is next to 0 teaches the generator nothing any more."""
        return False

    @abstractmethod
    def build(self, config: TrainConfig, image_shape: Sequence[int], label_dim: int) -> Mapping[str, Network]:
        """Return fresh networks by name; ``config.model`` has the settings of each under the same name."""

    # --- how it is trained --------------------------------------------------------------------

    @abstractmethod
    def steps_per_update(self, config: TrainConfig) -> Mapping[str, int]:
        """Return how many steps each network's optimiser takes in one update."""

    @abstractmethod
    def update(self, state: TrainState, sampler: ImageSampler) -> None:
        """Train every network once, and move the counts of ``state`` on."""

    # --- what it makes ------------------------------------------------------------------------

    @abstractmethod
    def header(self, config: TrainConfig, image_shape: Sequence[int], **more: Any) -> dict[str, Any]:
        """Return the header of this run's models; ``more`` has provenance, alignment and licence."""

    @abstractmethod
    def model(self, state: TrainState, metadata: dict[str, Any]) -> Model:
        """Return a copy of the networks as they are used, which further training does not change."""

    @abstractmethod
    def gallery(self, state: TrainState, sampler: ImageSampler, sources: Sources, **more: Any) -> Gallery:
        """Return what draws the sheets; ``more`` has the ``run`` folder and the ``quality`` of the caller."""

    @abstractmethod
    def metric(self, config: TrainConfig, sources: Sources, device: torch.device) -> HeldOutMetric:
        """Return the metric that ``config.metric`` names."""

    def renews_statistics(self, state: TrainState) -> bool:
        """Return whether each copy for use gathers statistics of batch norm of its own."""
        return False

    @abstractmethod
    def examples(self, state: TrainState, image_shape: Sequence[int], count: int) -> Examples:
        """Return networks of both kinds with inputs for ``count`` pictures (C, H, W)."""


@dataclass(frozen=True)
class Given:
    """The trained weights with which a run begins (``--init``)."""

    reference: str
    metadata: dict[str, Any]
    """The header of the model."""
    model: dict[str, torch.Tensor]
    """The model's own tensors."""
    networks: dict[str, dict[str, torch.Tensor]]
    """Tensors of a checkpoint's networks and averages by name; {} of a mere model."""


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
    extra: dict[str, torch.Tensor] = field(default_factory=dict)
    """Further tensors of the objective, such as pools of earlier pictures."""
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
        return settings_of(self.config, name)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which networks compute: mixed precision if the run has bfloat16."""
        if self.config.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def step(
        self,
        names: str | Sequence[str],
        loss: Callable[[Slice], tuple[torch.Tensor, Statistics]],
        slices: Iterable[Slice],
    ) -> None:
        """Take one step of the optimiser of each named network.

        Args:
            names: the network, or several that learn from one loss.
            loss: maps a slice of the batch to its mean loss, and statistics to record.
            slices: this process's share of the batch; gradients are means over slices and processes.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        for name in names:
            self.optimizers[name].zero_grad(set_to_none=True)
        for part in slices:
            value, statistics = loss(part)
            for key, number in statistics.items():
                self.record(key, number)
            (value / self.config.accumulate).backward()
        parameters = [p for name in names for p in self.networks[name].parameters()]
        distributed.average_gradients(parameters)
        gradients = [p.grad for p in parameters if p.grad is not None]
        self.record(f"grad_{names[0][0]}", torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt())
        for name in names:
            optimizer, settings = self.optimizers[name], self.settings(name)
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


def settings_of(config: TrainConfig, name: str) -> OptimizerConfig:
    """Return the settings of a network: those of ``generator_ab`` are those of ``generator``."""
    return cast(OptimizerConfig, vars(config.model)[name.partition("_")[0]])


@contextmanager
def without_gradients(*networks: Network) -> Iterator[None]:
    """Save the gradients of networks that only judge in an update, a third of their cost."""
    trained = [p for network in networks for p in network.parameters() if p.requires_grad]
    for p in trained:
        p.requires_grad_(False)
    yield
    for p in trained:
        p.requires_grad_(True)


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
