"""Models: their facts, and pictures of seeds."""

from __future__ import annotations

import functools
import os
from typing import Any

import torch

from facegan import figures, images
from facegan.devices import pick_device
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent.directions import Directions, kept_directions
from facegan.models import load, resolve, split_delta
from facegan.studio.tasks import Given, Result
from facegan.translator import Translator

KEPT_MODELS = 3


def machine(arguments: Given, content: bytes) -> Result:
    """Return where models are drawn."""
    device = pick_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {"device": f"{device.type}{f' ({name})' if name else ''}", "threads": torch.get_num_threads()}, b""


def facts(arguments: Given, content: bytes) -> Result:
    """Return what the model named ``model`` is."""
    model = loaded(arguments["model"])
    found: dict[str, Any] = {"hash": model.hash, "image_shape": list(model.image_shape)}
    wanted = ("family", "licence", "labels", "alignment")
    found |= {key: model.meta[key] for key in wanted if key in model.meta}
    if isinstance(model, Translator):
        return {**found, "model": "translator", "directions": list(model.directions)}, b""
    latent = {"dim": model.latent.dim, "kind": model.latent.kind}
    shape = {"num_ws": model.num_ws, "w_dim": model.w_dim, "truncates": bool(model.truncates)}
    if model.label_row is not None:
        found["default_labels"] = model.label_row.tolist()
    return {**found, "model": "generator", "latent": latent, **shape}, b""


def seed_picture(arguments: Given, content: bytes) -> Result:
    """Return a PNG of the picture of ``seed``."""
    model, seed = generator(arguments["model"]), arguments["seed"]
    mark = figures.origin(model.hash, labels=model.spelled(), seed=str(seed))
    return {}, images.png_bytes(model.sample([seed])[0], mark)


def generator(name: str) -> Generator:
    """Return the generator of that name; InputError if it is a translator."""
    model = loaded(name)
    if not isinstance(model, Generator):
        raise InputError("this model is a translator, which makes pictures of pictures; choose a generator")
    return model


def known_directions(model: Generator) -> Directions:
    """Return a model's directions; InputError if they have not been found yet."""
    if (found := kept_directions(model)) is None:
        raise InputError("this model's directions are not found yet; press 'Find directions'")
    return found


def loaded(name: str) -> Generator | Translator:
    """Return a model; the latest few are kept for as long as their files stay as they are."""
    files = [str(resolve(name)), split_delta(name)[1]]
    versions = [os.stat(file).st_mtime_ns for file in files if file]
    return _kept(name, *files, *versions)


@functools.lru_cache(maxsize=KEPT_MODELS)
def _kept(name: str, *files: str | int) -> Generator | Translator:
    return load(name, device=str(pick_device("auto")))
