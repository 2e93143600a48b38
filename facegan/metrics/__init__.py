"""Measure generated pictures: one file per metric, and the table METRICS. Does not import torch.

>>> from facegan.metrics import Metric, MetricInputs, Value, register_metric
"""

from facegan.metrics.base import Metric, MetricInputs, Value
from facegan.metrics.registry import FEATURE_NAMES, METRICS, RANKING_METRICS, register_metric

__all__ = [
    "FEATURE_NAMES",
    "METRICS",
    "RANKING_METRICS",
    "Metric",
    "MetricInputs",
    "Value",
    "register_metric",
]
