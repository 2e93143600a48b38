"""Groups of generated faces by words, such as "smiling woman", for arithmetic with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegan.attributes.phrases import meaning
from facegan.attributes.predictor import AttributePredictor
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent import w_statistics
from facegan.latent.evaluation import ArithmeticScore, score_arithmetic, sure_rows
from facegan.latent.expressions import names_in, parse_expression
from facegan.sampler import Sampler


@dataclass(frozen=True)
class Group:
    """Faces of a sheet that surely show what ``name`` says: ``members`` are numbers from 1."""

    name: str
    wanted: Mapping[str, bool]
    members: tuple[int, ...]
    found: int


def sheet(model: Sampler, count: int, seed: int = 0) -> np.ndarray:
    """Return w ``N,num_ws,w_dim`` of seeds: number 1 of the sheet is ``seed``. Labels are the model's."""
    seeds = range(seed, seed + count)
    w = model.to_w(model.latents(seeds), labels=model.labels_of(seeds))[:, :1]
    return w.repeat(model.num_ws, 1)


def groups(
    model: Sampler,
    phrases: Iterable[str],
    faces: np.ndarray,
    *,
    network: str = "faces",
    members: int = 10,
    confidence: float = 0.8,
) -> dict[str, Group]:
    """Return for each phrase the first ``members`` of ``faces`` (see :func:`sheet`) that surely show it.

    Raises:
        InputError: There are fewer.
    """
    if not 0.5 <= confidence <= 1:
        raise InputError(f"--confidence must be from 0.5 to 1, not {confidence:g}")
    predictor = AttributePredictor.load(network)
    wanted = {phrase: meaning(phrase, predictor.names) for phrase in phrases}
    if members < 1 or len(faces) < members:
        raise InputError(f"--members must be from 1 to the number of faces ({len(faces)}), not {members}")
    found: dict[str, list[int]] = {phrase: [] for phrase in wanted}
    looked = 0
    while looked < len(faces) and any(len(rows) < members for rows in found.values()):
        seen = predictor.predict(model.images(faces[looked : looked + 256]))
        for phrase, rows in found.items():
            rows += (sure_rows(predictor, seen, wanted[phrase], confidence=confidence) + looked + 1).tolist()
        looked += len(seen)
    for phrase, rows in found.items():
        if len(rows) < members:
            raise InputError(
                f"'{phrase}': {len(rows)} of {looked} faces are surely so, but {members} are needed; "
                "try --samples with more, --members with fewer, or --confidence 0.6"
            )
    return {
        phrase: Group(phrase, wanted[phrase], tuple(rows[:members]), len(rows))
        for phrase, rows in found.items()
    }


def goal(expression: str, names: Sequence[str]) -> dict[str, bool]:
    """Return what a sum of phrases should show: the attributes that every term speaks of, added up."""
    phrases = names_in(expression)
    numbered = {phrase: [i + 1] for i, phrase in enumerate(phrases)}
    sums: dict[str, float] = {}
    for term in parse_expression(expression, numbered):
        if not term.name:
            raise InputError(f"expression '{expression}': a goal needs words in all terms")
        for name, yes in meaning(term.name, names).items():
            sums[name] = sums.get(name, 0.0) + term.factor * (1 if yes else -1)
    return {name: value > 0 for name, value in sums.items() if value}


def score_words(
    model: Generator,
    expression: str = "smiling woman - neutral woman + neutral man",
    *,
    network: str = "faces",
    judge: str = "evaluator",
    samples: int = 6000,
    seed: int = 0,
    trials: int = 40,
    members: int = 10,
) -> ArithmeticScore | None:
    """Return how often the result shows the goal, by a network that took no part, beside random triples.

    ``shares["trials"]["both"]`` is the rate of results with all wanted attributes, ``shares["control"]``
    that of random members. None where there are too few sure faces for two draws.
    """
    chooser, judging = AttributePredictor.load(network), AttributePredictor.load(judge)
    phrases = names_in(expression)
    parsed = parse_expression(expression, {phrase: [i + 1] for i, phrase in enumerate(phrases)})
    if [term.factor for term in parsed] != [1, -1, 1] or len(phrases) != 3:
        raise InputError(f"expression '{expression}': scored are three phrases, first - second + third")
    wanted = {phrase: meaning(phrase, chooser.names) for phrase in phrases}
    network_told = model.as_trained() if model.varied is None else model
    return score_arithmetic(
        model,
        torch.from_numpy(sheet(network_told, samples, seed)),
        chooser,
        judge=judging,
        groups=wanted,
        goal=goal(expression, judging.names),
        trials=trials,
        members=members,
        seed=seed,
        rescale=w_statistics.spread_of(model).typical,
    )
