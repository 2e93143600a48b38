"""Models: their facts, and pictures of seeds and vectors."""

from __future__ import annotations

import base64
import functools
import os
from typing import Any

import numpy as np
import torch

from facegan import figures, images
from facegan.devices import pick_device
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.models import load, resolve
from facegan.sampler import check_truncation
from facegan.translator import Translator

KEPT_MODELS = 3
MAX_IMAGES = 64
"""Pictures of one request."""
Result = tuple[dict[str, Any], bytes]


def machine(arguments: dict[str, Any], content: bytes) -> Result:
    """Return where models are drawn."""
    device = pick_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {"device": f"{device.type}{f' ({name})' if name else ''}", "threads": torch.get_num_threads()}, b""


def facts(arguments: dict[str, Any], content: bytes) -> Result:
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


def draw(arguments: dict[str, Any]) -> tuple[Generator, np.ndarray]:
    """Return the model and uint8 pictures ``N,H,W,C`` of ``seeds`` or ``vectors``."""
    model = generator(arguments["model"])
    truncation = float(arguments.get("truncation", 1.0))
    model = check_truncation(truncation, model)
    if labels := arguments.get("labels"):
        model = model.tell(labels)
    given = arguments.get("vectors") or arguments.get("seeds")
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_IMAGES:
        raise InputError(f"give 1 to {MAX_IMAGES} seeds or vectors")
    with torch.inference_mode():
        return model, model.images(given, truncation)


def pictures_of(arguments: dict[str, Any], content: bytes) -> Result:
    """Return a PNG of one picture, or the base64 texts of several."""
    model, found = draw(arguments)
    seeds = arguments.get("seeds") if not arguments.get("vectors") else None
    note = figures.origin(model.hash, float(arguments.get("truncation", 1.0)), labels=model.spelled())
    files = [
        images.png_bytes(one, note.having(seed=str(seeds[i])) if seeds else note)
        for i, one in enumerate(found)
    ]
    if len(files) == 1:
        return {}, files[0]
    return {"images": [base64.b64encode(file).decode() for file in files]}, b""


def generator(name: str) -> Generator:
    """Return the generator of that name; InputError if it is a translator."""
    model = loaded(name)
    if not isinstance(model, Generator):
        raise InputError("this model is a translator, which makes pictures of pictures; choose a generator")
    return model


def loaded(name: str) -> Generator | Translator:
    """Return a model; the latest few are kept for as long as their files stay as they are."""
    file = resolve(name)
    about = os.stat(file)
    return _kept(name, str(file), about.st_mtime_ns + about.st_size)


@functools.lru_cache(maxsize=KEPT_MODELS)
def _kept(name: str, file: str, version: int) -> Generator | Translator:
    return load(name, device=str(pick_device("auto")))
