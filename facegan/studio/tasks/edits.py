"""Edits of a face: the directions of a model, words for them, and the face that a photo has in it."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path

import torch

from facegan import figures, images
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.inversion.targets import crop_of
from facegan.latent.directions import kept_directions
from facegan.latent.editing import MAX_STRENGTH, at_home, parse_edits
from facegan.marks import RECALL
from facegan.studio.tasks import Given, Result
from facegan.studio.tasks.models import generator, known_directions, loaded
from facegan.vectors import load_vectors

STRENGTH = 1.5
"""Standard deviations of a word without a number."""
_AMOUNTS = {
    "slightly": 0.75,
    "a bit": 0.75,
    "a little": 0.75,
    "much": 2.5,
    "very": 2.5,
    "more": 1.5,
    "less": -1.5,
}
_COMPARATIVES = {"older": "old", "younger": "young", "happier": "happy", "blonder": "blond"}


def edit_crop(arguments: Given, content: bytes) -> Result:
    """Return how photos are cut for the model named ``model``: the fields of a ``Crop``."""
    crop = replace(crop_of(loaded(arguments["model"])), all_faces=True)
    return {**asdict(crop), "size": list(crop.shape[:2])}, b""


def edit_directions(arguments: Given, content: bytes) -> Result:
    """Return the model's directions, the most telling ones first; none if they are not known."""
    found = kept_directions(generator(arguments["model"]))
    if found is None:
        return {"known": False, "directions": []}, b""
    rows = [
        {"name": found.names[i], "kind": found.kinds[i], "accuracy": found.accuracy.get(found.names[i])}
        for i in found.order()
    ]
    return {"known": True, "directions": rows}, b""


def edit_words(arguments: Given, content: bytes) -> Result:
    """Return what words mean, such as "smiling, a bit older" or "eyeglasses=-1": strengths by direction."""
    found = known_directions(generator(arguments["model"]))
    text = ",".join(_with_number(part) for part in arguments["words"].split(",") if part.strip())
    return {"moves": parse_edits(text, found)}, b""


def _with_number(part: str) -> str:
    if "=" in part:
        return part
    rest, strength = " ".join(part.lower().split()), STRENGTH
    for word, amount in _AMOUNTS.items():
        if rest.startswith(f"{word} "):
            rest, strength = rest.removeprefix(f"{word} "), amount
            break
    rest = re.sub(r"[a-z]+", lambda match: _COMPARATIVES.get(match[0], match[0]), rest)
    return f"{rest}={strength}"


def edit_image(arguments: Given, content: bytes) -> Result:
    """Return a PNG of the face in the file ``vectors``, moved by ``moves``, as the model draws it.

    ``recall`` is what its mark says to the studio.
    """
    model = _labelled(arguments)
    w = _place(model, arguments)
    edits = ", ".join(f"{name} {value:+.3g}" for name, value in arguments["moves"].items() if value)
    mark = figures.origin(model.hash, 1.0, edits=edits).having(**{RECALL: arguments["recall"]})
    with torch.inference_mode():
        return {}, images.png_bytes(model.images(w)[0], mark)


def edit_place(arguments: Given, content: bytes) -> Result:
    """Return w of the face in the file ``vectors``, moved by ``moves``: its shape, and float32 values."""
    model = _labelled(arguments)
    w = _place(model, arguments)
    return {"shape": list(w.shape[1:]), "hash": model.hash}, w[0].float().numpy().astype("<f4").tobytes()


def _place(model: Generator, arguments: Given) -> torch.Tensor:
    """Return w ``1,num_ws,w_dim`` of the first vector of a file, moved along directions."""
    saved = load_vectors(Path(arguments["vectors"]), model.latent.dim, (model.num_ws, model.w_dim))
    moves = {name: float(value) for name, value in arguments["moves"].items() if value}
    if any(not abs(value) <= MAX_STRENGTH for value in moves.values()):
        raise InputError(f"strengths are standard deviations, from -{MAX_STRENGTH:g} to {MAX_STRENGTH:g}")
    with torch.inference_mode():
        w = at_home(model, model.map(saved.z[:1]).cpu().clone())
    return known_directions(model).move(w, moves) if moves else w


def _labelled(arguments: Given) -> Generator:
    model, labels = generator(arguments["model"]), arguments["labels"]
    return model.tell(labels) if labels else model
