"""One stylization while it runs: the pictures, their sizes from small to large, and the state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan import images, rng
from facegan.classifiers.classifier import Classifier
from facegan.errors import InputError
from facegan.pixels.colours import luma, match_luma, transfer_luma
from facegan.pixels.dreams.objective import parse_layer
from facegan.pixels.optimizers import LBFGS, Adam, Plain
from facegan.pixels.pictures import Picture, photo_of
from facegan.pixels.settings import MIN_SIDE
from facegan.pixels.style.config import MAX_SIDE, STYLE_LAYERS, StyleConfig
from facegan.pixels.style.gram import StyleObjective
from facegan.pixels.tiles import choose_tile

BORDER = 16  # px mirrored outwards around each picture; the tutorial has none
# name -> how it is made from the settings
OPTIMIZERS: dict[str, Any] = {
    "adam": lambda s: Adam(s.step_size),
    "lbfgs": lambda s: LBFGS(),
    "plain": lambda s: Plain(s.step_size),
}


def stages(height: int, width: int, settings: StyleConfig) -> list[tuple[tuple[int, int], int]]:
    """Return ((height, width), steps) from small to large, by sqrt 2; the first takes twice the steps."""
    if settings.square:
        return [((settings.square, settings.square), settings.steps)]
    longer = float(settings.size or max(height, width))
    if longer > MAX_SIDE:
        raise InputError(f"--size 0 is the photo's own, {longer:.0f} px: give one up to {MAX_SIDE}")
    sizes: list[tuple[int, int]] = []
    while not sizes or longer > settings.first_size * 0.99:
        k = longer / max(height, width)
        size = round(height * k), round(width * k)
        if min(size) < MIN_SIDE:
            break
        sizes.append(size)
        longer = longer / math.sqrt(2)
    if not sizes:
        raise InputError(f"{width}x{height} px: at --size {settings.size} a side has less than {MIN_SIDE} px")
    steps = [settings.steps * (2 if i == 0 and len(sizes) > 1 else 1) for i in range(len(sizes))]
    return list(zip(sizes[::-1], steps, strict=True))


def with_suitable_layers(classifier: Classifier, settings: StyleConfig) -> StyleConfig:
    """Return settings with layers and content weight that suit the classifier, if they are not given."""
    kind = type(classifier.module).__name__
    layers, content, weight = STYLE_LAYERS.get(kind, ((), (), 0.1))
    if kind not in STYLE_LAYERS:  # of an unknown network: the last layer at each stride from 2 to 16
        side, last = classifier.input_size[0], dict[int, str]()
        for name, shape in classifier.layer_names():
            if len(shape) == 3 and shape[1] > 1:
                last[round(math.log2(side / shape[1]))] = name
        layers = tuple(last[k] for k in (1, 2, 3, 4) if k in last)
        content = tuple(last[k] for k in (3, 2, 4) if k in last)[:1]
    if not (settings.layers or layers) or not (settings.content_layers or content):
        name = classifier.name
        raise InputError(f"{name}: choose --layers and --content-layers ('facegan layers {name}' lists them)")
    return replace(
        settings,
        layers=settings.layers or layers,
        content_layers=settings.content_layers or content,
        content_weight=weight if settings.content_weight < 0 else settings.content_weight,
    )


def _weights(classifier: Classifier, texts: Sequence[str], option: str) -> dict[str, float]:
    found: dict[str, float] = {}
    shapes = dict(classifier.layer_names())
    for text in texts:
        term = parse_layer(text, classifier)
        if term.what != "square" or term.weight < 0:
            raise InputError(f"{option} {text}: write NAME or NAME=WEIGHT, with a weight of 0 or more")
        if len(shapes[classifier.find_layer(term.layer)]) != 3:
            raise InputError(f"{option} {text}: its output is no picture; choose a layer before it")
        found[term.layer] = term.weight
    return found


@dataclass
class Pictures:
    """The pictures of one call, uint8; masks are grey ``H,W,1``, or None for everywhere."""

    photo: np.ndarray
    styles: list[np.ndarray]
    masks: list[np.ndarray | None]


def read_pictures(content: Picture, styles: Sequence[Picture], masks: Sequence[Picture]) -> Pictures:
    """Read the photo, the styles and a mask for each of them ("-" is none)."""
    photo = photo_of(content)
    found: list[np.ndarray | None] = []
    for mask in masks or [""] * len(styles):
        none = isinstance(mask, str) and mask in ("", "-")
        found.append(None if none else images.luma(photo_of(mask, least=1)))
    return Pictures(photo, [photo_of(style) for style in styles], found)


class Painter:
    """One stylization while it runs: picture, average, optimiser and stage."""

    def __init__(self, classifier: Classifier, work: Pictures, settings: StyleConfig) -> None:
        self.classifier, self.work, self.settings = classifier, work, settings
        self.layers = _weights(classifier, settings.layers, "--layers")
        self.content_layers = _weights(classifier, settings.content_layers, "--content-layers")
        self.stages = stages(work.photo.shape[0], work.photo.shape[1], settings)
        self.sizes = [size for size, _ in self.stages]
        largest = settings.style_scale * max(map(max, self.sizes))
        if largest > 4 * MAX_SIDE and not settings.square:
            raise InputError(
                f"--style-scale {settings.style_scale:g}: the style would be {largest:.0f} px large; "
                f"choose less, for at most {4 * MAX_SIDE} px"
            )
        self.total = sum(steps for _, steps in self.stages)
        weights = settings.style_weights or (1.0,) * len(work.styles)
        self.shares = [w / sum(weights) for w in weights]
        self.done = 0
        self.x, self.average, self.averaged = torch.zeros(0), torch.zeros(0), 0
        self.optimizer: Any = None
        self.objective: Any = None
        self.parts: dict[str, float] = {}

    def _place(self, number: int) -> tuple[int, int]:
        """Return (stage, step in it) of a step."""
        for stage, (_, steps) in enumerate(self.stages):
            if number < steps:
                return stage, number
            number -= steps
        return len(self.stages) - 1, self.stages[-1][1]

    def _resized(self, picture: np.ndarray, size: Sequence[int]) -> Tensor:
        """Return a picture as float ``1,C,h,w`` in [0, 1]."""
        resized = images.resize(picture, (size[0], size[1]))
        return images.to_unit(np.array(resized)[None], self.classifier.device)

    def _begin(self, stage: int) -> None:
        """Make the objective at this stage's size, and a fresh optimiser."""
        s, size = self.settings, self.sizes[stage]
        content = self._resized(self.work.photo, size)
        objective = StyleObjective(
            self.classifier,
            self.layers,
            self.content_layers,
            content=_grey(content) if s.keep_colours else content,
            content_weight=s.content_weight,
            tv_weight=s.tv_weight,
            formula=s.formula,
            tile=choose_tile(s.tile, *size),
            margin=s.overlap,
            border=BORDER if s.formula == "relative" else 0,
        )
        for picture, share, mask in zip(self.work.styles, self.shares, self.work.masks, strict=True):
            k = s.style_scale * max(size) / max(picture.shape[:2])
            small = [max(MIN_SIDE, round(side * k)) for side in picture.shape[:2]]
            style = self._resized(picture, size if s.square else small)
            style = match_luma(style, content) if s.keep_colours else style
            where = None if mask is None else self._resized(mask, size)
            objective.add_style(style, share, where, tile=choose_tile(s.tile, *style.shape[-2:]))
        self.objective, self.optimizer = objective, OPTIMIZERS[s.optimizer](s)

    def _enter(self, stage: int) -> None:
        """Go to a stage: enlarge the picture so far, or make the first one."""
        size, s = self.sizes[stage], self.settings
        if stage:
            x = F.interpolate(self.picture(), size, mode="bicubic").clamp(0, 1)
        elif s.start == "noise":
            noise = rng.uniform(s.seed, "stylize", 0, count=1, per_item=3 * size[0] * size[1])
            x = torch.from_numpy(noise.reshape(1, 3, *size)).float().to(self.classifier.device)
        else:
            x = self._resized(self.work.photo, size)
            x = _grey(x) if s.keep_colours else x
        self._begin(stage)
        self.x, self.average, self.averaged = x, torch.zeros_like(x), 0

    def step(self, number: int) -> dict[str, float]:
        """Take one step; return the losses."""
        stage, inside = self._place(number)
        if not inside:
            self._enter(stage)

        def evaluate(x: Tensor) -> tuple[float, Tensor]:
            loss, gradient, self.parts = self.objective.evaluate(x)
            return loss, gradient

        self.x, loss = self.optimizer.step(self.x, evaluate)
        if self.settings.average:
            self.average.lerp_(self.x, 1 - self.settings.average)
            self.averaged += 1
        self.done = number + 1
        return {"loss": loss, **self.parts, "size": float(max(self.x.shape[-2:]))}

    def picture(self) -> Tensor:
        """Return the averaged picture ``1,3,h,w``; Adam's bias correction makes up for its beginning at 0."""
        if not self.averaged:
            return self.x
        return (self.average / (1 - self.settings.average**self.averaged)).clamp(0, 1)

    def image(self) -> np.ndarray:
        """Return the same as uint8 ``H,W,3``, with the photo's colours if they are kept."""
        x = self.picture()
        if self.settings.keep_colours:
            x = transfer_luma(x, self._resized(self.work.photo, x.shape[-2:]))
        image: np.ndarray = images.unit_to_uint8(x)[0]
        return image

    def state(self) -> dict[str, Tensor]:
        """Return all that a continued run needs."""
        own = {"x": self.x, "average": self.average, "averaged": torch.tensor([self.averaged])}
        return own | {f"optimizer.{name}": t for name, t in self.optimizer.state().items()}

    def restore(self, tensors: dict[str, Tensor], number: int) -> None:
        """Take up the state after ``number`` steps."""
        stage, inside = self._place(number)
        self._begin(
            stage if inside else stage - 1
        )  # after the last step of a stage, the next one is not begun
        device, self.done = self.classifier.device, number
        self.x, self.average = tensors["x"].to(device), tensors["average"].to(device)
        self.averaged = int(tensors["averaged"])
        prefix = "optimizer."
        self.optimizer.load(
            {n.removeprefix(prefix): t.to(device) for n, t in tensors.items() if n.startswith(prefix)}
        )


def _grey(x: Tensor) -> Tensor:
    return luma(x).expand(-1, 3, -1, -1).contiguous()
