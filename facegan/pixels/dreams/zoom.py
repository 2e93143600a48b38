"""Flights into a dream: dream, enlarge, dream again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan import images
from facegan.pixels.classifiers import Classifier
from facegan.pixels.dreams.config import DreamConfig
from facegan.pixels.dreams.dream import Dreamer, dream_photo, prepare, suited
from facegan.pixels.loop import OnStep, optimise
from facegan.pixels.pictures import Picture
from facegan.pixels.settings import changed


def zoom(
    classifier: Classifier,
    picture: Picture,
    frames: int,
    *,
    settings: DreamConfig | None = None,
    factor: float = 1.02,
    turn: float = 0.0,
    centre: tuple[float, float] = (0.5, 0.5),
    between: int = 0,
    guide: Picture | None = None,
    on_step: OnStep | None = None,
    **changes: Any,
) -> Iterator[np.ndarray]:
    """Yield frames uint8 ``H,W,3`` of a flight into a dream, while they are dreamt.

    The first frame is the whole dream of the photo; each next one takes ``steps`` steps at its own size.
    Ctrl-C ends the flight after the frame that is dreamt.

    Args:
        classifier: The classifier that dreams.
        picture: The photo.
        frames: How many frames are dreamt.
        settings: Settings of the dream; ``changes`` are fields of them.
        factor: How much each frame is enlarged.
        turn: Degrees by which each frame turns.
        centre: The centre of the zoom, x and y from 0 to 1.
        between: Frames blended between two dreamt ones: 1 makes smoother films of twice the frame rate.
        guide: A picture whose features the dream should have.
        on_step: Sees each step's numbers.
    """
    s = suited(classifier, changed(settings or DreamConfig(), changes))
    first = dream_photo(classifier, picture, s, guide=guide, on_step=on_step)
    dreamer = Dreamer(prepare(classifier, s, guide), s)
    dreamer.x = images.to_unit(first.image[None], classifier.device)
    yield first.image
    start = len(first.octaves) * s.steps
    outcome = first.outcome
    for _ in range(frames - 1):
        if outcome.signum:
            return
        before = dreamer.x.clone()
        dreamer.x = moved(dreamer.x, factor, turn, centre=centre)
        steps = start + s.steps
        outcome = optimise(dreamer.step, steps, seed=s.seed, purpose="dream", start=start, on_step=on_step)
        start = steps
        for i in range(1, between + 1):
            part = i / (between + 1)
            old = moved(before, factor**part, turn * part, centre=centre)
            new = moved(dreamer.x, factor ** (part - 1), turn * (part - 1), centre=centre)
            yield images.unit_to_uint8(torch.lerp(old, new, part))[0]
        yield images.unit_to_uint8(dreamer.x)[0]


def moved(x: Tensor, factor: float, turn: float, *, centre: tuple[float, float]) -> Tensor:
    """Enlarge ``x`` about ``centre`` and turn it by ``turn`` degrees; what comes in is mirrored."""
    h, w = x.shape[-2:]
    angle = torch.tensor(turn).deg2rad()
    cos, sin = float(angle.cos()) / factor, float(angle.sin()) / factor
    cx, cy = 2 * centre[0] - 1, 2 * centre[1] - 1
    # In pixels a turn keeps angles; in affine_grid's units, -1..1 on both axes, the sides' ratio comes in.
    theta = torch.tensor(
        [
            [cos, -sin * h / w, cx - cos * cx + sin * h / w * cy],
            [sin * w / h, cos, cy - sin * w / h * cx - cos * cy],
        ],
        device=x.device,
    )
    where = F.affine_grid(theta[None], [1, 3, h, w], align_corners=False)
    return F.grid_sample(x, where, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(0, 1)
