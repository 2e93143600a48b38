"""The table of objectives, and one update by the objective of a run.

An objective is a module with an instance of :class:`facegan.training.state.Objective`, called ``OBJECTIVE``,
and a row here, which a family names. Everything else in training knows named networks and optimisers alone.
"""

from __future__ import annotations

import importlib
from typing import cast

from facegan.families import get_family
from facegan.recipes.config import TrainConfig
from facegan.training.sampler import ImageSampler
from facegan.training.state import Objective, TrainState

OBJECTIVES = {"adversarial": "facegan.training.adversarial"}


def objective_of(config: TrainConfig) -> Objective:
    """Return the objective of the configuration's family."""
    module = importlib.import_module(OBJECTIVES[get_family(config.family).objective])
    return cast(Objective, module.OBJECTIVE)


def train_step(state: TrainState, sampler: ImageSampler) -> None:
    """Make one update of all networks of ``state``.

    Raises:
        ConfigError: batch norm sees only one picture at a time.
    """
    state.objective.update(state, sampler)
