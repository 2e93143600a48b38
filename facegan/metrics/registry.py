"""Define the table of metrics; imports torch and a metric's file only when it is computed.

To add one to the package: a file with ``compute`` (and ``fits``), and a row here. From outside:
:func:`register_metric`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from facegan import arguments
from facegan.errors import InputError
from facegan.metrics.base import Metric, MetricInputs, Value

FEATURE_NAMES = ["faces", "inception", "pixels"]
"""The rows of ``feature_extractors.FEATURES``."""


def _of(file: str, name: str = "compute") -> Callable[[MetricInputs], Any]:
    """Return the function ``name`` of a metric's file; calling it imports the file."""

    def call(inputs: MetricInputs) -> Any:
        return getattr(importlib.import_module(f"facegan.metrics.{file}"), name)(inputs)

    return call


METRICS: dict[str, Metric] = {
    "fid": Metric(
        {"fid": Value("FID", "lower", "Distance between all real and all generated features, as Gaussians.")},
        _of("fid"),
    ),
    "kid": Metric(
        {"kid": Value("KID", "lower", "The same distance by a kernel: fair to few pictures, too.", 5)},
        _of("kid"),
    ),
    "precision-recall": Metric(
        {
            "precision": Value("Precision", "higher", "Share of the generated that lies among the real."),
            "recall": Value("Recall", "higher", "Share of the real that lies among the generated."),
        },
        _of("prdc", "precision_recall"),
    ),
    "density-coverage": Metric(
        {
            "density": Value("Density", "higher", "How thickly real pictures lie around the generated."),
            "coverage": Value("Coverage", "higher", "Share of the real with a generated one close by."),
        },
        _of("prdc", "density_coverage"),
    ),
    "swd": Metric(
        {"swd": Value("SWD x 1000", "lower", "Likeness of small patches, of sharpness and noise.", 2)},
        _of("swd"),
        _of("swd", "fits"),
    ),
    "ms-ssim": Metric(
        {"ms_ssim": Value("MS-SSIM", "equal", "Likeness of two samples; above that of the real: collapse.")},
        _of("msssim"),
        _of("msssim", "fits"),
    ),
    "ppl": Metric(
        {"ppl": Value("Path length", "lower", "How much a small step in latent space changes a face.", 1)},
        _of("path_length"),
        _of("path_length", "fits"),
        of_real=False,
    ),
    "memorization": Metric(
        {
            "memorized": Value(
                "Memorised", "equal", "Share nearer to a training picture than 95% of others; fine: 0.05."
            ),
            "nearer": Value("Nearer to training", "equal", "Chance to be nearer than others; fine: 0.5."),
        },
        _of("memorization"),
        _of("memorization", "fits"),
        of_real=False,
        of_training=True,
    ),
    "linear-auc": Metric(
        {
            "linear_auc": Value(
                "Linear AUC", "lower", "Chance that features rank a sample above a photo; fine: 0.5."
            )
        },
        _of("linear_auc"),
    ),
    "c2st": Metric(
        {"c2st": Value("C2ST", "lower", "Accuracy of a fresh network that tells them apart; fine: 0.5.")},
        _of("c2st"),
        _of("c2st", "fits"),
        slow=True,
    ),
}

RANKING_METRICS = [name for name, metric in METRICS.items() if metric.ranks]
"""What ``train --metric`` accepts; it grows with :func:`register_metric`."""


def register_metric(name: str, metric: Metric) -> None:
    """Add a metric to those that ``evaluate`` measures and, if it ranks models, that training can use.

    >>> from facegan.metrics import Metric, Value
    >>> def spread(inputs):
    ...     return {"spread": float(inputs.fake.std() / inputs.real.std())}
    >>> facegan.register_metric(
    ...     "spread", Metric({"spread": Value("Spread", "higher", "Variety of features.")}, spread)
    ... )
    >>> facegan.evaluate("my_run", "faces64", metrics="spread").values["spread"]
    >>> facegan.train("faces64", out="another_run", metric="spread")

    Args:
        name: what ``--metrics`` and ``--metric`` call it: lower-case letters, digits and hyphens.
        metric: its row; the names of its values are its own, and the first value ranks models.

    Raises:
        InputError: if the name is taken or malformed, or if the row is incomplete.
    """
    name = arguments.new_name(name, "metric", METRICS)
    if not isinstance(metric, Metric):
        raise InputError(f"metric '{name}': give a facegan.metrics.Metric, not {arguments.shown(metric)}")
    if not callable(metric.compute) or not callable(metric.fits):
        raise InputError(f"metric '{name}': compute and fits must be functions of MetricInputs")
    if not metric.values:
        raise InputError(f"metric '{name}': its row describes no value")
    taken = {key for row in METRICS.values() for key in row.values}
    for key, value in metric.values.items():
        if not isinstance(value, Value) or value.better not in ("lower", "higher", "equal"):
            raise InputError(
                f"metric '{name}': describe '{key}' by a facegan.metrics.Value that is better when it is "
                "lower, higher or equal"
            )
        if key in taken:
            raise InputError(f"metric '{name}': another metric has a value '{key}' already")
    METRICS[name] = metric
    if metric.ranks:
        RANKING_METRICS.append(name)


def chosen(names: str | Sequence[str]) -> list[str]:
    """Return the metrics of a list, or of a text with commas; all but the slow ones if it is empty.

    Raises:
        InputError: if one is unknown.
    """
    listed = names.split(",") if isinstance(names, str) else list(names)
    for name in listed:
        if not isinstance(name, str):
            raise InputError(f"--metrics: choose of {', '.join(METRICS)}, not {arguments.shown(name)}")
    wanted = [name.strip() for name in listed if name.strip()]
    for name in wanted:
        if name not in METRICS:
            raise InputError(f"--metrics {name}: choose of {', '.join(METRICS)}")
    return wanted or [name for name, metric in METRICS.items() if not metric.slow]
