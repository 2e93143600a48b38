"""Editing faces along directions, and mixing two: from words and points to w.

edits = edit { "," edit }        edit = phrase "=" number
layers = number | number "-" number { "," ... }
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from facegan import arguments
from facegan.attributes import phrases
from facegan.attributes.predictor import AttributePredictor
from facegan.data.filters import plain
from facegan.errors import InputError
from facegan.generator import Generator, Vectorlike
from facegan.inversion.invert import invert, warn
from facegan.inversion.targets import silent
from facegan.latent import attribute_hold, unsupervised, w_statistics
from facegan.latent.directions import Directions, directions_of
from facegan.latent.edited import Edited, Mask, check_saved
from facegan.models import as_model
from facegan.vectors import Vectors, is_seeds, parse_point, parse_seeds

HOLD = "male,eyeglasses,young,smiling"
TIED = 0.5  # an effect per unit, in standard deviations, that belongs to the edit
MAX_STRENGTH = 100.0  # standard deviations: further is a slip of the pen


def parse_edits(text: str, found: Directions) -> dict[str, float]:
    """``"smiling=+2, old=1"`` as ``{"Smiling": 2.0, "Young": -1.0}``; InputError names what is wrong."""
    strengths: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = part.partition("=")
        try:
            strength = float(value)
        except ValueError:
            strength = math.nan
        if not equals or not math.isfinite(strength):
            raise InputError(f"edit '{part}': write a name and a number, such as smiling=+2")
        if abs(strength) > MAX_STRENGTH:
            raise InputError(
                f"edit '{part}': strengths are standard deviations, "
                f"from -{MAX_STRENGTH:g} to {MAX_STRENGTH:g}"
            )
        for direction, sign in _meant(name, found).items():
            strengths[direction] = strengths.get(direction, 0.0) + sign * strength
    if not strengths:
        raise InputError(f"the edits are empty; write for example smiling=+2 ({found.known()})")
    return strengths


def _meant(name: str, found: Directions) -> dict[str, float]:
    """Directions and signs: a direction's own name, else words such as "old" or "without glasses"."""
    if plain(name) in map(plain, found.names):
        return {found.names[found.index(name)]: 1.0}
    attributes = [n for n, kind in zip(found.names, found.kinds, strict=True) if kind == "attribute"]
    try:
        wanted = phrases.meaning(name, attributes) if name.strip() else {}
    except InputError as error:
        raise InputError(f"{error}; 'facegan directions' lists all, with pca1, sefa1 ...") from None
    if not wanted:
        raise InputError(f"edit '{name.strip()}': names no direction ({found.known()})")
    return {attribute: 1.0 if yes else -1.0 for attribute, yes in wanted.items()}


def parse_layers(text: str, model: Generator, option: str = "--layers") -> list[int]:
    """``0-3`` or ``0,2,4``, of the places at which the network takes w."""
    chosen = parse_seeds(text, option)
    for layer in chosen:
        if layer >= model.num_ws:
            count = model.num_ws
            there = f"0 to {count - 1}" if count > 1 else "only 0, for it takes w in one place"
            raise InputError(f"{option} {text}: there is no layer {layer} (this model has {there})")
    return chosen


def target_kind(text: str) -> str:
    """Whether a target of :func:`target_points` means seeds, vectors or photos."""
    return "vectors" if ".npz" in text.lower() else "seeds" if is_seeds(text) else "photos"


def target_points(
    model: Generator,
    text: str,
    encoder: str | Path = "none",
    *,
    align: bool = True,
    face: int = 1,
    say: Callable[[str], None] | None = None,
) -> Vectors:
    """``seed:7``, ``seed:0-9``, bare seeds, ``vectors.npz``, ``vectors.npz:1-3``, or photos, as points in w.

    Photos (files, folders, addresses, - for standard input) are inverted by the quick preset, from the guess
    of ``encoder`` where there is one; ``align`` and ``face`` are as ``facegan invert`` has them. ``say`` is
    told what was left out, and of further faces in a photo.
    """
    if target_kind(text) == "photos":
        found = invert(text, model, encoder=encoder, align=align, face=face, say=say or silent).vectors
        with torch.inference_mode():
            return Vectors(model.map(found.z).cpu().clone(), found.names, model.hash, "w+")
    given = parse_point(model, text)
    with torch.inference_mode():
        w = model.map(given.z).cpu().clone()
    return Vectors(w, given.names, model.hash, "w+")


