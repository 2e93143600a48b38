"""The table of objectives, and one update by the objective of a run.

An objective is a module with an instance of :class:`facegan.training.state.Objective`, called ``OBJECTIVE``,
and a row here, which a family names. Everything else in training knows named networks and optimisers alone.
"""

from __future__ import annotations

import importlib
from typing import cast

from facegan.families import get_family
from facegan.recipes.choice import image_shape
from facegan.recipes.config import TrainConfig
from facegan.training.sampler import ImageSampler
from facegan.training.state import Objective, Sources, TrainState

OBJECTIVES = {
    "adversarial": "facegan.training.adversarial",
    "paired": "facegan.training.paired",
    "cycle": "facegan.training.cycle",
}


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


def check_sources(config: TrainConfig, sources: Sources) -> tuple[int, int, int]:
    """Return (C, H, W) of the pictures; ConfigError if the datasets are not what the recipe needs."""
    shape = image_shape(config, sources.data)
    objective = objective_of(config)
    objective.check(config)
    objective.check_sources(config, sources)
    return shape
