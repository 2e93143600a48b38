"""What a run shows while it trains: sheets of its results, and the metric on held-out pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facegan import distributed
from facegan.metrics.base import Value
from facegan.metrics.pair_table import PAIR_METRICS
from facegan.metrics.registry import METRICS
from facegan.recipes.config import TrainConfig
from facegan.runs.callbacks import Listener
from facegan.training.gallery import Gallery, HeldOutMetric
from facegan.training.snapshot import Snapshot
from facegan.training.state import TrainState


def metric_value(metric: str) -> Value:
    """Return how to read the metric's first number."""
    if metric in PAIR_METRICS:
        return PAIR_METRICS[metric].value
    return next(iter(METRICS[metric].values.values()))


def metric_key(metric: str) -> str:
    """Return the first of the metric's numbers, which decides."""
    return metric if metric in PAIR_METRICS else next(iter(METRICS[metric].values))


def measured_as_configured(best: dict[str, Any], config: TrainConfig) -> bool:
    """Whether the best checkpoint so far was measured as this configuration says."""
    return (best.get("metric"), best.get("features"), best.get("count")) == (
        metric_key(config.metric),
        config.metric_features,
        config.metric_count,
    )


class Evaluator:
    """Draws and measures. ``gallery`` and ``metric`` are None in all processes but the first."""

    def __init__(
        self,
        state: TrainState,
        snapshot: Snapshot,
        *,
        listeners: Sequence[Listener],
        gallery: Gallery | None,
        metric: HeldOutMetric | None,
    ) -> None:
        self.state, self.snapshot = state, snapshot
        self.listeners, self.gallery, self.metric = listeners, gallery, metric
        self._measured: dict[str, float] = {}

    def draw(self) -> dict[str, float]:
        """Draw the sheet of results; return what is measured with it, ``diversity`` among others."""
        if self.gallery is None:
            return {}
        with distributed.alone():
            drawn = self.gallery.draw(self.snapshot.model(), self.state.images_seen)
        for listener in self.listeners:
            listener.on_grid(self.state.images_seen, drawn.sheet)
        return drawn.values

    # --- the metric ---------------------------------------------------------------------------

    def measure(self) -> bool:
        """Measure the metric; return whether it is the best so far (all processes agree)."""
        state, metric = self.state, self.metric
        best = False
        if metric is not None:
            with distributed.alone():
                self._measured = metric(self.snapshot.model())
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
