"""What files of ``facegan export`` say of their model, read as data: it may say anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from facegan.exchange.base import ImportOptions
from facegan.prior import KINDS, Latent

ABOUT = "facegan-model.json"
"""The member of a ``.keras`` archive that holds the metadata; Keras reads others alone."""


def about(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the metadata that :func:`facegan.exchange.tracing.described` writes say; {} of others."""
    if "facegan" not in metadata:
        return {}
    found: dict[str, Any] = {"facegan": metadata["facegan"], "licence": str(metadata.get("licence", ""))}
    for key in ("latent", "labels", "default_labels"):
        try:
            found[key] = json.loads(str(metadata.get(key, "null")))
        except (ValueError, RecursionError):
            continue
    return found


def ranged(ours: Mapping[str, Any], options: ImportOptions) -> ImportOptions:
    """Return the options with the range of pictures that exported graphs have."""
    return replace(options, output_range="-1..1") if ours and not options.output_range else options


def named_labels(ours: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the labels that the file names, with the row that it was exported with; classes have none."""
    names, row = ours.get("labels"), ours.get("default_labels")
    if not isinstance(names, list) or len(names) != count or not all(isinstance(n, str) for n in names):
        return {}
    if all(name.startswith("label=") for name in names):
        return {"labels": tuple(names)}
    usable = isinstance(row, list) and len(row) == count and all(n in (0, 1) for n in row)
    rows = {"rows": [[int(n) for n in row or ()]], "counts": [1]} if usable else {}
    return {"labels": tuple(names), "label_rows": rows}


def latent_of(ours: Mapping[str, Any], dim: int, options: ImportOptions) -> Latent:
    """Return the prior that the file names, or that of the options."""
    said = ours.get("latent")
    if options.prior or not isinstance(said, dict) or said.get("dim") != dim:
        return options.prior_of(dim)
    mean, std = said.get("mean", 0.0), said.get("std", 1.0)
    if said.get("kind") not in KINDS or not all(
        type(n) in (int, float) and math.isfinite(n) for n in (mean, std)
    ):
        return options.prior_of(dim)
    return Latent(said["kind"], dim, mean=float(mean), std=float(std))
