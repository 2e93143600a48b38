"""Collect what is known of a model that is published, without places of the computer that made it."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from facegan.deltas import base_hashes
from facegan.errors import InputError
from facegan.exchange.hub_licences import Licence, licence_of
from facegan.exchange.personal import without_places
from facegan.exchange.publish_measures import Measures, evaluated, of_bundled, of_run
from facegan.generator import Generator
from facegan.latent.directions import Directions, kept_directions
from facegan.models import load, resolve
from facegan.recipes.table import RECIPES

_BUNDLED_DATA = "CelebA's, for non-commercial research only"  # all bundled models have learnt from it
SHEET = 25  # seeds on the sheet, from 0 on, none left out


@dataclass(frozen=True)
class Facts:
    """What a card says. ``model`` is what is published; its header names no places."""

    repo: str
    model: Generator
    licence: Licence
    data_licence: str
    """What the user says about the training pictures' licence; "" is unknown."""
    measures: Measures | None
    sections: dict[str, str]
    """Texts of a bundled model's own card by their headings; ``Data`` says what it has learnt from."""
    directions: Directions | None
    onnx: bool = True
    space: bool = True

    @property
    def name(self) -> str:
        """Return the last part of the repository's name."""
        return self.repo.partition("/")[2]

    @property
    def origin(self) -> dict[str, Any]:
        """Return where the model comes from, as its header says."""
        return dict(self.model.meta.get("provenance") or {})

    @property
    def dataset(self) -> dict[str, Any]:
        """Return what the header says of the training pictures."""
        return dict(self.origin.get("dataset") or {})

    @property
    def kimg(self) -> float | None:
        """Return the thousands of pictures that the model has seen, with those of what it began with."""
        if "images_seen" not in self.origin:
            return None
        return float(self.origin["images_seen"] + self.origin.get("images_before", 0)) / 1000

    @property
    def recipe(self) -> tuple[str, str]:
        """Return the recipe's name and its summary; "" where they are unknown."""
        name = str(self.origin.get("recipe") or "")
        summary = RECIPES[name].summary if name in RECIPES else ""
        return name, re.sub(r" \(docs/[^)]*\)", "", summary)

    @property
    def size(self) -> str:
        """Return ``64x64``, width first."""
        return "x".join(map(str, self.model.image_shape[:0:-1]))


def facts_of(
    model: Generator | str | Path,
    repo: str,
    *,
    evaluation: str = "",
    licence: str = "",
    data_licence: str = "",
    onnx: bool = True,
    space: bool = True,
) -> Facts:
    """Return what is known; see :func:`facegan.publish` for the arguments."""
    given = model if isinstance(model, Generator) else load(model)
    if not isinstance(given, Generator):
        raise InputError(f"{model}: this is a translator; only generators can be published")
    header = without_places(given.meta)
    if licence:
        header["licence"] = licence
    published = Generator(given.network, header, given.device)
    file = None if isinstance(model, Generator) else resolve(model)
    measures, card = of_bundled(given.bundled, given.hashes, str(_dataset_name(header)))
    if evaluation:
        measures = evaluated(evaluation, {*given.hashes, *published.hashes})
    elif measures is None and file is not None:
        measures = of_run(file, (given.meta.get("provenance") or {}).get("images_seen", -1))
    directions = kept_directions(given)
    if directions is not None:  # by the hash that they share with the model, whatever its header says
        metadata = without_places(directions.metadata)
        directions = replace(directions, model_hash=base_hashes(published)[0], metadata=metadata)
    return Facts(
        repo,
        published,
        licence_of(str(header.get("licence") or "")),
        data_licence or (_BUNDLED_DATA if card else ""),
        measures,
        _sections(card),
        directions,
        onnx,
        space,
    )


def _dataset_name(header: dict[str, Any]) -> str:
    return str(((header.get("provenance") or {}).get("dataset") or {}).get("name", ""))


def _sections(card: str) -> dict[str, str]:
    """Return the texts below the headings of a card."""
    head, *parts = re.split(r"^## (.+)$", card.partition("<!--")[0], flags=re.MULTILINE)
    found = {heading: text.strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}
    data = re.search(r"^- \*\*Data\*\*: (.+?)(?=\n- |\n\n)", head, re.MULTILINE | re.DOTALL)
    return found | ({"Data": " ".join(data[1].split())} if data else {})


def stored_type(model: Generator) -> torch.dtype:
    """Return the smallest type in which the weights lose nothing."""
    tensors = [t for t in model.network.state_dict().values() if t.is_floating_point()]
    exact = all(bool((t == t.half().to(t.dtype)).all()) for t in tensors)
    return torch.float16 if exact else torch.float32


def told(model: Generator) -> Generator:
    """Return the model with labels as in training, for a sheet of a conditional one."""
    return copy(model).as_trained()
