"""Define the measures of pairs: results against the pictures that they should be. Does not import torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facegan.metrics.base import Value


@dataclass(frozen=True)
class PairMetric:
    """Describe a row of ``PAIR_METRICS``."""

    value: Value
    """How to read its mean."""
    compute: Callable[..., Any]
    """Takes uint8 ``N,H,W,C`` twice, and returns float64 ``N``."""
    asked_only: bool = False
    """Whether it is measured only where it is named, since it needs what the package does not bring."""


def _of(name: str) -> Callable[..., Any]:
    """Return the function ``name`` of ``pairs.py``; calling it imports the file."""

    def call(*args: Any, **options: Any) -> Any:
        return getattr(importlib.import_module("facegan.metrics.pairs"), name)(*args, **options)

    return call


PAIR_METRICS: dict[str, PairMetric] = {
    "perceptual": PairMetric(
        Value("Perceptual distance", "lower", "Distance to the target in a face network's features.", 4),
        _of("perceptual"),
    ),
    "psnr": PairMetric(Value("PSNR (dB)", "higher", "Likeness of pixels to the target's.", 2), _of("psnr")),
    "ssim": PairMetric(Value("SSIM", "higher", "Likeness of local structure to the target's."), _of("ssim")),
    "lpips": PairMetric(
        Value("LPIPS", "lower", "Distance to the target in VGG16's features.", 4),
        _of("lpips"),
        asked_only=True,
    ),
}
