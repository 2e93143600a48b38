"""Measure held-out pictures during training to keep the best checkpoint."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from facegan.data.dataset import Dataset
from facegan.errors import DatasetError
from facegan.generator import Generator
from facegan.metrics.base import MetricInputs
from facegan.metrics.evaluate import MIN_PICTURES, not_held_out
from facegan.metrics.feature_extractors import table
from facegan.metrics.image_sets import Pictures, features_of, of_dataset, of_model, of_uint8
from facegan.metrics.registry import METRICS

_REFERENCE = 5000  # pictures that are compared with, at most


class ValidationMetric:
    """Measure a generator with ``name`` of METRICS against val, or train if there is no val.

    ``count`` samples of the seeds 10,000 and up. ``split`` is which of the two it is; ``floor`` is what other
    real pictures get, where some are held out; ``seconds`` is what it all has cost so far.
    """

    def __init__(
        self, data: Dataset, name: str, count: int, *, features: str = "faces", device: str = "cpu"
    ) -> None:
        self.seconds = 0.0
        start = time.perf_counter()
        self.name, self.features, self.count, self.metric = name, features, count, METRICS[name]
        self.key, value = next(iter(self.metric.values.items()))
        self.lower = value.better == "lower"
        self.table = table(features, device=device)
        self.split = split = "val" if data.counts.get("val", 0) >= MIN_PICTURES else "train"
        if data.counts.get(split, 0) < MIN_PICTURES:
            raise DatasetError(f"{data.path}: too few pictures for --metric {name}: it takes {MIN_PICTURES}")
        self.reference = of_dataset(data, split).limited(_REFERENCE)
        self.real = np.asarray(features_of(self.reference, self.table))
        self.floor: float | None = None
        if split == "val":
            self.floor = self._measure(of_dataset(data, "train").limited(count))[self.key]
        self.seconds += time.perf_counter() - start

    @property
    def caution(self) -> str:
        """Return a caution about its numbers, if any."""
        if self.split == "val":
            return ""
        return not_held_out(f"--metric {self.name}")

    def __call__(self, generator: Generator) -> dict[str, float]:
        """Return the metric's numbers; the first one decides."""
        start = time.perf_counter()
        # Drawn once: what needs pixels and what needs features see the same samples.
        drawn = np.concatenate(list(of_model(generator, "samples", self.count).batches()))
        values = self._measure(of_uint8(drawn))
        found = {k: float(values[k]) for k in self.metric.values}
        self.seconds += time.perf_counter() - start
        return found

    def better(self, new: float, old: float | None) -> bool:
        """Return whether ``new`` beats ``old``; anything finite beats None."""
        if not np.isfinite(new):
            return False
        return old is None or (new < old if self.lower else new > old)

    def _measure(self, pictures: Pictures) -> dict[str, Any]:
        fake = features_of(pictures, self.table)
        return self.metric.compute(
            MetricInputs(self.table, self.real, fake, self.reference.spaced, pictures.spaced)
        )
