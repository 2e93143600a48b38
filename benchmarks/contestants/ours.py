"""A recipe of facegan, by the same steps that ``facegan train`` takes."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from contestants import Setting
from contestants.translators import TranslationSetting
from facegan.generator import Latent, describe
from facegan.metrics.image_sets import FIRST_SEED
from facegan.recipes.config import TrainConfig, check, override
from facegan.recipes.table import recipe
from facegan.training.checkpoint import load_checkpoint, save_checkpoint
from facegan.training.initialization import create_state, with_precision
from facegan.training.objective import objective_of, train_step
from facegan.training.sampler import ImageSampler
from facegan.training.snapshot import sampling_generator
from facegan.training.state import TrainState


def _value(text: str) -> Any:
    """``true``, ``3``, ``0.5``, or else the text itself."""
    try:
        return text == "true" if text in ("true", "false") else literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _config(name: str, setting: Setting | TranslationSetting, **changes: Any) -> TrainConfig:
    """Return the recipe's configuration with what the setting asks for."""
    changes["seed"] = setting.seed
    if setting.batch:
        changes["batch"] = setting.batch
    for text in setting.options:
        key, _, value = text.partition("=")
        changes[key] = _value(value)
    return with_precision(check(override(recipe(name), changes)), setting.device)


class _Recipe:
    """What recipes of both kinds share: ``network`` is the run's state, ``feed`` its sampler."""

    network: TrainState
    feed: ImageSampler
    folder: Path

    @property
    def images_seen(self) -> int:
        return self.network.images_seen

    @property
    def updates(self) -> int:
        return self.network.updates

    def update(self) -> None:
        train_step(self.network, self.feed)

    def state(self) -> dict[str, Any]:
        """Lies in a checkpoint of its own, which the next ones leave there for a while."""
        return {"checkpoint": save_checkpoint(self.network, self.folder).name}

    def load(self, state: dict[str, Any]) -> None:
        load_checkpoint(self.network, self.folder / state["checkpoint"])


class Ours(_Recipe):
    """A recipe that generates pictures from noise."""

    def __init__(self, name: str, setting: Setting) -> None:
        config = _config(name, setting)
        _, h, w, c = setting.images.shape
        latent = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
        self.metadata = describe(
            config.family,
            config.model,
            latent,
            image_shape=(c, h, w),
            provenance={"recipe": name},
            alignment={},
            licence="that of its training pictures",
        )
        self.settings = ", ".join((f"`{name}`, batch {config.batch}, {config.precision}", *setting.options))
        self.network = create_state(config, (c, h, w), setting.device)
        self.feed = ImageSampler(setting.images, config, setting.device)
        self.folder = setting.folder / "checkpoints"

    @torch.no_grad()
    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        generator = sampling_generator(self.network, self.metadata)
        title = "weights as they are" if self.network.ema is None else "moving average"
        yield title, generator.sample(range(FIRST_SEED, FIRST_SEED + count))


class OurTranslator(_Recipe):
    """A recipe that turns pictures into pictures."""

    def __init__(self, name: str, setting: TranslationSetting) -> None:
        config = _config(name, setting, **({"input": setting.task} if setting.paired else {}))
        _, h, w, c = setting.targets.shape
        self.objective, self.held_out = objective_of(config), setting.held_out
        self.metadata = self.objective.header(
            config, (c, h, w), provenance={"recipe": name}, alignment={}, licence=""
        )
        self.settings = ", ".join((f"`{name}`, batch {config.batch}, {config.precision}", *setting.options))
        self.network = create_state(config, (c, h, w), setting.device)
        first, beside = (setting.targets, None) if setting.paired else (setting.inputs, setting.targets)
        self.feed = self.objective.sampler(first, config, setting.device, beside=beside)
        self.folder = setting.folder / "checkpoints"

    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        model = self.objective.model(self.network, self.metadata)
        yield "moving average", model.translate(self.held_out[:count])
