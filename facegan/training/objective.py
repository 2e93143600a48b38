"""The contract of an objective: which networks a run trains, and what one update does with them.

The trainer, checkpoints, the watchdog and the report know named networks and optimisers alone. Adversarial
training from noise is one objective (:mod:`facegan.training.adversarial`); another one is a module with an
instance of :class:`Objective` and a row of ``OBJECTIVES``, which a family names.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from facegan.families import get_family
from facegan.layers.network import Network
from facegan.recipes.config import TrainConfig
from facegan.training.sampler import Sampler

if TYPE_CHECKING:
    from facegan.training.state import TrainState

OBJECTIVES = {"adversarial": "facegan.training.adversarial"}


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
    def update(self, state: TrainState, sampler: Sampler) -> None:
        """Train every network once, and move the counts of ``state`` on."""


def objective_of(config: TrainConfig) -> Objective:
    """Return the objective of the configuration's family."""
    module = importlib.import_module(OBJECTIVES[get_family(config.family).objective])
    return cast(Objective, module.OBJECTIVE)


def train_step(state: TrainState, sampler: Sampler) -> None:
    """Make one update of all networks of ``state``.

    Raises:
        ConfigError: batch norm sees only one picture at a time.
    """
    state.objective.update(state, sampler)
