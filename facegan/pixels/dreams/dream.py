"""DeepDream: change a picture so that a classifier's layers see more of what they already see in it.

Mordvintsev, Olah, Tyka 2015, *Inceptionism: going deeper into neural networks*: gradient ascent on the mean
square of activations, octave by octave; the changes at one size are carried to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan import images, rng
from facegan.classifiers.classifier import Classifier
from facegan.errors import InputError
from facegan.pixels.colours import desaturate, equalise, normalise
from facegan.pixels.dreams.config import DREAM_LAYERS, DreamConfig
from facegan.pixels.dreams.objective import Objective, parse_terms
from facegan.pixels.loading import load_configured
from facegan.pixels.loop import OnPicture, OnStep, OptimisedPicture, optimise
from facegan.pixels.pictures import Picture, photo_of
from facegan.pixels.settings import MIN_SIDE, ClassifierConfig, replace_fields
from facegan.pixels.tiles import choose_tile, max_pixels, require_memory

STEPS = 10  # in an octave, if the settings say 0


@dataclass(frozen=True, repr=False)
class Dreamed(OptimisedPicture):
    """A dream.

    Attributes:
        octaves: The sizes (height, width) at which it was dreamt.
        names: The layers and classes that were made stronger.
    """

    octaves: list[tuple[int, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def octave_sizes(height: int, width: int, octaves: int, *, scale: float) -> list[tuple[int, int]]:
    """Return (height, width) from small to large, the last the picture's; none has a side below 32 px."""
    sizes = []
    for octave in range(octaves):
        size = round(height / scale**octave), round(width / scale**octave)
        if octave and min(size) < MIN_SIDE:
            break
        sizes.append(size)
    return sizes[::-1]


def with_suitable_layers(classifier: Classifier, settings: DreamConfig, steps: int = STEPS) -> DreamConfig:
    """Return settings with layers that suit the classifier if neither layers nor classes are given."""
    settings = replace(settings, steps=settings.steps or steps)
    if settings.layers or settings.classes:
        return settings
    kind = type(classifier.module).__name__
    if kind in DREAM_LAYERS:
        layers = DREAM_LAYERS[kind]
        # In VGG11 and VGG13 blocks end a convolution earlier.
        if kind == "VGG" and "block4_conv3" not in classifier.aliases():
            layers = tuple(name.replace("conv3", "conv2") for name in layers)
        return replace(settings, layers=layers)
    # Of an unknown network: the last layer at a sixteenth of the input, where animals and things appear.
    side = classifier.input_size[0]
    fit = [n for n, s in classifier.layer_names() if len(s) == 3 and side / 22 < s[1] <= side / 12]
    if not fit:
        name = classifier.name
        raise InputError(f"{name}: choose --layers ('facegan layers {name}' lists them)")
    return replace(settings, layers=(fit[-1],))


class Dreamer:
    """The picture of one dream while it changes: ``x`` ``1,3,H,W`` in [0, 1] at the size of its octave."""

    def __init__(self, objective: Objective, settings: DreamConfig) -> None:
        self.objective, self.settings = objective, settings
        self.x = torch.zeros(0)
        self.over = False

    def step(self, number: int) -> dict[str, float]:
        """Take one step; ``number`` decides the movement."""
        s = self.settings
        draws = rng.uniform(s.seed, "dream", number, count=1, per_item=2)[0] * (s.jitter + 1)
        jy, jx = (int(v) for v in draws)
        pad = (jy, s.jitter - jy, jx, s.jitter - jx)
        tile = choose_tile(s.tile, *self.x.shape[-2:])
        loss, gradient = self.objective.evaluate(self.x, tile, margin=s.overlap, pad=pad)
        if s.stop_above and loss > s.stop_above:
            self.over = True
            return {"loss": loss}
        gradient = desaturate(gradient, s.colour)  # rebound, so that large photos need one copy less
        gradient = equalise(gradient, s.smooth)
        self.x = self.x.add_(normalise(gradient), alpha=s.step_size)
        if s.smooth:  # the tutorial's plain steps are cut off only when they are saved
            self.x.clamp_(0, 1)
        return {"loss": loss}

    def image(self) -> np.ndarray:
        """Return the picture so far, uint8 ``H,W,3`` at the size of its octave."""
        image: np.ndarray = images.unit_to_uint8(self.x)[0]
        return image

    def octave(self, base: Tensor, before: Tensor | None) -> None:
        """Continue at the size of ``base``, the photo; ``before`` is the photo at the size so far."""
        if before is None:
            self.x = base.clone()
            return
        drawn = F.interpolate(self.x - before, base.shape[-2:], mode="bicubic")
        self.x = drawn.add_(base).clamp_(0, 1)


