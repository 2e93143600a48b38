"""DeepDream: a picture is changed so that a classifier's layers see more of what they already see in it.

Mordvintsev, Olah, Tyka 2015, *Inceptionism: going deeper into neural networks*: gradient ascent on the mean
square of activations, octave by octave, what was drawn at one size being carried to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan import images, rng
from facegan.errors import InputError
from facegan.metrics.shapes import of_array
from facegan.pixels.classifiers import Classifier
from facegan.pixels.colours import levelled, normalised, paled
from facegan.pixels.dreams.objective import Objective, parse_terms
from facegan.pixels.loop import Outcome, StepStats, optimise
from facegan.pixels.memory import require_memory
from facegan.pixels.settings import DREAM_LAYERS, SMALLEST, DreamSettings
from facegan.pixels.tiles import chosen_tile

STEPS = 10  # in an octave, where the settings say 0
OnStep = Callable[[StepStats], None]
OnPicture = Callable[[int, np.ndarray], None]


@dataclass(frozen=True)
class Dreamed:
    """``image`` uint8 ``H,W,3``; ``curve`` the loss of each step; ``octaves`` the sizes (height, width)."""

    image: np.ndarray
    outcome: Outcome
    curve: list[float] = field(default_factory=list)
    octaves: list[tuple[int, int]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Dreamed: {self.image.shape[1]}x{self.image.shape[0]} px, {len(self.curve)} steps>"

    def _repr_png_(self) -> bytes:
        return images.png_bytes(self.image)


def photo_of(source: str | Path | np.ndarray, size: int = 0, least: int = SMALLEST) -> np.ndarray:
    """uint8 ``H,W,3``, upright, of a file or an array; its longer side made ``size`` px (0: as it is).

    InputError where a side then has less than ``least`` px.
    """
    if isinstance(source, (str, Path)):
        photo = images.read_image_file(source)
    else:
        photo = of_array([source], "the picture").at(np.array([0]))[0]
    photo = photo.repeat(3, -1) if photo.shape[2] == 1 else photo
    if size:
        k = size / max(photo.shape[:2])
        photo = images.resize(photo, (max(1, round(photo.shape[0] * k)), max(1, round(photo.shape[1] * k))))
    if min(photo.shape[:2]) < least:
        h, w = photo.shape[:2]
        name = f"{source}: " if isinstance(source, (str, Path)) else ""
        raise InputError(f"{name}{w}x{h} px are too few: both sides must have at least {least}")
    return photo


def octave_sizes(height: int, width: int, octaves: int, scale: float) -> list[tuple[int, int]]:
    """(height, width) from small to large, the last one the picture's; none has a side below 32 px."""
    sizes = []
    for octave in range(octaves):
        size = round(height / scale**octave), round(width / scale**octave)
        if octave and min(size) < SMALLEST:
            break
        sizes.append(size)
    return sizes[::-1]


def suited(classifier: Classifier, settings: DreamSettings, steps: int = STEPS) -> DreamSettings:
    """Settings with layers that suit the classifier where neither layers nor classes are given."""
    settings = replace(settings, steps=settings.steps or steps)
    if settings.layers or settings.classes:
        return settings
    kind = type(classifier.module).__name__
    if kind in DREAM_LAYERS:
        layers = DREAM_LAYERS[kind]
        if (
            kind == "VGG" and "block4_conv3" not in classifier.aliases()
        ):  # VGG11 and VGG13 end a block earlier
            layers = tuple(name.replace("conv3", "conv2") for name in layers)
        return replace(settings, layers=layers)
    # Of an unknown network: the last layer at a sixteenth of the input, where animals and things appear.
    side = classifier.input_size[0]
    fit = [n for n, s in classifier.layer_names() if len(s) == 3 and side / 22 < s[1] <= side / 12]
    if not fit:
        raise InputError(
            f"{classifier.name}: choose --layers ('facegan layers {classifier.name}' lists them)"
        )
    return replace(settings, layers=(fit[-1],))


class Dreamer:
    """The picture of one dream while it changes: ``x`` ``1,3,H,W`` in [0, 1] at the size of its octave."""

    def __init__(self, objective: Objective, settings: DreamSettings) -> None:
        self.objective, self.settings = objective, settings
        self.x = torch.zeros(0)
        self.over = False

    def step(self, number: int) -> dict[str, float]:
        """One update; ``number`` decides the movement."""
        s = self.settings
        pad = (0, 0, 0, 0)
        if s.jitter:
            jy, jx = (int(v) for v in rng.uniform(s.seed, "dream", number, 1, 2)[0] * (s.jitter + 1))
            pad = (jy, s.jitter - jy, jx, s.jitter - jx)
        tile = chosen_tile(s.tile, *self.x.shape[-2:])
        loss, gradient = self.objective.evaluate(self.x, tile, s.overlap, pad)
        if s.stop_above and loss > s.stop_above:
            self.over = True
            return {"loss": loss}
        gradient = paled(gradient, s.colour)  # rebound, so that large photos need one copy less
        gradient = levelled(gradient, s.smooth)
        self.x = self.x.add_(normalised(gradient), alpha=s.step_size)
        if s.smooth:  # the tutorial's plain steps are cut off only when they are saved
            self.x.clamp_(0, 1)
        return {"loss": loss}

    def octave(self, base: Tensor, before: Tensor | None) -> None:
        """Go on at the size of ``base``, the photo; ``before`` is the photo at the size so far."""
        if before is None:
            self.x = base.clone()
            return
        drawn = F.interpolate(self.x - before, base.shape[-2:], mode="bicubic")
        self.x = drawn.add_(base).clamp_(0, 1)


