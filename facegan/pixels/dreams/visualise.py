"""Feature visualisation: pictures from noise that a layer, a channel or a class responds to most.

Olah, Mordvintsev, Schubert 2017, *Feature visualization*: Adam on decorrelated Fourier coefficients (section
"Preconditioning and parameterization"), each step seen through a random movement, enlargement and turn.

A picture is sigmoid(M irfft2(scale * coefficients)): ``scale`` falls with the frequency as in photos, so that
one step size suits coarse and fine; M gives the channels the colour correlation of photos.
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
from facegan.classifiers.classifier import Classifier
from facegan.layers.optimizers import Adam
from facegan.pixels.dreams.config import DreamConfig
from facegan.pixels.dreams.dream import with_suitable_layers
from facegan.pixels.dreams.objective import Objective, parse_terms
from facegan.pixels.loading import load_configured
from facegan.pixels.loop import OnStep, Outcome, optimise
from facegan.pixels.settings import ClassifierConfig, replace_fields
from facegan.pixels.tiles import require_memory
from facegan.sheets import show

RATE = 4.0  # of Adam, in step sizes
STEPS = 256  # if the settings say 0
SIZE = 224
SPREAD = 0.01  # of the first coefficients
BORDER = 12  # px of grey around the picture that no term should need
SCALES, DEGREES = (0.9, 1.1), 8.0
# A square root of the colour covariance of ImageNet's photos (the paper's own numbers), largest row norm 1.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


@dataclass(frozen=True)
class Visualised:
    """Pictures from noise.

    Attributes:
        images: uint8 ``N,H,W,3``, one for each term of ``names``.
        names: Layers, channels and classes.
        outcome: How the loop ended.
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
        settings: ``steps`` counts all steps, ``size`` is the side in px (0: 224).
        every: ``on_picture(steps done, uint8 N,H,W,3)`` after so many steps; 0 is never.
        on_step: Sees each step's numbers.
        on_picture: See ``every``.
        changes: Fields of the settings.
    """
    s = replace_fields(settings or DreamConfig(), changes)
    classifier = load_configured(classifier)
    s = with_suitable_layers(classifier, s, STEPS)
    objective = Objective(classifier, parse_terms(classifier, s.layers, s.classes), apart=True)
    names, side = [term.name for term in objective.terms], s.size or SIZE
    noise = [
        SPREAD * torch.randn(1, 3, side, side // 2 + 1, 2, generator=_generator(s.seed, n)) for n in names
    ]
    leaf = torch.cat(noise).to(classifier.device).requires_grad_(True)
    adam, curve = Adam([leaf], RATE * s.step_size), list[float]()

    def step(number: int) -> dict[str, float]:
        with torch.enable_grad():
            seen = shake(to_pixels(leaf, side), s.seed, number, jitter=s.jitter)
            value, gradient = objective.evaluate(seen.detach())
            adam.zero_grad()
            torch.autograd.backward(seen, -gradient)
            adam.step()
        curve.append(value)
        return {"loss": value}

    @torch.no_grad()
    def pictures() -> np.ndarray:
        return images.unit_to_uint8(to_pixels(leaf, side))

    pixels, hint = len(names) * (side + 2 * BORDER) ** 2, "choose a smaller --size or fewer --layers"
    with require_memory(classifier, pixels, 0, hint=hint):
        outcome = optimise(
            step,
            s.steps,
            seed=s.seed,
            purpose="visualise",
            on_step=on_step,
            pictures=lambda: list(pictures()),
            every=every if on_picture is not None else 0,
            on_snapshot=lambda done: on_picture(done, pictures()) if on_picture is not None else None,
        )
    return Visualised(pictures(), names, outcome, curve)


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(rng.torch_seed(seed, f"visualise/{name}", 0))


def scale(side: int) -> Tensor:
    """Return 1 / frequency, ``side,side//2+1``; the lowest frequency is that of the side."""
    frequency = (torch.fft.fftfreq(side)[:, None].square() + torch.fft.rfftfreq(side).square()).sqrt()
    table: Tensor = frequency.clamp_min(1.0 / side) ** -1.0 / 4
    return table


def to_pixels(coefficients: Tensor, side: int) -> Tensor:
    """Return ``N,3,H,H`` in (0, 1) from coefficients ``N,3,H,H//2+1,2`` (real and imaginary parts)."""
    spectrum = torch.view_as_complex(coefficients.contiguous()) * scale(side).to(coefficients.device)
    plain = torch.fft.irfft2(spectrum, s=(side, side), norm="ortho")
    return torch.einsum("ij,njhw->nihw", COLOUR.to(coefficients.device), plain).sigmoid()


def shake(x: Tensor, seed: int, number: int, *, jitter: int) -> Tensor:
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
