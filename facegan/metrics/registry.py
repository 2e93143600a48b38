"""The table of metrics. To add one: a file of its own, and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facegan import arguments
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.metrics import fid, kid, memorization, msssim, path_length, prdc, swd
from facegan.metrics.feature_extractors import FeatureTable
from facegan.metrics.image_sets import FIRST_SEED

Values = dict[str, Any]


@dataclass
class MetricInputs:
    """What metrics are made of. ``real`` and ``fake`` are features ``N,D`` and ``M,D``; pictures come as
    uint8 ``n,H,W,C`` when asked for. ``train`` and ``held_out`` are features of pictures that a generator
    has learnt from, and has not."""

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
    """One number of a metric: ``better`` is lower, higher or equal (to that of real pictures)."""

    title: str
    better: str
    reading: str
    digits: int = 3


@dataclass(frozen=True)
class Metric:
    """``compute`` gives the numbers that ``values`` describes. ``fits`` says why it cannot, or ""."""

    values: Mapping[str, Value]
    compute: Callable[[MetricInputs], Values]
    fits: Callable[[MetricInputs], str] = lambda m: ""
    of_real: bool = True
    """Whether real pictures in the place of the generated ones have it, too."""


def _kid(m: MetricInputs) -> Values:
    found = kid.kid(m.real, m.fake)
    return {"kid": found.value, "kid_low": found.low, "kid_high": found.high}


def _neighbours(m: MetricInputs, *names: str) -> Values:
    """Two metrics come out of one pass over all distances."""
    if "neighbours" not in m.extra:
        m.extra["neighbours"] = prdc.both(m.real, m.fake)
    return {name: m.extra["neighbours"][name] for name in names}


def _memorization(m: MetricInputs) -> Values:
    assert m.train is not None and m.held_out is not None
    found = memorization.memorization(m.train, m.held_out, m.fake)
    m.extra["pairs"] = found.pairs
    return {"memorized": found.share, "nearer": found.nearer}


def _ppl(m: MetricInputs) -> Values:
    import torch

    assert m.generator is not None

    def features(x: torch.Tensor) -> torch.Tensor:
        return m.table.compute(x.to(m.table.device))

    return {"ppl": path_length.path_length(m.generator, features, first_seed=FIRST_SEED)}


def _no_generator(m: MetricInputs) -> str:
    if m.generator is None:
        return "it walks through a model's latent space, and this is none"
    return "" if m.table.smooth else f"the features '{m.table.name}' round their pictures"


def _too_small(side: int) -> Callable[[MetricInputs], str]:
    def check(m: MetricInputs) -> str:
        height, width = m.fake_pictures(1).shape[1:3]
        return f"pictures are below {side} px" if min(height, width) < side else ""

    return check


METRICS: dict[str, Metric] = {
    "fid": Metric(
        {"fid": Value("FID", "lower", "Distance between all real and all generated features, as Gaussians.")},
        lambda m: {"fid": fid.fid(m.real, m.fake)},
    ),
    "kid": Metric(
        {"kid": Value("KID", "lower", "The same distance by a kernel: fair to few pictures, too.", 5)},
        _kid,
    ),
    "precision-recall": Metric(
        {
            "precision": Value("Precision", "higher", "Share of the generated that lies among the real."),
            "recall": Value("Recall", "higher", "Share of the real that lies among the generated."),
        },
        lambda m: _neighbours(m, "precision", "recall"),
    ),
    "density-coverage": Metric(
        {
            "density": Value("Density", "higher", "How thickly real pictures lie around the generated."),
            "coverage": Value("Coverage", "higher", "Share of the real with a generated one close by."),
        },
        lambda m: _neighbours(m, "density", "coverage"),
    ),
    "swd": Metric(
        {"swd": Value("SWD x 1000", "lower", "Likeness of small patches, of sharpness and noise.", 2)},
        lambda m: swd.swd(m.real_pictures(swd.MOST), m.fake_pictures(swd.MOST)),
        _too_small(swd.PATCH),
    ),
    "ms-ssim": Metric(
        {"ms_ssim": Value("MS-SSIM", "equal", "Likeness of two samples; above that of the real: collapse.")},
        lambda m: {"ms_ssim": msssim.diversity_ms_ssim(m.fake_pictures(2 * msssim.MOST))},
        _too_small(11),
    ),
    "ppl": Metric(
        {"ppl": Value("Path length", "lower", "How much a small step in latent space changes a face.", 1)},
        _ppl, _no_generator, of_real=False,
    ),
    "memorization": Metric(
        {
            "memorized": Value(
                "Memorised", "equal", "Share nearer to a training picture than 95% of others; fine: 0.05."
            ),
            "nearer": Value("Nearer to training", "equal", "Chance to be nearer than others; fine: 0.5."),
        },
        _memorization,
        lambda m: "" if m.train is not None and m.held_out is not None else "there is no split held out",
        of_real=False,
    ),
}  # fmt: skip


def chosen(names: str | Sequence[str]) -> list[str]:
    """The metrics of a list, or of a text with commas; empty are all. InputError for an unknown one."""
    listed = names.split(",") if isinstance(names, str) else list(names)
    for name in listed:
        if not isinstance(name, str):
            raise InputError(f"--metrics: choose of {', '.join(METRICS)}, not {arguments.shown(name)}")
    wanted = [name.strip() for name in listed if name.strip()]
    for name in wanted:
        if name not in METRICS:
            raise InputError(f"--metrics {name}: choose of {', '.join(METRICS)}")
    return wanted or list(METRICS)
