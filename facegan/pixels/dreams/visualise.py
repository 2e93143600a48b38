"""Feature visualisation: pictures from noise that a layer, a channel or a class responds to most.

Olah, Mordvintsev, Schubert 2017, *Feature visualization*: Adam on decorrelated Fourier coefficients, each
step seen through a random movement, enlargement and turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan import images, rng
from facegan.layers.optimizers import Adam
from facegan.pixels.classifiers import Classifier
from facegan.pixels.dreams import fourier
from facegan.pixels.dreams.config import DreamConfig
from facegan.pixels.dreams.dream import suited
from facegan.pixels.dreams.objective import Objective, parse_terms
from facegan.pixels.loading import load_configured
from facegan.pixels.loop import OnStep, Outcome, optimise
from facegan.pixels.memory import require_memory
from facegan.pixels.settings import ClassifierConfig, changed
from facegan.sheets import show

RATE = 4.0  # of Adam, in step sizes
STEPS = 256  # where the settings say 0
SIZE = 224
BORDER = 12  # px of grey around it that no term should need
SCALES, DEGREES = (0.9, 1.1), 8.0


@dataclass(frozen=True)
class Visualised:
    """Pictures from noise.

    Attributes:
        images: uint8 ``N,H,W,3``, one for each term of ``names``.
        curve: The sum of all terms at each step.
        path: The file that holds the pictures, if it was written; ``frames`` is the length of its film.
    """

    images: np.ndarray
    names: list[str]
    outcome: Outcome
    curve: list[float] = field(default_factory=list)
    path: Path | None = None
    frames: int = 0

    def __repr__(self) -> str:
        return f"<Visualised: {', '.join(self.names)}; {len(self.curve)} steps>"

    def _repr_png_(self) -> bytes:
        return show(self.images)._repr_png_()


def visualise(
    classifier: Classifier | ClassifierConfig,
    settings: DreamConfig | None = None,
    *,
    every: int = 0,
    on_step: OnStep | None = None,
    on_picture: Callable[[int, np.ndarray], None] | None = None,
    **changes: Any,
) -> Visualised:
    """Make a picture from noise for each layer, channel and class of the settings.

    The picture of a term does not depend on the others.

    Args:
        classifier: The classifier, or the settings by which it is loaded.
        settings: Settings; ``changes`` are fields of them. ``steps`` counts all steps, ``size`` is the side
            in px (0: 224).
        every: ``on_picture(steps done, uint8 N,H,W,3)`` after so many steps; 0 is never.
    """
    s = changed(settings or DreamConfig(), changes).check()
    classifier = load_configured(classifier) if isinstance(classifier, ClassifierConfig) else classifier
    s = suited(classifier, s, STEPS)
    terms = parse_terms(classifier, s.layers, s.classes)
    objective = Objective(classifier, terms, apart=True)
    side = s.size or SIZE
    each = [
        fourier.random_coefficients(
            1, side, side, generator=torch.Generator().manual_seed(_seed(s.seed, g.name))
        )
        for g in terms
    ]
    leaf = torch.cat(each).to(classifier.device).requires_grad_(True)
    adam = Adam([leaf], RATE * s.step_size)
    curve: list[float] = []

    def step(number: int) -> dict[str, float]:
        with torch.enable_grad():
            x = fourier.to_pixels(leaf, side, side)
            seen = shaken(x, s.seed, number, jitter=s.jitter)
            value, gradient = objective.evaluate(seen.detach())
            adam.zero_grad()
            seen.backward(-gradient)
            adam.step()
        curve.append(value)
        return {"loss": value}

    def pictures() -> np.ndarray:
        with torch.no_grad():
            return images.unit_to_uint8(fourier.to_pixels(leaf, side, side))

    def snapshot(done: int) -> None:
        if on_picture is not None:
            on_picture(done, pictures())

    pixels, hint = len(terms) * (side + 2 * BORDER) ** 2, "choose a smaller --size or fewer --layers"
    with require_memory(classifier, pixels, 0, hint=hint):
        outcome = optimise(
            step,
            s.steps,
            seed=s.seed,
            purpose="visualise",
            on_step=on_step,
            every=every,
            on_snapshot=snapshot,
        )
    return Visualised(pictures(), [g.name for g in terms], outcome, curve)


def _seed(seed: int, name: str) -> int:
    return rng.torch_seed(seed, f"visualise/{name}", 0)


def shaken(x: Tensor, seed: int, number: int, *, jitter: int) -> Tensor:
    """Give ``x`` a grey border, and move, enlarge and turn it as step ``number`` decides; differentiable."""
    u = rng.uniform(seed, "shaken", number, count=1, per_item=4)[0]
    x = F.pad(x, [BORDER] * 4, value=0.5)
    h, w = x.shape[-2:]
    factor = SCALES[0] + (SCALES[1] - SCALES[0]) * u[0]
    angle = np.deg2rad(DEGREES * (2 * u[1] - 1))
    cos, sin = np.cos(angle) / factor, np.sin(angle) / factor
    reach = min(jitter, BORDER)
    dx, dy = (2 * u[2] - 1) * reach * 2 / w, (2 * u[3] - 1) * reach * 2 / h
    theta = torch.tensor([[cos, -sin * h / w, dx], [sin * w / h, cos, dy]], dtype=x.dtype, device=x.device)
    where = F.affine_grid(theta.expand(len(x), 2, 3), list(x.shape), align_corners=False)
    return F.grid_sample(x, where, padding_mode="border", align_corners=False)