def edit(
    model: Generator | str | Path,
    target: Any,
    edits: str | Mapping[str, float],
    *,
    directions: Directions | str | Path | None = None,
    layers: str | Sequence[int] = "",
    keep: str | Path | Sequence[int] = "",
    hold: str = HOLD,
    encoder: str | Path = "none",
    align: bool = True,
    face: int = 1,
    out: str | Path | None = None,
    steps: int = 5,
    scale: int = 0,
) -> Edited:
    """Move faces along directions.

    >>> edit(model, "seed:5", "smiling=+2, eyeglasses=-1").images

    Args:
        model: what ``load`` takes, or a Generator.
        target: as on the command line, seeds, or latents ``N,dim`` or w, as arrays, lists, tensors or saved
            vectors.
        edits: names and strengths, as a text or as ``{"smiling": 2}``.
        directions: a file or Directions; without it they are found once and kept.
        layers: edit only some of the places where the network takes w, such as ``0-2``.
        keep: layers that stay (``0-2``), or a picture that is white where the original stays.
        encoder: a file that guesses vectors of photos.
        align: as in :func:`facegan.invert`.
        face: as in :func:`facegan.invert`; a FaceganWarning mentions it if a photo shows several faces.
        hold: attributes that must not change: at each face the bundled network corrects the way
            (``attribute_hold.py``); "none" moves straight.
        out: a file to write: a strip (.png), or pictures and vectors (.npz); see :meth:`Edited.save`.
        steps: pictures in a row of the strip.
        scale: repeat each pixel of the strip so often; 0 enlarges smoothly.
    """
    if out is not None:
        check_saved(arguments.place(out, "out"), steps)
    model = as_model(model)
    edits = ",".join(f"{n}={v}" for n, v in edits.items()) if isinstance(edits, Mapping) else edits
    arguments.text(edits, "edits", "'smiling=+2'")
    layers, keep = _numbers(layers, "--layers"), _numbers(keep, "--keep")
    arguments.text(hold, "--hold")
    if isinstance(target, str):
        points = target_points(model, target, encoder, align=align, face=face, say=warn)
    else:
        points = _points(model, target)
    if out is not None:
        check_saved(out, steps, len(points.names))
    points = Vectors(at_home(model, points.z), points.names, points.model_hash, points.space)
    if directions is None:
        found = directions_of(model)
    else:
        found = directions if isinstance(directions, Directions) else Directions.load(directions, model)
    strengths = parse_edits(edits, found)
    moved = set(parse_layers(layers, model)) if layers else set(range(model.num_ws))
    mask = None
    if re.fullmatch(r"[\d,\s-]+", keep):
        moved -= set(parse_layers(keep, model, "--keep"))
        if not moved:
            raise InputError(f"--keep {keep}: no layer is left to edit")
    elif keep:
        mask = Mask.read(keep, model)
    step = found.move(torch.zeros_like(points.z[:1]), strengths, sorted(moved))[0]
    after = held(model, points.z, step, watch=watched(hold, strengths, found))
    done = Edited(model, points.names, points.z, after, strengths, mask)
    if out is not None:
        done.save(out, steps=steps, scale=scale)
    return done


