"""What is shown of a generator: the grid of fixed seeds, and what is measured with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from facegan import rng
from facegan.data.dataset import Dataset
from facegan.errors import ConfigError, InputError, ModelError
from facegan.generator import Generator
from facegan.images import grid, to_float, to_uint8
from facegan.losses.adversarial import LOSSES
from facegan.metrics.random_features import mean_pairwise_distance
from facegan.metrics.validation import ValidationMetric
from facegan.recipes.config import TrainConfig
from facegan.runs.folder import RunFolder
from facegan.training.gallery import Drawn, Gallery
from facegan.training.sampler import ImageSampler
from facegan.training.state import TrainState

COMPARED_REALS = 128  # real pictures whose distances the diversity of a grid is compared with

Quality = Callable[[Generator], dict[str, float]]


class Samples(Gallery):
    """Draws samples of the seeds 0 and up."""

    def __init__(
        self, state: TrainState, sampler: ImageSampler, run: RunFolder, *, quality: Quality | None
    ) -> None:
        self.state, self.sampler, self.run, self.quality = state, sampler, run, quality
        self._real_distance: float | None = None

    def draw(self, model: Generator, images_seen: int) -> Drawn:
        c = self.state.config
        pictures = model.sample(c.grid_count)
        self.run.name_grid(model.hash, len(pictures))
        found = dict(self.quality(model)) if self.quality is not None else {}
        if c.eval_count:
            found |= self._accuracy(pictures[: c.eval_count])
        if c.save_pairs:
            real = to_uint8(self.sampler(max(images_seen - c.batch, 0), c.batch, (0, 1)))[0]
            self.run.save_pair(images_seen, real, pictures[0])
        if len(pictures) > 1:
            distance = mean_pairwise_distance(pictures[:COMPARED_REALS])
            found["diversity"] = distance / max(self._distance_of_reals(), 1e-9)
        return Drawn(grid(pictures), found)

    def _distance_of_reals(self) -> float:
        if self._real_distance is None:
            images = self.sampler.images
            rows = np.linspace(0, len(images) - 1, COMPARED_REALS).astype(np.int64)
            self._real_distance = mean_pairwise_distance(images[np.unique(rows)])
        return self._real_distance

    def _accuracy(self, fakes: np.ndarray) -> dict[str, float]:
        """Return the discriminator's accuracy, without dropout, on random real pictures and ``fakes``."""
        state, c = self.state, self.state.config
        draws = rng.uniform(c.seed, "eval", state.images_seen, count=len(fakes))[:, 0]
        reals = self.sampler.images[(draws * len(self.sampler.images)).astype(np.int64)]
        state.discriminator.eval()
        with torch.no_grad():
            real, fake = (
                state.discriminator(to_float(x, state.device).to(state.dtype)).float() for x in (reals, fakes)
            )
        state.discriminator.train()
        sign, boundary = (-1.0 if c.flip_labels else 1.0), LOSSES[c.loss].boundary
        return {
            "eval_accuracy_real": float((sign * real > boundary).float().mean()),
            "eval_accuracy_fake": float((sign * fake < boundary).float().mean()),
        }


def validation_metric(data: Dataset, config: TrainConfig, device: torch.device) -> ValidationMetric:
    """Return the metric of a generator that ``config.metric`` names."""
    where = "cpu" if device.type == "mps" else str(device)
    try:
        return ValidationMetric(
            data, config.metric, config.metric_count, features=config.metric_features, device=where
        )
    except (InputError, ModelError) as error:
        raise ConfigError(str(error).replace("--features", "--metric-features")) from None