def prepare(classifier: Classifier, settings: DreamSettings, guide: Any = None) -> Objective:
    """The objective that settings (with ``suited`` layers) and a guide picture describe."""
    objective = Objective(classifier, parse_terms(classifier, settings.layers, settings.classes))
    if guide is not None:
        if not objective.layers:
            raise InputError("--guide goes with --layers, not with classes alone")
        side = 2 * max(classifier.input_size)
        objective.follow(images.to_unit(photo_of(guide, side)[None], classifier.device))
    return objective


def dream(
    classifier: Classifier,
    picture: str | Path | np.ndarray,
    settings: DreamSettings | None = None,
    *,
    guide: str | Path | np.ndarray | None = None,
    every: int = 0,
    on_step: OnStep | None = None,
    on_picture: OnPicture | None = None,
    **changes: Any,
) -> Dreamed:
    """Dream into ``picture``; ``changes`` are fields of ``DreamSettings``, as in ``octaves=4``.

    guide: a picture whose features the dream should have.
    every: ``on_picture(steps done, uint8 H,W,3)`` after so many steps; 0: at the end of each octave.

    Ctrl-C ends it after the step that runs; the result is the picture so far (``outcome.exit_code`` 130).
    """
    s = suited(classifier, replace(settings or DreamSettings(), **changes).check())
    photo = photo_of(picture, s.size)
    sizes = octave_sizes(photo.shape[0], photo.shape[1], s.octaves, s.octave_scale)
    fitting = max_pixels(s, photo.shape[0], photo.shape[1])
    with require_memory(classifier, fitting, s.tile):
        dreamer, curve = Dreamer(prepare(classifier, s, guide), s), list[float]()

    def at(size: tuple[int, int]) -> Tensor:
        return images.to_unit(images.resize(photo, size)[None], classifier.device)

    def step(number: int) -> dict[str, float]:
        octave, inside = divmod(number, s.steps)
        if not inside:
            dreamer.octave(at(sizes[octave]), at(sizes[octave - 1]) if octave else None)
        values = dreamer.step(number)
        curve.append(values["loss"])
        return {**values, "octave": float(octave + 1)}

    def snapshot(done: int) -> None:
        if on_picture is not None:
            on_picture(done, images.unit_to_uint8(dreamer.x)[0])

    with require_memory(classifier, fitting, s.tile):
        outcome = optimise(
            step, len(sizes) * s.steps, seed=s.seed, purpose="dream", on_step=on_step,
            stop=lambda _: dreamer.over, every=every or s.steps, on_snapshot=snapshot,
        )  # fmt: skip
    return Dreamed(finished(dreamer.x, photo, outcome, sizes), outcome, curve, sizes)


def max_pixels(settings: DreamSettings, height: int, width: int) -> int:
    """How many px the network sees at a time."""
    tile = chosen_tile(settings.tile, height, width)
    return min(tile**2, height * width) if tile else height * width


def finished(x: Tensor, photo: np.ndarray, outcome: Outcome, sizes: list[tuple[int, int]]) -> np.ndarray:
    """The result as uint8; what an interrupted dream has drawn so far, at the photo's size."""
    if not x.numel():  # interrupted before the first step
        return photo
    if tuple(x.shape[-2:]) == photo.shape[:2]:
        return images.unit_to_uint8(x)[0]
    base = images.to_unit(images.resize(photo, (x.shape[-2], x.shape[-1]))[None], x.device)
    drawn = F.interpolate(x - base, photo.shape[:2], mode="bicubic")
    return images.unit_to_uint8(images.to_unit(photo[None], x.device) + drawn)[0]


def zoom(
    classifier: Classifier,
    picture: str | Path | np.ndarray,
    frames: int,
    settings: DreamSettings | None = None,
    *,
    factor: float = 1.02,
    turn: float = 0.0,
    centre: tuple[float, float] = (0.5, 0.5),
    between: int = 0,
    guide: str | Path | np.ndarray | None = None,
    on_step: OnStep | None = None,
    **changes: Any,
) -> Iterator[np.ndarray]:
    """Frames uint8 ``H,W,3`` of a flight into a dream: dream, enlarge by ``factor``, dream again ...

    The first frame is the whole dream of the photo; each next one takes ``steps`` steps at its own size.
    turn: degrees that each frame turns. centre: of the zoom, x and y from 0 to 1.
    between: frames blended between two dreamt ones, for smoother films of twice the frame rate (1) and more.

    A generator: the film is written while it is dreamt. Ctrl-C ends it after the frame that is dreamt.
    """
    s = suited(classifier, replace(settings or DreamSettings(), **changes).check())
    first = dream(classifier, picture, s, guide=guide, on_step=on_step)
    dreamer = Dreamer(prepare(classifier, s, guide), s)
    dreamer.x = images.to_unit(first.image[None], classifier.device)
    yield first.image
    number = len(first.octaves) * s.steps
    for _ in range(frames - 1):
        if first.outcome.signum:
            return
        before = dreamer.x.clone()
        dreamer.x = moved(dreamer.x, factor, turn, centre)
        start = number
        outcome = optimise(
            dreamer.step, start + s.steps, seed=s.seed, purpose="dream", start=start, on_step=on_step
        )
        number += s.steps
        for i in range(1, between + 1):
            part = i / (between + 1)
            old = moved(before, factor**part, turn * part, centre)
            new = moved(dreamer.x, factor ** (part - 1), turn * (part - 1), centre)
            yield images.unit_to_uint8(torch.lerp(old, new, part))[0]
        yield images.unit_to_uint8(dreamer.x)[0]
        if outcome.signum:
            return


def moved(x: Tensor, factor: float, turn: float, centre: tuple[float, float]) -> Tensor:
    """``x`` enlarged about ``centre`` and turned by ``turn`` degrees; what comes in is mirrored."""
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
