"""Do directions do what their names say? Judged by a network that took no part in finding them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegan.generator import Generator
from facegan.metrics.attributes import AttributePredictor


@dataclass(frozen=True)
class Verdict:
    """Of the ``asked`` faces without the attribute, the share ``turned`` that has it after the edit, the
    share in which each guarded attribute ``changed`` its answer, and in which ``any`` of them did."""

    asked: int
    turned: float
    changed: dict[str, float]
    any: float


def verdict(before: np.ndarray, after: np.ndarray, column: int, guards: dict[str, int], yes: bool) -> Verdict:
    """Of probabilities ``N,K`` before and after: do faces on the wrong side of 1/2 come to the right one?"""
    asked = (before[:, column] > 0.5) != yes
    a, b = before[asked] > 0.5, after[asked] > 0.5
    other = {name: a[:, j] != b[:, j] for name, j in guards.items()}
    changed = {name: float(rows.mean()) if len(rows) else 0.0 for name, rows in other.items()}
    every = np.logical_or.reduce(list(other.values())) if other else np.zeros(len(a), bool)
    turned = float((b[:, column] == yes).mean()) if len(b) else 0.0
    return Verdict(int(asked.sum()), turned, changed, float(every.mean()) if len(every) else 0.0)


def judge_step(
    model: Generator, step: torch.Tensor, judge: AttributePredictor, w: torch.Tensor, before: np.ndarray,
    attribute: str, yes: bool = True, guards: Sequence[str] = ("Male", "Eyeglasses"),
) -> Verdict:  # fmt: skip
    """Of w ``N,num_ws,w_dim`` and what ``judge`` says of them, ``before``: the effect of adding ``step``."""
    after = judge.predict(model.images(w + step))
    columns = {name: judge.column(name) for name in guards if name != attribute}
    return verdict(before, after, judge.column(attribute), columns, yes)