def at_home(model: Generator, w: torch.Tensor) -> torch.Tensor:
    """Points far outside as far from 0 as samples are, where the network draws the same picture of them.

    Networks that normalise w let a search for a photo run away outwards, where a step of an edit is small.
    """
    spread = w_statistics.spread_of(model)
    typical = float((spread.root.square().sum() + spread.mean.square().sum()).sqrt())
    size = w.norm(dim=2, keepdim=True)
    far = (size > 1.2 * typical).any(1).flatten()
    if not bool(far.any()):
        return w
    nearer = torch.where(size > 1.2 * typical, w * typical / size.clamp_min(1e-12), w)
    with torch.inference_mode():
        for row in far.nonzero().flatten().tolist():
            drawn, same, other = model.synthesize(torch.stack([w[row], nearer[row], -w[row]])).cpu()
            far[row] = float((drawn - same).abs().max()) < 0.01 * float((drawn - other).abs().max())
    return torch.where(far[:, None, None], nearer, w)


def watched(text: str, strengths: Mapping[str, float], found: Directions) -> list[str]:
    """The attributes of ``--hold`` that the edit does not ask for, as the bundled network spells them.

    Neither are those that go with it, as smiling does with high cheekbones.
    """
    if text.strip().lower() in ("", "none"):
        return []
    names = AttributePredictor.load("faces").names
    named = [found.index(name) for name in strengths]
    named = [k for k in named if found.kinds[k] == "attribute"]
    asked = {plain(found.names[k]) for k in named}
    for k in named:
        asked |= {
            plain(n) for n, effect in zip(found.seen, found.effects[k], strict=True) if abs(effect) > TIED
        }
    wished: list[str] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            wished += phrases.meaning(word, names)
        except InputError as error:
            raise InputError(f"--hold {error}") from None
    if not named:
        return []  # a direction that means nothing in particular may change whatever it likes
    return [name for name in dict.fromkeys(wished) if plain(name) not in asked]


def held(model: Generator, w: torch.Tensor, step: torch.Tensor, *, watch: Sequence[str]) -> torch.Tensor:
    """w after ``step``, at each face corrected so that the watched attributes stay."""
    if not watch:
        return w + step
    return attribute_hold.hold(
        model, AttributePredictor.load("faces"), w_statistics.spread_of(model), w=w, step=step, watched=watch
    )


def _numbers(given: str | Path | Sequence[int], option: str) -> str:
    """Layers as numbers become a text; a text or a path stays one."""
    if isinstance(given, (str, Path)):
        return str(given)
    return ",".join(map(str, arguments.seeds(given, f"{option}: layers")))


def _points(model: Generator, target: Any) -> Vectors:
    """Seeds (whole numbers in one dimension) or vectors as points in w."""
    if arguments.are_seeds(target):
        seeds = arguments.seeds(target)
        if not seeds:
            raise InputError("edit: no face is named")
        return target_points(model, ",".join(map(str, seeds)))
    with torch.inference_mode():
        w = model.map(target).cpu().clone()
    named = target.names if isinstance(target, Vectors) else tuple(f"#{i + 1}" for i in range(len(w)))
    return Vectors(w, named, model.hash, "w+")


# --- mixing -----------------------------------------------------------------------------------------


def mix(model: Generator, a: Vectorlike, b: Vectorlike, *, layers: Sequence[int]) -> torch.Tensor:
    """w of ``a`` with that of ``b`` in ``layers`` (Karras et al. 2019, section 3.1); z is mapped first."""
    chosen = arguments.seeds(layers, "layers")
    for layer in chosen:
        arguments.whole(layer, "layer", 0, most=model.num_ws - 1)
    taken = torch.zeros(model.num_ws, 1, dtype=torch.bool)
    taken[chosen] = True
    with torch.no_grad():
        a, b = (model.map(v).cpu() for v in (a, b))
    return torch.where(taken, b, a)


def mix_components(
    model: Generator, a: torch.Tensor, b: torch.Tensor, *, components: Sequence[int]
) -> torch.Tensor:
    """w of ``a`` with the coordinates of ``b`` along some of SeFa's directions, 0 the strongest.

    This mixes any network, also one that takes w in one place only.
    """
    chosen = sorted(set(components))
    basis = unsupervised.sefa_basis(model, w_statistics.spread_of(model))[chosen].float()
    return a + (b - a) @ basis.T @ basis
