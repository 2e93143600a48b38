"""Measures of generated pictures: one file a metric, and the table METRICS in ``registry.py``.

The names stand apart so that settings can be checked without torch.
"""

RANKING_METRICS = ["fid", "kid", "precision-recall", "density-coverage", "swd"]
"""What ``train --metric`` accepts: the rows of METRICS whose first number says which model is better."""

FEATURE_NAMES = ["faces", "inception", "pixels"]
"""The rows of ``feature_extractors.FEATURES``."""
