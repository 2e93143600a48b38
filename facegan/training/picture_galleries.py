"""What is shown and measured of a translator while it trains: held-out pictures, always the same ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from facegan.data.dataset import Dataset
from facegan.errors import ConfigError, DatasetError, InputError, ModelError
from facegan.images import grid
from facegan.metrics.base import MetricInputs
from facegan.metrics.evaluate import MIN_PICTURES, not_held_out
from facegan.metrics.feature_extractors import table
from facegan.metrics.image_sets import features_of, of_uint8
from facegan.metrics.pair_table import PAIR_METRICS
from facegan.metrics.random_features import mean_pairwise_distance
from facegan.metrics.registry import METRICS
from facegan.recipes.config import TrainConfig
from facegan.training.gallery import Drawn, Gallery
from facegan.translator import Translator

COLUMNS = 8  # pictures side by side in a sheet
Quality = Callable[[Any], dict[str, float]]


def held_out(data: Dataset) -> str:
    """Return the split to show and to measure: val, or train if too few pictures are held out."""
    return "val" if data.counts.get("val", 0) >= MIN_PICTURES else "train"


def spaced(count: int, wanted: int) -> np.ndarray:
    """Return ``wanted`` rows of ``count``, evenly spaced."""
    wanted = min(count, wanted)
    found: np.ndarray = (np.arange(wanted) * count) // max(wanted, 1)
    return found


def sheet(*rows: np.ndarray) -> np.ndarray:
    """Return rows of pictures below each other, for eight columns at a time: uint8 ``H,W,C``."""
    count, width = len(rows[0]), min(COLUMNS, len(rows[0]))
    groups = [
        np.concatenate([_filled(row[i : i + width], width) for row in rows]) for i in range(0, count, width)
    ]
    return grid(np.concatenate(groups), columns=width)


def _filled(row: np.ndarray, width: int) -> np.ndarray:
    """Return the row with white pictures at its end, so that it has ``width``."""
    missing = np.full((width - len(row), *row.shape[1:]), 255, np.uint8)
    return np.concatenate([row, missing])


def diversity(results: np.ndarray, targets: np.ndarray) -> float:
    """Return how much results differ from each other, as a share of how much targets do."""
    return mean_pairwise_distance(results) / max(mean_pairwise_distance(targets), 1e-9)


class PairGallery(Gallery):
    """Shows inputs, results and targets below each other."""

    def __init__(self, inputs: np.ndarray, targets: np.ndarray, *, quality: Quality | None) -> None:
        self.inputs, self.targets, self.quality = inputs, targets, quality

    def draw(self, model: Translator, images_seen: int) -> Drawn:
        results = model.translate(self.inputs)
        found = dict(self.quality(model)) if self.quality is not None else {}
        difference = np.abs(results.astype(np.float64) - self.targets).mean() / 127.5
        found |= {"l1_held_out": float(difference), "diversity": diversity(results, self.targets)}
        return Drawn(sheet(self.inputs, results, self.targets), found)


class DomainGallery(Gallery):
    """Shows pictures of the first domain with their translations, then those of the second."""

    def __init__(self, a: np.ndarray, b: np.ndarray, *, quality: Quality | None) -> None:
        count = min(len(a), len(b))
        self.a, self.b, self.quality = a[:count], b[:count], quality

    def draw(self, model: Translator, images_seen: int) -> Drawn:
        there, back = model.translate(self.a, "a-to-b"), model.translate(self.b, "b-to-a")
        found = dict(self.quality(model)) if self.quality is not None else {}
        again = model.translate(there, "b-to-a")
        found["cycle_held_out"] = float(np.abs(again.astype(np.float64) - self.a).mean() / 127.5)
        found["diversity"] = min(diversity(there, self.b), diversity(back, self.a))
        return Drawn(sheet(self.a, there, self.b, back), found)


# --- metrics ------------------------------------------------------------------------------------------


class PairMetricOf:
    """Measure a translator on held-out pairs with a row of PAIR_METRICS."""

    floor: float | None = None

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        config: TrainConfig,
        *,
        split: str,
        device: torch.device,
    ) -> None:
        self.inputs, self.targets, self.split = inputs, targets, split
        self.row, self.key, self.count = PAIR_METRICS[config.metric], config.metric, config.metric_count
        self.features, self.seconds = config.metric_features, 0.0
        where = "cpu" if device.type == "mps" else str(device)
        self.options = {"features": self.features, "device": where} if config.metric == "perceptual" else {}

    @property
    def caution(self) -> str:
        return "" if self.split == "val" else not_held_out(f"--metric {self.key}")

    def __call__(self, model: Translator, /) -> dict[str, float]:
        start = time.perf_counter()
        found = self.row.compute(model.translate(self.inputs), self.targets, **self.options)
        self.seconds += time.perf_counter() - start
        return {self.key: float(np.mean(found))}

    def better(self, new: float, old: float | None, /) -> bool:
        if not np.isfinite(new):
            return False
        return old is None or (new < old if self.row.value.better == "lower" else new > old)


class DomainMetric:
    """Measure translations against held-out pictures of the domain that they are to belong to.

    The first number is the mean of both directions, which the others give apart.
    """

    def __init__(self, a: Dataset, b: Dataset, config: TrainConfig, *, device: torch.device) -> None:
        start = time.perf_counter()
        where = "cpu" if device.type == "mps" else str(device)
        self.metric, self.count = METRICS[config.metric], config.metric_count
        self.key, value = next(iter(self.metric.values.items()))
        self.lower, self.features = value.better == "lower", config.metric_features
        try:
            self.table = table(self.features, device=where)
        except (InputError, ModelError) as error:
            raise ConfigError(str(error).replace("--features", "--metric-features")) from None
        self.splits = held_out(a), held_out(b)
        for data, split in zip((a, b), self.splits, strict=True):
            if data.counts.get(split, 0) < MIN_PICTURES:
                raise DatasetError(f"{data.path}: too few pictures for --metric: it takes {MIN_PICTURES}")
        self.pictures = [
            data.images(split)[spaced(data.counts[split], self.count)]
            for data, split in zip((a, b), self.splits, strict=True)
        ]
        self.floor: float | None = None
        if self.splits == ("val", "val"):
            reals = [d.images("train")[spaced(d.counts["train"], self.count)] for d in (a, b)]
            self.floor = float(np.mean([self._measure(i, reals[i]) for i in (0, 1)]))
        self.seconds = time.perf_counter() - start

    @property
    def caution(self) -> str:
        return "" if self.splits == ("val", "val") else not_held_out(f"--metric {self.key}")

    def __call__(self, model: Translator, /) -> dict[str, float]:
        start = time.perf_counter()
        a, b = self.pictures
        there = self._measure(1, model.translate(a, "a-to-b"))
        back = self._measure(0, model.translate(b, "b-to-a"))
        self.seconds += time.perf_counter() - start
        return {self.key: (there + back) / 2, f"{self.key}_a_to_b": there, f"{self.key}_b_to_a": back}

    def better(self, new: float, old: float | None, /) -> bool:
        if not np.isfinite(new):
            return False
        return old is None or (new < old if self.lower else new > old)

    def _measure(self, domain: int, pictures: np.ndarray) -> float:
        """Return the number of pictures that should belong to a domain."""
        real, fake = of_uint8(self.pictures[domain]), of_uint8(pictures)
        wanted, made = (np.asarray(features_of(x, self.table)) for x in (real, fake))
        found = self.metric.compute(MetricInputs(self.table, wanted, made, real.spaced, fake.spaced))
        return float(found[self.key])
