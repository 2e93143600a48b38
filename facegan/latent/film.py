"""Films whose motion is even: frames along a path, at equal steps in the features of a network.

Equal steps in latent space are not equal to the eye: a face may stand still for a second and change within
two frames. Here the way along the path is measured in features, frame by frame, and the frames are placed
anew where each is as far from the next as all others are; a few rounds of that suffice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from facegan import arguments, bars
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.images import to_uint8
from facegan.latent.interpolation import along, vectors
from facegan.metrics.feature_extractors import FeatureTable, table

MAX_FRAMES = 20_000
ROUNDS = 8
GOOD = 0.01  # a variation of the steps that needs no further round

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Film:
    """Latents ``z`` of the frames (N,dim, or N,num_ws,w_dim where the points are in w), their ``places`` on
    the path, and the ``steps`` from each frame to the next in features (in a loop also from the last to the
    first): exact, and as ``seen`` in 8 bits."""

    z: torch.Tensor
    places: np.ndarray
    steps: np.ndarray
    seen: np.ndarray

    def __repr__(self) -> str:
        return f"<Film: {len(self.z)} frames, steps even to {self.variation:.1%}>"

    @property
    def variation(self) -> float:
        """Standard deviation of the steps, divided by their mean: 0 is perfectly even."""
        return variation(self.steps)


def variation(steps: np.ndarray) -> float:
    """The coefficient of variation; 0 where nothing moves."""
    mean = float(np.mean(steps))
    return float(np.std(steps)) / mean if mean > 0 else 0.0


def film(
    model: Generator,
    points: Sequence[torch.Tensor] | torch.Tensor,
    frames: int = 240,
    *,
    kind: str = "slerp",
    loop: bool = True,
    features: str | FeatureTable = "faces",
    truncation: float = 1.0,
    on_progress: Progress | None = None,
) -> Film:
    """``frames`` along the path through ``points`` (z, or all layers' w), equally far apart in ``features``.

    A ``loop`` goes back to the first point and ends one step before it, so that it can be repeated; otherwise
    the last frame is the last point. ``model.images(film.z, truncation)`` draws them.
    """
    if on_progress is None:
        with bars.shown() as told:
            return film(
                model,
                points,
                frames,
                kind=kind,
                loop=loop,
                features=features,
                truncation=truncation,
                on_progress=told,
            )
    frames = arguments.whole(frames, "frames", -MAX_FRAMES)
    if not 2 <= frames <= MAX_FRAMES:
        raise InputError(f"a film takes 2 to {MAX_FRAMES:,} frames, not {frames:,}")
    points = vectors(points)
    judge = table(features, device=str(model.device)) if isinstance(features, str) else features
    z = along(points, [0], kind, loop=loop)  # what is wrong with the points is said first
    stretches = len(points) if loop else len(points) - 1
    places = even_places(max(frames, 12 * stretches), stretches, loop)
    best, kept, least = places, np.empty(0), math.inf
    for turn in range(ROUNDS):
        z = along(points, places, kind, loop=loop)
        steps = step_lengths(
            model,
            z,
            judge,
            loop=loop,
            truncation=truncation,
            rounded=False,
            on_progress=_part(on_progress, turn),
        )
        if len(places) == frames and variation(steps) < least:
            best, kept, least = places, steps, variation(steps)
            if least < GOOD:
                break
        places = placed_anew(places, steps, stretches, frames=frames, loop=loop)
    z = along(points, best, kind, loop=loop)
    seen = step_lengths(
        model,
        z,
        judge,
        loop=loop,
        truncation=truncation,
        rounded=True,
        on_progress=_part(on_progress, ROUNDS),
    )
    return Film(z, best, kept, seen)


def _part(on_progress: Progress, turn: int) -> Progress:
    """A round's share of the whole; the last one is that of the film as it is seen."""
    return lambda what, done, total: on_progress(what, turn * total + done, (ROUNDS + 1) * total)


def even_places(frames: int, stretches: int, loop: bool) -> np.ndarray:
    """Places of ``frames`` at equal steps of the path's own parameter."""
    return np.linspace(0.0, stretches, frames, endpoint=not loop)


def placed_anew(
    places: np.ndarray, steps: np.ndarray, stretches: int, *, frames: int, loop: bool
) -> np.ndarray:
    """Places of ``frames`` at equal shares of the way, of which ``steps`` lie between ``places``."""
    knots = np.append(places, stretches) if loop else places
    total = float(steps.sum())
    if total <= 0:  # nothing moves: any places will do
        return even_places(frames, stretches, loop)
    way = np.concatenate([[0.0], np.cumsum(steps + 1e-6 * total / len(steps))])
    return np.interp(np.linspace(0.0, way[-1], frames, endpoint=not loop), way, knots)


def step_lengths(
    model: Generator,
    z: torch.Tensor,
    judge: FeatureTable,
    *,
    loop: bool = False,
    truncation: float = 1.0,
    rounded: bool = False,
    on_progress: Progress | None = None,
    batch: int = 64,
) -> np.ndarray:
    """float64: how far each picture of ``z`` is from the next in features; a ``loop`` goes on to the first.

    ``rounded`` to 8 bits, which blurs the small steps of a slow film, or exactly.
    """
    parts: list[np.ndarray] = []
    for i in range(0, len(z), batch):
        with torch.inference_mode():
            images = model(z[i : i + batch].float(), truncation)
            found = judge(to_uint8(images)) if rounded else judge.compute(images.float()).cpu().numpy()
        parts.append(found.astype(np.float64))
        if on_progress is not None:
            on_progress("measuring steps", min(i + batch, len(z)), len(z))
    features = np.concatenate(parts)
    if not np.isfinite(features).all():
        raise InputError("the features of some of these faces are not finite: is the model sound?")
    ahead = np.roll(features, -1, 0) if loop else features[1:]
    return np.linalg.norm(ahead - features[: len(ahead)], axis=1)
