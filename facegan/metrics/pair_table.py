"""Define the measures of translators. Does not import torch.

``PAIR_METRICS`` compare results with the pictures that they should be. ``CHANGES`` are what else is told of a
translator: how its results compare with the photos that they were made of.
"""

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

CHANGES: dict[str, dict[str, Value]] = {
    "kid": {"kid": Value("KID", "lower", "Distance of all results from all targets, by a kernel.", 5)},
    "attributes": {
        "reached": Value(
            "Asked reached", "higher", "Share of photos without what is asked whose results have it."
        ),
        "kept": Value("Attributes kept", "higher", "Share of answers on the held attributes that stay."),
    },
    "identity": {
        "recognised": Value("Recognised", "higher", "Share of results whose own photo is the nearest of all.")
    },
}
"""The other measures of ``facegan evaluate`` of a translator, with their numbers."""

TRANSLATOR_METRICS = [*PAIR_METRICS, *CHANGES]
"""What ``--metrics`` accepts for a translator."""
