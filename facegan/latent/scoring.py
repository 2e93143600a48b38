"""Does arithmetic do what its formula says? Members chosen by one predictor, judged by another.

first - second + third, each the average of a few generated faces: the groups differ in known
attributes, so the result's attributes can be predicted, and compared with those of random triples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegan import rng
from facegan.generator import Generator
from facegan.metrics.attributes import AttributePredictor

Wanted = Mapping[str, bool]


@dataclass(frozen=True)
class ArithmeticScore:
    """``members`` is ``T,3,M`` rows of the pool; ``shares`` the judged shares of results.

    ``shares[kind]["both"]`` (kind is trials or control) counts results with all wanted attributes.
    """

    members: np.ndarray
    trials: torch.Tensor
    control: torch.Tensor
    shares: dict[str, dict[str, float]]
    group_sizes: dict[str, int]


def choose_rows(
    predictor: AttributePredictor, images: np.ndarray, wanted: Wanted, confidence: float = 0.8
) -> np.ndarray:
    """Rows of uint8 ``N,H,W,C`` that show ``wanted`` with at least ``confidence`` for each attribute."""
    probabilities = predictor.predict(images)
    fits = np.ones(len(images), bool)
    for name, yes in wanted.items():
        p = probabilities[:, predictor.column(name)]
        fits &= (p if yes else 1 - p) >= confidence
    return np.flatnonzero(fits)


def draw_members(rows: Sequence[np.ndarray], count: int, members: int, seed: int, purpose: str) -> np.ndarray:
    """``count, groups, members`` rows: each triple without repetition, depending on ``seed`` alone."""
    picks = [
        [
            group[rng.permutation(seed, f"{purpose}/{g}", trial, len(group))[:members]]
            for g, group in enumerate(rows)
        ]
        for trial in range(count)
    ]
    return np.array(picks)


def combine(pool: torch.Tensor, members: np.ndarray) -> torch.Tensor:
    """first - second + third of the groups' averages, ``T,dim``."""
    averages = pool[torch.from_numpy(members)].mean(2)
    return averages[:, 0] - averages[:, 1] + averages[:, 2]


def score_arithmetic(
    model: Generator, pool: torch.Tensor, chooser: AttributePredictor, judge: AttributePredictor,
    groups: Mapping[str, Wanted], goal: Wanted, *, trials: int = 40, members: int = 3, seed: int = 0,
) -> ArithmeticScore | None:  # fmt: skip
    """Score ``trials`` draws and as many random triples; None where a group has too few faces."""
    images = model.images(pool)
    rows = [choose_rows(chooser, images, wanted) for wanted in groups.values()]
    if min(len(r) for r in rows) < 2 * members:
        return None
    picked = draw_members(rows, trials, members, seed, "trial")
    everyone = [np.arange(len(pool))] * len(rows)
    vectors = {
        "trials": combine(pool, picked),
        "control": combine(pool, draw_members(everyone, trials, members, seed, "control")),
    }
    shares = {}
    for kind, z in vectors.items():
        probabilities = judge.predict(model.images(z))
        right = {name: (probabilities[:, judge.column(name)] > 0.5) == yes for name, yes in goal.items()}
        shares[kind] = {name: float(value.mean()) for name, value in right.items()}
        shares[kind]["both"] = float(np.logical_and.reduce(list(right.values())).mean())
    sizes = {name: len(r) for name, r in zip(groups, rows, strict=True)}
    return ArithmeticScore(picked, vectors["trials"], vectors["control"], shares, sizes)
