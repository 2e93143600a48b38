"""What a run shows while it trains: the grid of fixed seeds, and the metric on held-out pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facegan import distributed, rng
from facegan.generator import Generator
from facegan.images import grid, to_float, to_uint8
from facegan.losses.adversarial import LOSSES
from facegan.metrics.random_features import mean_pairwise_distance
from facegan.metrics.registry import METRICS
from facegan.recipes.config import TrainConfig
from facegan.runs.callbacks import Listener
from facegan.runs.folder import RunFolder
from facegan.training.sampler import ImageSampler
from facegan.training.snapshot import Snapshot
from facegan.training.state import TrainState

if TYPE_CHECKING:
    from facegan.metrics.validation import ValidationMetric

COMPARED_REALS = 128  # real pictures whose distances the diversity of a grid is compared with

Quality = Callable[[Generator], dict[str, float]]


def metric_key(metric: str) -> str:
    """Return the first of the metric's numbers, which decides."""
    return next(iter(METRICS[metric].values))


def measured_as_configured(best: dict[str, Any], config: TrainConfig) -> bool:
    """Whether the best checkpoint so far was measured as this configuration says."""
    return (best.get("metric"), best.get("features"), best.get("count")) == (
        metric_key(config.metric),
        config.metric_features,
        config.metric_count,
    )


class Evaluator:
    """Draws and measures. ``run``, ``quality`` and ``metric`` are None in all processes but the first."""

    def __init__(
        self,
        state: TrainState,
        sampler: ImageSampler,
        snapshot: Snapshot,
        *,
        run: RunFolder | None,
        listeners: Sequence[Listener],
        quality: Quality | None,
        metric: ValidationMetric | None,
    ) -> None:
        self.state, self.sampler, self.snapshot = state, sampler, snapshot
        self.run, self.listeners, self.quality, self.metric = run, listeners, quality, metric
        self._real_distance: float | None = None
        self._measured: dict[str, float] = {}

    def draw(self) -> dict[str, float]:
        """Draw the grid of fixed seeds; return what is measured with it, ``diversity`` among others."""
        if self.run is None:
            return {}
        state, c = self.state, self.state.config
        with distributed.alone():
            generator = self.snapshot.generator()
            pictures = generator.sample(c.grid_count)
            found = dict(self.quality(generator)) if self.quality is not None else {}
            if c.eval_count:
                found |= self._accuracy(pictures[: c.eval_count])
        sheet = grid(pictures)
        self.run.name_grid(generator.hash, len(pictures))
        for listener in self.listeners:
            listener.on_grid(state.images_seen, sheet)
        if c.save_pairs:
            real = to_uint8(self.sampler(max(state.images_seen - c.batch, 0), c.batch, (0, 1)))[0]
            self.run.save_pair(state.images_seen, real, pictures[0])
        if len(pictures) > 1:
            distance = mean_pairwise_distance(pictures[:COMPARED_REALS])
            found["diversity"] = distance / max(self._distance_of_reals(), 1e-9)
        return found

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

    # --- the metric ---------------------------------------------------------------------------

    def measure(self) -> bool:
        """Measure the metric; return whether it is the best so far (all processes agree)."""
        state, metric = self.state, self.metric
        best = False
        if metric is not None:
            with distributed.alone():
                self._measured = metric(self.snapshot.generator())
            if metric.floor is not None:
                self._measured[f"{metric.key}_real"] = metric.floor
            value = self._measured[metric.key]
            how = {"metric": metric.key, "features": metric.features, "count": metric.count}
            comparable = all(state.best.get(key, given) == given for key, given in how.items())
            best = metric.better(value, state.best.get("value") if comparable else None)
            if best:
                state.best = {**how, "value": value, "images_seen": state.images_seen}
        best = bool(distributed.from_first(best))
        if distributed.world() > 1:
            state.best = distributed.from_first(state.best)
        return best

    def take_measured(self) -> dict[str, float]:
        """Return what was measured since the last call."""
        found, self._measured = self._measured, {}
        return found

    def unmeasured(self) -> bool:
        """Return whether the run's metric has not been measured yet, or in another way."""
        c = self.state.config
        return bool(c.metric) and not measured_as_configured(self.state.best, c)

    def summary(self, seconds: float) -> str:
        """Return a line on the best checkpoint, and the share of measuring in ``seconds``; "" without one."""
        best, metric = self.state.best, self.metric
        if metric is None or not best:
            return ""
        floor = f" (real pictures: {metric.floor:.4g})" if metric.floor is not None else ""
        value = f"best {best['metric']} {best['value']:.4g}{floor} at {best['images_seen'] / 1000:g} kimg"
        share = metric.seconds / max(seconds, 1e-9)
        return (
            f"{value}, kept as @best; measuring took {metric.seconds:.0f} s, {share:.1%} of the training time"
        )