def prepare(classifier: Classifier, settings: DreamConfig, guide: Picture | None = None) -> Objective:
    """Return the objective that settings (with ``suited`` layers) and a guide picture describe."""
    objective = Objective(classifier, parse_terms(classifier, settings.layers, settings.classes))
    if guide is not None:
        if not objective.layers:
            raise InputError("--guide goes with --layers, not with classes alone")
        side = 2 * max(classifier.input_size)
        objective.follow(images.to_unit(photo_of(guide, side)[None], classifier.device))
    return objective


def dream_photo(
    network: Classifier | ClassifierConfig,
    picture: Picture,
    s: DreamConfig,
    *,
    guide: Picture | None = None,
    every: int = 0,
    on_step: OnStep | None = None,
    on_picture: OnPicture | None = None,
) -> Dreamed:
    """Dream into a picture; Ctrl-C ends the dream after the step that runs.

    The classifier is loaded once the picture has been read. ``on_picture`` sees the picture after ``every``
    steps; 0 is the end of each octave.
    """
    photo = photo_of(picture, s.size)
    classifier = load_configured(network)
    s = with_suitable_layers(classifier, s)
    sizes = octave_sizes(photo.shape[0], photo.shape[1], s.octaves, scale=s.octave_scale)
    curve: list[float] = []
    with require_memory(classifier, max_pixels(s.tile, sizes), s.tile):
        dreamer = Dreamer(prepare(classifier, s, guide), s)

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
                on_picture(done, dreamer.image())

        outcome = optimise(
            step,
            len(sizes) * s.steps,
            seed=s.seed,
            purpose="dream",
            on_step=on_step,
            stop=lambda _: dreamer.over,
            every=every or s.steps,
            on_snapshot=snapshot,
            pictures=lambda: [dreamer.image()],
        )
    image = finish(dreamer.x, photo)
    return Dreamed(image, outcome, curve, octaves=sizes, names=[*s.layers, *s.classes])


def finish(x: Tensor, photo: np.ndarray) -> np.ndarray:
    """Return the result as uint8; what an interrupted dream has drawn so far, at the photo's size."""
    if not x.numel():  # interrupted before the first step
        return photo
    made = x
    if tuple(x.shape[-2:]) != photo.shape[:2]:
        base = images.to_unit(images.resize(photo, (x.shape[-2], x.shape[-1]))[None], x.device)
        drawn = F.interpolate(x - base, photo.shape[:2], mode="bicubic")
        made = images.to_unit(photo[None], x.device) + drawn
    image: np.ndarray = images.unit_to_uint8(made)[0]
    return image


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
        settings: Settings of the dream.
        factor: How much each frame is enlarged.
        turn: Degrees by which each frame turns.
        centre: The centre of the zoom, x and y from 0 to 1.
        between: Frames blended between two dreamt ones: 1 makes smoother films of twice the frame rate.
        guide: A picture whose features the dream should have.
        on_step: Sees each step's numbers.
        changes: Fields of the settings.
    """
    s = with_suitable_layers(classifier, replace_fields(settings or DreamConfig(), changes))
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
        dreamer.x = zoom_in(dreamer.x, factor, turn, centre=centre)
        steps = start + s.steps
        outcome = optimise(
            dreamer.step,
            steps,
            seed=s.seed,
            purpose="dream",
            start=start,
            on_step=on_step,
            pictures=lambda: [dreamer.image()],
        )
        start = steps
        for i in range(1, between + 1):
            part = i / (between + 1)
            old = zoom_in(before, factor**part, turn * part, centre=centre)
            new = zoom_in(dreamer.x, factor ** (part - 1), turn * (part - 1), centre=centre)
            yield images.unit_to_uint8(torch.lerp(old, new, part))[0]
        yield dreamer.image()


def zoom_in(x: Tensor, factor: float, turn: float, *, centre: tuple[float, float]) -> Tensor:
    """Enlarge ``x`` about ``centre`` and turn it by ``turn`` degrees; new edges are mirrored."""
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
