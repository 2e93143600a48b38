"""A recipe of facegan, by the same steps that ``facegan train`` takes."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from contestants import Setting
from facegan.generator import Latent, describe
from facegan.metrics.image_sets import FIRST_SEED
from facegan.recipes.config import check, override
from facegan.recipes.table import recipe
from facegan.training.checkpoint import load_checkpoint, save_checkpoint
from facegan.training.initialization import create_state, with_precision
from facegan.training.objective import train_step
from facegan.training.sampler import ImageSampler
from facegan.training.snapshot import sampling_generator


def _value(text: str) -> Any:
    """``true``, ``3``, ``0.5``, or else the text itself."""
    try:
        return text == "true" if text in ("true", "false") else literal_eval(text)
    except (ValueError, SyntaxError):
        return text


class Ours:
    def __init__(self, name: str, setting: Setting) -> None:
        changes: dict[str, Any] = {"seed": setting.seed}
        if setting.batch:
            changes["batch"] = setting.batch
        for text in setting.options:
            key, _, value = text.partition("=")
            changes[key] = _value(value)
        config = with_precision(check(override(recipe(name), changes)), setting.device)
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

    @torch.no_grad()
    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        generator = sampling_generator(self.network, self.metadata)
        title = "weights as they are" if self.network.ema is None else "moving average"
        yield title, generator.sample(range(FIRST_SEED, FIRST_SEED + count))
