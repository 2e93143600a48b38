"""What a conditional generator is told: attributes of the dataset as channels of numbers.

A yes/no attribute is one channel of 0 or 1; of classes each has a channel, called ``label=7``, or by its name
(``race=White``, ``pose=-1``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from facegan.data.dataset import Dataset
from facegan.data.filters import plain
from facegan.errors import ConfigError

MAX_CLASSES = 1000
MAX_ROWS = 1024  # combinations of labels that a model remembers


def conditions(
    data: Dataset, names: Sequence[str], split: str = "train"
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the channels' names, and float32 ``N,L`` for every picture of the split.

    ConfigError names an attribute that is unknown, always the same, or missing from some pictures.
    """
    known = {plain(name): i for i, name in enumerate(data.attribute_names)}
    table = data.attributes(split)
    labels: list[str] = []
    columns: list[np.ndarray] = []
    for text in names:
        for name in filter(None, text.replace(",", " ").split()):
            found, channels = _channels(data, name, known, table=table)
            labels += found
            columns += channels
    if not labels:
        raise ConfigError("--condition names no attribute; write for example --condition smiling,male")
    if len(set(labels)) != len(labels):
        raise ConfigError(f"--condition {' '.join(names)}: an attribute is named twice")
    return tuple(labels), np.stack(columns, 1).astype(np.float32)


def _channels(
    data: Dataset, name: str, known: dict[str, int], *, table: np.ndarray
) -> tuple[list[str], list[np.ndarray]]:
    if plain(name) not in known:
        import difflib

        near = difflib.get_close_matches(plain(name), known, n=1)
        there = ", ".join(data.attribute_names[:12]) or "none"
        hint = f"did you mean '{data.attribute_names[known[near[0]]]}'?" if near else f"there are: {there}"
        raise ConfigError(f"--condition: {data.path} has no attribute '{name}'; {hint}")
    index = known[plain(name)]
    column, spelled = table[:, index], data.attribute_names[index]
    values = np.unique(column)
    if values[0] == -1:
        missing = int((column == -1).sum())
        raise ConfigError(
            f"--condition {spelled}: {missing} of {len(column)} pictures do not say; "
            f"'facegan label {data.path} --out DATASET' fills them in"
        )
    called = data.class_names.get(spelled, ())
    classes = [_spelled_class(called[v]) if 0 <= v < len(called) else str(v) for v in values]
    if len(values) < 2:
        raise ConfigError(f"--condition {spelled}: it is {classes[0]} in all pictures of {data.path}")
    if set(values.tolist()) == {0, 1} and not called:
        return [spelled], [column]
    if len(values) > MAX_CLASSES:
        raise ConfigError(f"--condition {spelled}: {len(values)} values are too many for classes")
    if len({plain(name) for name in classes}) < len(classes):  # "East Asian" and "east_asian"
        classes = [str(value) for value in values]
    return [f"{spelled}={name}" for name in classes], [column == value for value in values]


def _spelled_class(name: str) -> str:
    """Return a class's name as a list of labels can hold it, whose items are parted by commas."""
    return re.sub(r"\s*,\s*", "/", name.strip())


def label_metadata(labels: Sequence[str], table: np.ndarray | None) -> dict[str, Any]:
    """Return labels, and how often training pictures have which together, for a model's header."""
    if table is None:
        return {}
    rows, counts = np.unique(table, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MAX_ROWS]
    return {
        "labels": list(labels),
        "label_rows": {"rows": rows[order].astype(int).tolist(), "counts": counts[order].tolist()},
    }
