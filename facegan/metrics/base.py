"""Define metrics: their inputs, values, and how the values read. Does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from facegan.generator import Generator
    from facegan.metrics.feature_extractors import FeatureTable

Values = dict[str, Any]
FIRST_SEED = 10_000
"""Samples of a model are the seeds from here on; figures show the seeds 0..N."""


@dataclass
class MetricInputs:
    """Hold everything that a metric may compare.

    Attributes:
        table: the feature extractor that made ``real`` and ``fake``.
        real: float32 features ``N,D`` of the real pictures.
        fake: float32 features ``M,D`` of the generated pictures.
        real_pictures: takes n and returns at most n real pictures, uint8 ``n,H,W,C``, evenly spaced.
        fake_pictures: the same for the generated pictures.
        train: features of the pictures that the generator has learnt from, if they are known.
        held_out: features of pictures that it has not learnt from, if there are any.
        generator: the model, if the generated pictures are its samples.
        extra: intermediate results that metrics share, by a name of their own.
    """

    table: FeatureTable
    real: np.ndarray
    fake: np.ndarray
    real_pictures: Callable[[int], np.ndarray]
    fake_pictures: Callable[[int], np.ndarray]
    train: np.ndarray | None = None
    held_out: np.ndarray | None = None
    generator: Generator | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Value:
    """Describe how to read one number of a metric."""

    title: str
    """Its name in tables."""
    better: str
    """``lower``, ``higher``, or ``equal`` (to that of real pictures)."""
    reading: str
    """What it says, in one sentence."""
    digits: int = 3


@dataclass(frozen=True)
class Metric:
    """Describe a row of the table of metrics."""

    values: Mapping[str, Value]
    """The numbers by name; the first one ranks models."""
    compute: Callable[[MetricInputs], Values]
    """Returns at least the numbers that ``values`` names."""
    fits: Callable[[MetricInputs], str] = lambda inputs: ""
    """Returns why the metric cannot be computed of these inputs, or ""."""
    of_real: bool = True
    """Whether real pictures can stand in for the generated ones."""
    of_training: bool = False
    """Whether it reads ``train`` and ``held_out``."""
    slow: bool = False
    """Whether it takes minutes, so that it is measured only if it is asked for by name."""

    @property
    def ranks(self) -> bool:
        """Return whether the first number ranks two models, so that training can use it."""
        return self.of_real and not self.of_training and next(iter(self.values.values())).better != "equal"
