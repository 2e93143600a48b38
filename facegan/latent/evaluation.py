"""Measure directions and arithmetic by an attribute network that took no part in finding them.

Directions: which faces change their answer after a step. Arithmetic: members are chosen by one predictor and
judged by another.

first - second + third, each the average of a few generated faces: the groups differ in known
attributes, so the result's attributes can be predicted, and compared with those of random triples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegan import figures, rng
from facegan.attributes.predictor import AttributePredictor
from facegan.generator import Generator
from facegan.latent.expressions import Rescale, Term, evaluate_expression

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


def sure_rows(
    predictor: AttributePredictor, probabilities: np.ndarray, wanted: Wanted, *, confidence: float = 0.8
) -> np.ndarray:
    """Return the rows that show ``wanted`` with at least ``confidence`` for each attribute.

    ``probabilities`` ``N,K`` are the predictor's answers.
    """
    fits = np.ones(len(probabilities), bool)
    for name, yes in wanted.items():
        p = probabilities[:, predictor.column(name)]
        fits &= (p if yes else 1 - p) >= confidence
    return np.flatnonzero(fits)


def draw_members(
    rows: Sequence[np.ndarray], count: int, members: int, *, seed: int, purpose: str
) -> np.ndarray:
    """Return ``count, groups, members`` rows, none of them twice, depending on ``seed`` alone.

    Each group must hold ``count * members`` rows.
    """
    groups = [
        group[rng.permutation(seed, f"{purpose}/{g}", 0, n=len(group))[: count * members]]
        for g, group in enumerate(rows)
    ]
    return np.stack([group.reshape(count, members) for group in groups], axis=1)


def terms(members: np.ndarray) -> list[Term]:
    """Return first - second + third for one trial's ``3,M`` rows of the pool."""
    return [
        Term(sign, tuple((group + 1).tolist())) for sign, group in zip((1.0, -1.0, 1.0), members, strict=True)
    ]


def expression(members: np.ndarray) -> str:
    """Return one trial as 'facegan arithmetic' takes it, where the pool is the seeds from 1 on."""
    first, second, third = (",".join(map(str, term.members)) for term in terms(members))
    return f"{first} - {second} + {third}"


def arithmetic_sheet(
    model: Generator, pool: torch.Tensor, members: np.ndarray, *, titles: Sequence[str]
) -> np.ndarray:
    """Return one trial as a figure: the members of each group, their average, and the result."""
    averages, result = evaluate_expression(terms(members), pool, model.latent)
    rows = [
        figures.ArithmeticRow(
            f"{sign} {title}", model.images(pool[group]), [str(m + 1) for m in group], average
        )
        for title, sign, group, average in zip(titles, "+-+", members, model.images(averages), strict=True)
    ]
    return figures.arithmetic_figure(rows, model.images(result[None])[0], 3, most=5)


def combine(pool: torch.Tensor, members: np.ndarray, rescale: Rescale | None = None) -> torch.Tensor:
    """Return the results ``T,dim`` of ``T,3,M`` members; see :func:`arithmetic.evaluate_expression`."""
    return torch.stack([evaluate_expression(terms(trial), pool, rescale)[1] for trial in members])


def score_arithmetic(
    model: Generator,
    pool: torch.Tensor,
    chooser: AttributePredictor,
    *,
    judge: AttributePredictor,
    groups: Mapping[str, Wanted],
    goal: Wanted,
    trials: int = 40,
    members: int = 3,
    seed: int = 0,
    rescale: Rescale | None = None,
    seen: np.ndarray | None = None,
) -> ArithmeticScore | None:
    """Score up to ``trials`` draws, no face in two of them, and as many random triples.

    Fewer where the smallest group ends earlier; None where it does not suffice for two. ``seen`` is what the
    chooser said of the pool's pictures, where that is known.
    """
    if seen is None:
        seen = chooser.predict(model.images(pool))
    rows = [sure_rows(chooser, seen, wanted) for wanted in groups.values()]
    anyone = np.array_split(np.arange(len(pool)), len(rows))
    trials = min(trials, min(map(len, [*rows, *anyone])) // members)
    if trials < 2:
        return None
    picked = draw_members(rows, trials, members, seed=seed, purpose="trial")
    vectors = {
        "trials": combine(pool, picked, rescale),
        "control": combine(
            pool, draw_members(anyone, trials, members, seed=seed, purpose="control"), rescale
        ),
    }
    shares = {}
    for kind, z in vectors.items():
        probabilities = judge.predict(model.images(z))
        right = {name: (probabilities[:, judge.column(name)] > 0.5) == yes for name, yes in goal.items()}
        shares[kind] = {name: float(value.mean()) for name, value in right.items()}
        shares[kind]["both"] = float(np.logical_and.reduce(list(right.values())).mean())
    sizes = {name: len(r) for name, r in zip(groups, rows, strict=True)}
    return ArithmeticScore(picked, vectors["trials"], vectors["control"], shares, sizes)


# --- directions ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """How an edit fared: of the ``asked`` faces without the attribute, the share ``turned`` that got it.

    ``changed`` is the share in which each guarded attribute changed its answer, ``any`` that in which one
    did.
    """

    asked: int
    turned: float
    changed: dict[str, float]
    any: float


def verdict(
    before: np.ndarray, after: np.ndarray, column: int, *, guards: dict[str, int], yes: bool
) -> Verdict:
    """Judge probabilities ``N,K`` before and after: do faces on the wrong side of 1/2 change it?"""
    asked = (before[:, column] > 0.5) != yes
    a, b = before[asked] > 0.5, after[asked] > 0.5
    other = {name: a[:, j] != b[:, j] for name, j in guards.items()}
    changed = {name: float(rows.mean()) if len(rows) else 0.0 for name, rows in other.items()}
    every = np.logical_or.reduce(list(other.values())) if other else np.zeros(len(a), bool)
    turned = float((b[:, column] == yes).mean()) if len(b) else 0.0
    return Verdict(int(asked.sum()), turned, changed, float(every.mean()) if len(every) else 0.0)
