"""Editing faces along directions, and mixing two: from words and points to w.

edits = edit { "," edit }        edit = phrase "=" number
layers = number | number "-" number { "," ... }
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from facegan import arguments
from facegan.attributes import phrases
from facegan.attributes.predictor import AttributePredictor
from facegan.data.filters import plain
from facegan.errors import InputError
from facegan.files import check_places
from facegan.generator import Generator, Vectorlike
from facegan.inversion.encoder import beside as encoder_beside
from facegan.inversion.invert import warn
from facegan.latent import attribute_hold, unsupervised, w_statistics
from facegan.latent.directions import Directions, directions_of
from facegan.latent.edited import Edited, Mask, check_saved
from facegan.latent.points import mix_layers, parse_layers, points_in_w, target_kind
from facegan.models import as_model, with_labels
from facegan.vectors import Vectors, split_numbers

HOLD = "male,eyeglasses,young,smiling"
TIED = 0.5  # an effect per unit, in standard deviations, that belongs to the edit
MAX_STRENGTH = 100.0  # standard deviations: further is a slip of the pen


def parse_edits(text: str, found: Directions) -> dict[str, float]:
    """Return ``"smiling=+2, old=1"`` as ``{"Smiling": 2.0, "Young": -1.0}``.

    Raises:
        InputError: A part is no edit, or a name is unknown.
    """
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
    """Return directions and signs: a direction's own name, else words such as "old" or "without glasses"."""
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
    mark: bool = True,
    labels: str = "",
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
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
        hold: attributes that must not change, by gradients of the bundled network; "none" moves straight.
        encoder: a file that guesses vectors of photos; ``auto`` is the one beside the model, or none.
        align: as in :func:`facegan.invert`.
        face: as in :func:`facegan.invert`.
        out: a file to write: a strip (.png), or pictures and vectors (.npz); see :meth:`Edited.save`.
        steps: pictures in a row of the strip.
        scale: repeat each pixel of the strip so often; 0 enlarges smoothly.
        mark: write into the pictures that they are generated, and by what.
        labels: of a conditional model, such as ``smiling=1``.
        device: cpu, cuda or mps, of a model that is loaded.
        say: receives lines on labels and on further faces in a photo; by default the latter are a warning.
    """
    edits, layers, keep = _spell(edits, layers, keep)
    arguments.text(hold, "--hold")
    _check_files(out, steps, scale, target=target)
    network, by_seed = as_model(model, device), not isinstance(target, str) or target_kind(target) == "seeds"
    network = with_labels(network, labels, by_seed=by_seed, say=say)
    encoder = _find_encoder(model) if encoder == "auto" else encoder
    points = points_in_w(network, target, encoder=encoder, align=align, face=face, say=say or warn)
    if out is not None:
        check_saved(out, steps, len(points.names))
    if not isinstance(directions, Directions):
        directions = Directions.load(directions, network) if directions else directions_of(network)
    done = _apply(network, points, edits, directions=directions, layers=layers, keep=keep, hold=hold)
    if out is None:
        return done
    return replace(done, files=tuple(done.save(out, steps=steps, scale=scale, mark=mark)))


def _spell(
    edits: str | Mapping[str, float], layers: str | Sequence[int], keep: str | Path | Sequence[int]
) -> tuple[str, str, str]:
    """Return edits and layers of any kind as texts."""
    text = ",".join(f"{n}={v}" for n, v in edits.items()) if isinstance(edits, Mapping) else edits
    arguments.text(text, "edits", "'smiling=+2'")
    spelled = [
        str(given)
        if isinstance(given, (str, Path))
        else ",".join(map(str, arguments.seeds(given, f"{option}: layers")))
        for option, given in (("--layers", layers), ("--keep", keep))
    ]
    return text, spelled[0], spelled[1]


def _check_files(out: str | Path | None, steps: int, scale: int, *, target: Any) -> None:
    if not 0 <= scale <= 64:
        raise InputError(f"--scale must be from 0 (as fits) to 64, not {scale}")
    if out is not None:
        written: list[str | Path] = [*check_saved(arguments.place(out, "out"), steps)]
        read = [target, split_numbers(target)[0]] if isinstance(target, str) else []
        check_places({"--out": written}, read)


def _find_encoder(model: Generator | str | Path) -> str:
    """Return the encoder beside a model's file; "none" where there is none."""
    path = None if isinstance(model, Generator) else encoder_beside(model)
    return str(path) if path is not None and path.is_file() else "none"


def _apply(
    model: Generator,
    points: Vectors,
    edits: str,
    *,
    directions: Directions,
    layers: str,
    keep: str,
    hold: str,
) -> Edited:
    """Return the points moved by the edits, in the layers that are edited and not kept."""
    w = at_home(model, points.z)
    strengths = parse_edits(edits, directions)
    moved = set(parse_layers(layers, model)) if layers else set(range(model.num_ws))
    mask = None
    if re.fullmatch(r"[\d,\s-]+", keep):
        moved -= set(parse_layers(keep, model, "--keep"))
        if not moved:
            raise InputError(f"--keep {keep}: no layer is left to edit")
    elif keep:
        mask = Mask.read(keep, model)
    step = directions.move(torch.zeros_like(w[:1]), strengths, sorted(moved))[0]
    after = move(model, w, step, watch=watched(hold, strengths, directions))
    return Edited(model, points.names, w, after, strengths, mask)


def move(model: Generator, w: torch.Tensor, step: torch.Tensor, *, watch: Sequence[str]) -> torch.Tensor:
    """Return w after ``step``, at each face corrected so that the watched attributes stay."""
    if not watch:
        return w + step
    predictor, spread = AttributePredictor.load("faces"), w_statistics.spread_of(model)
    return attribute_hold.hold(model, predictor, spread, w=w, step=step, watched=watch)


def at_home(model: Generator, w: torch.Tensor) -> torch.Tensor:
    """Return points far outside as far from 0 as samples are, where the network draws them alike.

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
    """Return the attributes of ``--hold`` that the edit does not ask for, as the bundled network spells them.

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


# --- mixing -----------------------------------------------------------------------------------------


def mix(model: Generator, a: Vectorlike, b: Vectorlike, *, layers: Sequence[int]) -> torch.Tensor:
    """Return w of ``a`` with that of ``b`` in ``layers`` (Karras et al. 2019, section 3.1)."""
    return torch.from_numpy(mix_layers(model, a, b, layers=layers))


def mix_components(
    model: Generator, a: torch.Tensor, b: torch.Tensor, *, components: Sequence[int]
) -> torch.Tensor:
    """Return w of ``a`` with the coordinates of ``b`` along some of SeFa's directions, 0 the strongest.

    This mixes any network, also one that takes w in one place only.
    """
    chosen = sorted(set(components))
    basis = unsupervised.sefa_basis(model, w_statistics.spread_of(model))[chosen].float()
    return a + (b - a) @ basis.T @ basis
