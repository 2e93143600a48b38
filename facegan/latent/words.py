"""Words for faces: "smiling woman", "old man without glasses" become groups by an attribute network.

    phrase = word { word }
    word   = ["no" | "not" | "without"] attribute | synonym | filler

An attribute is a name that the network knows ("wavy hair", "bangs") or the one word of it that no other
name has ("wavy", "hat").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from facegan.data.where import plain
from facegan.errors import InputError, offered
from facegan.generator import Generator
from facegan.latent import probe
from facegan.latent.arithmetic import names_in, parse_expression
from facegan.latent.scoring import ArithmeticScore, score_arithmetic, sure_rows
from facegan.metrics.attributes import AttributePredictor

# word -> (names of attributes, the first that the network has counts; yes or no)
SYNONYMS: dict[str, tuple[tuple[str, ...], bool]] = {
    "man": (("Male",), True), "men": (("Male",), True), "male": (("Male",), True),
    "woman": (("Male",), False), "women": (("Male",), False), "female": (("Male",), False),
    "smiling": (("Smiling",), True), "smile": (("Smiling",), True), "happy": (("Smiling",), True),
    "neutral": (("Smiling",), False), "serious": (("Smiling",), False), "unsmiling": (("Smiling",), False),
    "young": (("Young",), True), "old": (("Young",), False), "elderly": (("Young",), False),
    "glasses": (("Eyeglasses", "Glasses"), True), "eyeglasses": (("Eyeglasses", "Glasses"), True),
    "spectacles": (("Eyeglasses", "Glasses"), True),
    "beard": (("No_Beard",), False), "bearded": (("No_Beard",), False),
    "shaven": (("No_Beard",), True), "beardless": (("No_Beard",), True),
    "blond": (("Blond_Hair",), True), "blonde": (("Blond_Hair",), True), "brunette": (("Brown_Hair",), True),
    "grey": (("Gray_Hair",), True), "grey hair": (("Gray_Hair",), True), "fringe": (("Bangs",), True),
    "moustache": (("Mustache",), True), "make up": (("Heavy_Makeup",), True),
    "open mouth": (("Mouth_Slightly_Open",), True), "closed mouth": (("Mouth_Slightly_Open",), False),
    "stubble": (("5_o_Clock_Shadow",), True),
}  # fmt: skip
NEGATIONS = ("no", "not", "without", "non")
FILLERS = {
    "a", "an", "and", "anyone", "face", "faces", "haired", "in", "people", "person", "the", "wearing", "with",
}  # fmt: skip


def meaning(phrase: str, names: Sequence[str]) -> dict[str, bool]:
    """``{"Smiling": True, "Male": False}`` of "smiling woman", for a network that knows ``names``.

    InputError for a word that is unknown or could be several attributes, and for a contradiction.
    """
    words = plain(phrase).split("_")
    wanted: dict[str, bool] = {}
    negate, at = False, 0
    while at < len(words):
        size, found = _longest(words[at:], names)
        if found is None and words[at] in NEGATIONS and at + 1 < len(words):
            negate, at = True, at + 1
            continue
        if found is None and words[at] not in FILLERS:
            found = _one_of(words[at], phrase, names)
        if found is not None:
            name, yes = found[0], found[1] != negate
            if wanted.setdefault(name, yes) != yes:
                raise InputError(f"'{phrase}' asks for {_spoken(name)} and for the opposite")
            negate = False
        at += size
    return wanted


def _longest(words: Sequence[str], names: Sequence[str]) -> tuple[int, tuple[str, bool] | None]:
    """How many of ``words`` begin with a name or a synonym, and its meaning."""
    own = {plain(name): name for name in names}
    for size in range(min(4, len(words)), 0, -1):
        text = "_".join(words[:size])
        if text in own:
            return size, (own[text], True)
        candidates, yes = SYNONYMS.get(text.replace("_", " "), ((), True))
        for name in candidates:
            if plain(name) in own:
                return size, (own[plain(name)], yes)
    return 1, None


def _one_of(word: str, phrase: str, names: Sequence[str]) -> tuple[str, bool]:
    """The only name that has ``word`` in it."""
    having = [name for name in names if word in plain(name).split("_")]
    if len(having) == 1:
        return having[0], True
    if having:
        raise InputError(
            f"'{phrase}': '{word}' is ambiguous; say {' or '.join(_spoken(name) for name in having)}"
        )
    raise InputError(f"'{phrase}': the word '{word}' is unknown; {offered(vocabulary(names), word)}")


def _spoken(name: str) -> str:
    return f"'{plain(name).replace('_', ' ')}'"


def vocabulary(names: Sequence[str]) -> list[str]:
    """Every synonym that this network understands, then its own names."""
    own = {plain(name) for name in names}
    words = [word for word, (found, _) in SYNONYMS.items() if own & {plain(name) for name in found}]
    return list(dict.fromkeys([*words, *(name.replace("_", " ") for name in sorted(own))]))


# --- groups of generated faces ----------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """Faces of a sheet that surely show what ``name`` says: ``members`` are numbers from 1."""

    name: str
    wanted: Mapping[str, bool]
    members: tuple[int, ...]
    found: int


def sheet(model: Generator, count: int, seed: int = 0) -> torch.Tensor:
    """w ``N,num_ws,w_dim`` of seeds: number 1 of the sheet is ``seed``. Conditional: as told."""
    seeds = range(seed, seed + count)
    with torch.inference_mode():
        w = model.map(model.latent.sample(seeds), labels=model.labels_of(seeds))[:, :1].cpu().clone()
    return w.expand(-1, model.num_ws, -1)


def groups(
    model: Generator, phrases: Iterable[str], faces: torch.Tensor, *, network: str = "faces",
    members: int = 10, confidence: float = 0.8,
) -> dict[str, Group]:  # fmt: skip
    """For each phrase the first ``members`` of ``faces`` (see :func:`sheet`) that the network is sure of.

    InputError where there are fewer.
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
            rows += (sure_rows(predictor, seen, wanted[phrase], confidence) + looked + 1).tolist()
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
    """What a sum of phrases should show: the attributes that every term speaks of, added up."""
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
    model: Generator, expression: str = "smiling woman - neutral woman + neutral man", *,
    network: str = "faces", judge: str = "evaluator", samples: int = 6000, seed: int = 0, trials: int = 40,
    members: int = 10,
) -> ArithmeticScore | None:  # fmt: skip
    """How often the result shows the goal, by a network that took no part, beside random triples.

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
        model, sheet(network_told, samples, seed), chooser, judging, wanted, goal(expression, judging.names),
        trials=trials, members=members, seed=seed, rescale=probe.spread_of(model).typical,
    )  # fmt: skip
