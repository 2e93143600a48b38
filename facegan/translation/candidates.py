"""Faces of a generator before and after an edit, and what an attribute network says of the change."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments
from facegan.attributes import phrases
from facegan.attributes.networks import digest
from facegan.attributes.predictor import AttributePredictor
from facegan.data.filters import plain
from facegan.data.items import Row
from facegan.data.png import encode, pixels_digest
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent.directions import Directions, directions_of
from facegan.latent.editing import TIED, parse_edits
from facegan.latent.points import parse_layers
from facegan.metrics.pairs import feature_distance
from facegan.models import as_model, with_labels
from facegan.translation.local import localized

HOLD = (
    "male, eyeglasses, young, smiling, mouth slightly open, no beard, mustache, bald, bangs, black hair, "
    "blond hair, brown hair, gray hair, wearing hat"
)
CHUNK, CHUNK_BYTES = 128, 8 * 2**20  # faces that are looked at together: at most so many, of so many bytes
JUDGE = "evaluator"  # only judges what others have made


@dataclass(frozen=True)
class Rules:
    """What makes a pair of two faces; see :func:`facegan.translation.pairs.pairs`."""

    hold: str
    margin: float
    min_confidence: float
    max_distance: float
    max_change: float
    network: str

    @classmethod
    def read(cls, *, hold: str, network: str, **numbers: float) -> Rules:
        """Return checked rules; InputError in one line if one cannot be."""
        limits = {
            "margin": (0.0, 1.0),
            "min_confidence": (0.5, 1.0),
            "max_distance": (0.0, math.inf),
            "max_change": (0.0, 1.0),
        }
        for name, value in numbers.items():
            option = f"--{name.replace('_', '-')}"
            numbers[name] = arguments.real(value, option, limits[name][0], most=limits[name][1])
        network = str(arguments.place(network, "--network"))
        if any(Path(name).stem == JUDGE for name in names_of(network)):
            raise InputError(
                f"--network {network}: {JUDGE} judges what others have made, and must not choose pairs; take "
                "faces"
            )
        return cls(hold=arguments.text(hold, "--hold"), network=network, **numbers)


def names_of(networks: str) -> list[str]:
    """Return the networks in a list with commas."""
    return [name for name in (part.strip() for part in networks.split(",")) if name] or [networks]


@dataclass(frozen=True)
class Candidates:
    """A model's faces and an edit of them.

    ``asked`` and ``held`` are attributes as the first network spells them, ``others`` are further networks
    that must agree, ``step`` is what the edit adds to w.
    """

    model: Generator
    model_name: str
    predictor: AttributePredictor
    rules: Rules
    strengths: Mapping[str, float]
    step: torch.Tensor
    asked: Mapping[str, bool]
    held: Sequence[str]
    labels: str = ""
    reverse: bool = False
    local: bool = False
    others: Sequence[AttributePredictor] = ()

    @classmethod
    def of(
        cls,
        model: Generator | str | Path,
        edits: str | Mapping[str, float],
        rules: Rules,
        *,
        layers: str,
        directions: str | Path,
        labels: str,
        reverse: bool,
        local: bool,
        device: str,
        say: Callable[[str], None] | None,
    ) -> Candidates:
        """Return the candidates that the arguments of ``pairs`` describe; InputError if they cannot be."""
        text = ",".join(f"{n}={v}" for n, v in edits.items()) if isinstance(edits, Mapping) else edits
        arguments.text(text, "edits", "'eyeglasses=+2'")
        network = as_model(model, device)
        drawn = with_labels(network, labels, say=say) if labels else network.as_trained()
        predictor, *others = (AttributePredictor.load(name) for name in names_of(rules.network))
        found = Directions.load(directions, drawn) if directions else directions_of(drawn)
        strengths = parse_edits(text, found)
        moved = parse_layers(layers, drawn) if layers else list(range(drawn.num_ws))
        step = found.move(torch.zeros_like(found.vectors[:1]), strengths, moved)[0]
        asked = _asked(strengths, found, predictor)
        held = _held(rules.hold, strengths, found, predictor=predictor)
        _check_others(others, [*asked, *held], names_of(rules.network)[1:])
        name = str(model) if isinstance(model, (str, Path)) else "a model in memory"
        more: dict[str, Any] = {"labels": labels, "reverse": reverse, "local": local, "others": others}
        return cls(drawn, name, predictor, rules, strengths, step, asked, held, **more)

    # --- what is on record ----------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        return self.predictor.names

    @property
    def network_name(self) -> str:
        return ",".join(f"{Path(name).stem}-{digest(name)}" for name in names_of(self.rules.network))

    @property
    def chunk(self) -> int:
        """How many faces are looked at together."""
        return max(8, min(CHUNK, CHUNK_BYTES // math.prod(self.model.image_shape)))

    def plan(self) -> dict[str, Any]:
        """Return everything on which the pairs depend, for JSON."""
        plan = {
            "sources": [self.model_name],
            "model": self.model.hash,
            "labels": self.labels or ("random" if self.model.labels else ""),
            "edits": dict(self.strengths),
            "step": _digest(self.step),
            "network": self.network_name,
            "held": list(self.held),
            "margin": self.rules.margin,
            "min_confidence": self.rules.min_confidence,
            "max_distance": self.rules.max_distance,
            "max_change": self.rules.max_change,
            "reverse": self.reverse,
            "local": self.local,
        }
        found: dict[str, Any] = json.loads(json.dumps(plan))
        return found

    def origin(self) -> dict[str, Any]:
        """Return which model and edit made the pictures, for dataset.json and the card."""
        edits = ", ".join(f"{plain(name)} {value:+g}" for name, value in self.strengths.items())
        facts = {"model": self.model_name, "hash": self.model.hash, "edits": edits, "reverse": self.reverse}
        return {**facts, "local": self.local}

    def picture_facts(self) -> dict[str, Any]:
        """Return size, channels and crop: that of the photos which the model was trained on."""
        c, h, w = self.model.image_shape
        crop = self.model.meta.get("alignment") or {"kind": "none", "size": [h, w]}
        return {"size": [h, w], "channels": c, "crop": crop}

    # --- the pairs ------------------------------------------------------------------------------------

    def rows(self, seeds: range) -> list[Row]:
        """Return a row for each seed: a pair, or the reason why it makes none."""
        with torch.inference_mode():
            w = (
                self.model.map(self.model.latent.sample(seeds), labels=self.model.labels_of(seeds))
                .cpu()
                .clone()
            )
        plain_faces = self.model.images(w)
        before = self.predictor.predict(plain_faces)
        why = [self._there_already(p, self.predictor) for p in before]
        open_ = [i for i, reason in enumerate(why) if not reason]
        rows = [
            Row(f"seed:{seed}", f"seed-{seed}.png", reject=reason)
            for seed, reason in zip(seeds, why, strict=True)
        ]
        if not open_:
            return rows
        edited = self.model.images(w[open_] + self.step)
        if self.local:
            edited = localized(plain_faces[open_], edited)
        after = self.predictor.predict(edited)
        distances = self._distances(plain_faces[open_], edited)
        reasons = [
            self._no_change(p, self.predictor)
            or self._changed(before[i], p, self.predictor)
            or self._too_far(distance)
            for i, p, distance in zip(open_, after, distances, strict=True)
        ]
        for other in self.others:
            self._ask(other, plain_faces[open_], edited, reasons=reasons)
        for i, picture, p, reason in zip(open_, edited, after, reasons, strict=True):
            rows[i] = self._row(seeds[i], plain_faces[i], picture, answers=(before[i], p), reason=reason)
        return rows

    def _ask(
        self, network: AttributePredictor, before: np.ndarray, after: np.ndarray, *, reasons: list[str]
    ) -> None:
        """Fill in the reasons of a further network, of pairs that have none so far."""
        left = [i for i, reason in enumerate(reasons) if not reason]
        if left:
            answers = (network.predict(pictures[left]) for pictures in (before, after))
            for i, a, b in zip(left, *answers, strict=True):
                reasons[i] = (
                    self._there_already(a, network)
                    or self._no_change(b, network)
                    or self._changed(a, b, network)
                )

    def _there_already(self, p: np.ndarray, network: AttributePredictor) -> str:
        """Return why a face cannot show the change, or ''."""
        for name, yes in self.asked.items():
            sure = _probability(p, network, name, yes=yes)
            if sure > 1 - self.rules.min_confidence:
                return f"{_spoken(name)}: so before, or in doubt"
        return ""

    def _no_change(self, p: np.ndarray, network: AttributePredictor) -> str:
        for name, yes in self.asked.items():
            if _probability(p, network, name, yes=yes) < self.rules.min_confidence:
                return f"{_spoken(name)}: not reached"
        return ""

    def _changed(self, before: np.ndarray, after: np.ndarray, network: AttributePredictor) -> str:
        """Return which held attribute has changed most, or ''."""
        moved, most = {}, self.rules.max_change or 1.0
        for name in self.held:
            a, b = (float(p[network.column(name)]) for p in (before, after))
            crossed = (a > 0.5) != (b > 0.5) and abs(a - b) > self.rules.margin
            if crossed or abs(a - b) > most:
                moved[name] = abs(a - b)
        return f"{_spoken(max(moved, key=lambda name: moved[name]))}: changed" if moved else ""

    def _too_far(self, distance: float) -> str:
        most = self.rules.max_distance
        return f"another face (distance above {most:g})" if most and distance > most else ""

    def _distances(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        if not self.rules.max_distance:
            return np.zeros(len(before))
        return feature_distance(*(self.predictor.features(pictures) for pictures in (before, after)))

    def _row(
        self,
        seed: int,
        before: np.ndarray,
        after: np.ndarray,
        *,
        answers: tuple[np.ndarray, np.ndarray],
        reason: str,
    ) -> Row:
        """Return the row of a seed: a pair with the attributes of its target, or a reject."""
        source, name = f"seed:{seed}", f"seed-{seed}.png"
        if reason:
            return Row(source, name, reject=reason)
        given, target = (after, before) if self.reverse else (before, after)
        values = dict(zip(self.names, answers[0 if self.reverse else 1].tolist(), strict=True))
        return Row(
            source,
            name,
            png=encode(target),
            input_png=encode(given),
            pixels_digest=pixels_digest(target, given),
            attributes={name: int(p > 0.5) for name, p in values.items()},
            values=json.dumps({name: max(p, 1 - p) for name, p in values.items()}),
        )


def _probability(p: np.ndarray, network: AttributePredictor, name: str, *, yes: bool) -> float:
    value = float(p[network.column(name)])
    return value if yes else 1 - value


def _check_others(
    networks: Sequence[AttributePredictor], wanted: Sequence[str], names: Sequence[str]
) -> None:
    """Raise InputError where a further network does not know an attribute that it is to decide on."""
    for network, called in zip(networks, names, strict=True):
        if missing := [name for name in wanted if name not in network.names]:
            raise InputError(
                f"--network {called}: it does not know {_spoken(missing[0])}; name networks that know all "
                "that is asked for and held"
            )


def _asked(
    strengths: Mapping[str, float], found: Directions, predictor: AttributePredictor
) -> dict[str, bool]:
    """Return the attributes that the edit asks for; InputError for a direction that the network sees not."""
    known = {plain(name): name for name in predictor.names}
    asked = {}
    for name, strength in strengths.items():
        if found.kinds[found.index(name)] != "attribute" or plain(name) not in known:
            raise InputError(
                f"edit '{plain(name)}': the network does not see it, so that no pair could be chosen; name "
                "an attribute, such as eyeglasses=+2"
            )
        if not strength:
            raise InputError(f"edit '{plain(name)}=0': changes nothing; write for example {plain(name)}=+2")
        asked[known[plain(name)]] = strength > 0
    return asked


def _held(
    text: str, strengths: Mapping[str, float], found: Directions, *, predictor: AttributePredictor
) -> list[str]:
    """Return the attributes that must not change, without those that are asked for.

    Those that belong to the edit, as an open mouth to a smile, are held only if ``text`` names them.
    """
    words = [word for word in (part.strip() for part in (text or HOLD).split(",")) if word]
    if [word.lower() for word in words] == ["none"]:
        return []
    asked = {plain(name) for name in strengths}
    if [word.lower() for word in words] == ["all"]:
        return [name for name in predictor.names if plain(name) not in asked]
    held: list[str] = []
    for word in words:
        try:
            held += phrases.meaning(word, predictor.names)
        except InputError as error:
            if text:
                raise InputError(f"--hold {error}") from None
    tied = set() if text else _tied(strengths, found)
    return [name for name in dict.fromkeys(held) if plain(name) not in asked | tied]


def _tied(strengths: Mapping[str, float], found: Directions) -> set[str]:
    """Return the attributes that the directions change as well, by ``TIED`` or more per unit."""
    rows = [found.effects[found.index(name)] for name in strengths]
    return {plain(n) for row in rows for n, e in zip(found.seen, row, strict=True) if abs(e) > TIED}


def _spoken(name: str) -> str:
    return plain(name).replace("_", " ")


def _digest(step: torch.Tensor) -> str:
    """Return a short hash of a step, by which other directions are noticed."""
    return pixels_digest(step.float().numpy()).hex()[:16]
