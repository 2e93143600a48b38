"""Faces that are edited, mixed and summed, as points in w: seeds, saved vectors, or photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments
from facegan.errors import InputError
from facegan.models import as_generator
from facegan.sampler import Sampler
from facegan.seeds import is_seeds, parse_seeds
from facegan.vectors import Vectors, parse_point


def parse_layers(text: str, model: Sampler, option: str = "--layers") -> list[int]:
    """Return ``0-3`` or ``0,2,4``, of the places at which the network takes w."""
    chosen = parse_seeds(text, option)
    for layer in chosen:
        if layer >= model.num_ws:
            count = model.num_ws
            there = f"0 to {count - 1}" if count > 1 else "only 0, for it takes w in one place"
            raise InputError(f"{option} {text}: there is no layer {layer} (this model has {there})")
    return chosen


def target_kind(text: str) -> str:
    """Return whether a target of :func:`target_points` means seeds, vectors or photos."""
    return "vectors" if ".npz" in text.lower() else "seeds" if is_seeds(text) else "photos"


def target_points(
    model: Sampler,
    text: str,
    encoder: str | Path = "none",
    *,
    align: bool = True,
    face: int = 1,
    say: Callable[[str], None] | None = None,
) -> Vectors:
    """Return seeds (``seed:7``, ``seed:0-9``, bare ones), ``vectors.npz:1-3`` or photos as points in w.

    Photos (files, folders, addresses, - for standard input) are inverted by the quick preset, from the guess
    of ``encoder`` where there is one; ``align`` and ``face`` are as ``facegan invert`` has them. ``say``
    receives lines on what was left out, and on further faces in a photo.
    """
    if target_kind(text) == "photos":
        from facegan.inversion.invert import invert
        from facegan.inversion.targets import silent

        searched = as_generator(model)
        given = invert(text, searched, encoder=encoder, align=align, face=face, say=say or silent).vectors
    else:
        given = parse_point(model, text)
    return Vectors(model.to_w(given), given.names, model.hash, "w+")


def points_in_w(model: Sampler, target: Any, **photos: Any) -> Vectors:
    """Return faces (a text for :func:`target_points`, whole numbers or vectors) as points in w."""
    if isinstance(target, (str, Path)):
        return target_points(model, str(target), **photos)
    if arguments.are_seeds(target):
        seeds = arguments.seeds(target)
        if not seeds:
            raise InputError("edit: no face is named")
        return target_points(model, ",".join(map(str, seeds)))
    w = model.to_w(target)
    named = target.names if isinstance(target, Vectors) else tuple(f"#{i + 1}" for i in range(len(w)))
    return Vectors(w, named, model.hash, "w+")


def as_vectors(model: Sampler, w: np.ndarray, names: Sequence[str]) -> Vectors:
    """Return points of w as other commands take them: as z where w is z itself, the same in all layers."""
    alike = bool((w == w[:, :1]).all())
    in_z = alike and not model.labels and w.shape[2] == model.latent.dim
    if in_z and np.array_equal(model.to_w(w[:, 0]), w):
        return Vectors(w[:, 0].copy(), tuple(names), model.hash)
    return Vectors(w.copy(), tuple(names), model.hash, "w" if alike else "w+")


def mix_layers(model: Sampler, a: Any, b: Any, *, layers: Sequence[int]) -> np.ndarray:
    """Return w of ``a`` with that of ``b`` in ``layers`` (Karras et al. 2019, section 3.1)."""
    chosen = arguments.seeds(layers, "layers")
    for layer in chosen:
        arguments.whole(layer, "layer", 0, most=model.num_ws - 1)
    mixed, other = np.broadcast_arrays(model.to_w(a), model.to_w(b))
    mixed = mixed.copy()
    mixed[:, chosen] = other[:, chosen]
    return mixed
