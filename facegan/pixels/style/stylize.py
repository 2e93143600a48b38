"""Style transfer: a photo's content with the style of one or more pictures.

Gatys et al. 2016 on growing sizes (Gatys et al. 2017, section 6; the sizes by sqrt 2 and the averaged result
after Crowson's *style-transfer-pytorch*). Settings: ``StyleConfig``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facegan import images, rng
from facegan.errors import InputError
from facegan.files import writing
from facegan.pixels.classifiers import Classifier
from facegan.pixels.colours import luma, match_luma, transfer_luma
from facegan.pixels.dreams.dream import OnPicture
from facegan.pixels.dreams.objective import parse_layer
from facegan.pixels.loading import load_configured
from facegan.pixels.loop import OnStep, Outcome, StepStats, optimise
from facegan.pixels.memory import require_memory
from facegan.pixels.optimizers import LBFGS, Adam, Plain
from facegan.pixels.pictures import Picture, photo_of
from facegan.pixels.resume import load_state, save_state
from facegan.pixels.settings import MIN_SIDE, ClassifierConfig, changed
from facegan.pixels.style.config import MAX_SIDE, STYLE_LAYERS, StyleConfig
from facegan.pixels.style.gram import StyleObjective
from facegan.pixels.tiles import chosen_tile

BORDER = 16  # px mirrored outwards around each picture; the tutorial has none
SAVE_EVERY = 25  # steps between states on disk


@dataclass(frozen=True)
class Stylized:
    """A photo in another style.

    Attributes:
        image: uint8 ``H,W,3``.
        curve: A row of named losses for each step.
        sizes: (height, width) of each stage.
        path: The file that holds the picture, if it was written; ``frames`` is the length of its film.
    """

    image: np.ndarray
    outcome: Outcome
    curve: list[dict[str, float]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    path: Path | None = None
    frames: int = 0

    def __repr__(self) -> str:
        return f"<Stylized: {self.image.shape[1]}x{self.image.shape[0]} px, {len(self.curve)} steps>"

    def _repr_png_(self) -> bytes:
        return images.png_bytes(self.image)


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


def suited(classifier: Classifier, settings: StyleConfig) -> StyleConfig:
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
        raise InputError(
            f"{classifier.name}: choose --layers and --content-layers "
            f"('facegan layers {classifier.name}' lists them)"
        )
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

    def resized(self, picture: np.ndarray, size: tuple[int, int], device: torch.device) -> Tensor:
        return images.to_unit(np.array(images.resize(picture, size))[None], device)


def read_pictures(content: Picture, styles: Sequence[Picture], masks: Sequence[Picture]) -> Pictures:
    """Read the photo, the styles and a mask for each of them ("-" is none)."""
    if not styles:
        raise InputError("give CONTENT and at least one STYLE picture")
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
        largest = settings.style_scale * max(max(size) for size, _ in self.stages)
        if largest > 4 * MAX_SIDE and not settings.square:
            raise InputError(
                f"--style-scale {settings.style_scale:g}: the style would be {largest:.0f} px large, "
                f"and {4 * MAX_SIDE} are the most; choose less"
            )
        self.total = sum(steps for _, steps in self.stages)
        weights = settings.style_weights or (1.0,) * len(work.styles)
        self.shares = [w / sum(weights) for w in weights]
        self.stage, self.done = -1, 0
        self.x, self.average, self.averaged = torch.zeros(0), torch.zeros(0), 0
        self.optimizer: Any = None
        self.objective: Any = None
        self.parts: dict[str, float] = {}

    def max_pixels(self) -> int:
        """Return how many px the network sees at a time."""
        largest = max(h * w for (h, w), _ in self.stages)
        tile = max(chosen_tile(self.settings.tile, *size) for size, _ in self.stages)
        return min(largest, tile**2) if tile else largest

    def place(self, number: int) -> tuple[int, int]:
        """Return (stage, step in it) of a step."""
        for stage, (_, steps) in enumerate(self.stages):
            if number < steps:
                return stage, number
            number -= steps
        return len(self.stages) - 1, self.stages[-1][1]

    def begin(self, stage: int) -> None:
        """Make the objective at this stage's size, and a fresh optimiser."""
        s, device = self.settings, self.classifier.device
        size = self.stages[stage][0]
        content = self.work.resized(self.work.photo, size, device)
        objective = StyleObjective(
            self.classifier,
            self.layers,
            self.content_layers,
            content=luma(content).expand(-1, 3, -1, -1).contiguous() if s.keep_colours else content,
            content_weight=s.content_weight,
            tv_weight=s.tv_weight,
            formula=s.formula,
            tile=chosen_tile(s.tile, *size),
            margin=s.overlap,
            border=BORDER if s.formula == "relative" else 0,
        )
        for picture, share, mask in zip(self.work.styles, self.shares, self.work.masks, strict=True):
            k = s.style_scale * max(size) / max(picture.shape[:2])
            small = tuple(max(MIN_SIDE, round(side * k)) for side in picture.shape[:2])
            style = self.work.resized(picture, size if s.square else small, device)
            style = match_luma(style, content) if s.keep_colours else style
            where = None if mask is None else self.work.resized(mask, size, device)
            objective.add_style(style, share, where, tile=chosen_tile(s.tile, *style.shape[-2:]))
        self.objective, self.stage, self.optimizer = objective, stage, OPTIMIZERS[s.optimizer](s)

    def enter(self, stage: int) -> None:
        """Go to a stage: enlarge the picture so far, or make the first one."""
        size, device = self.stages[stage][0], self.classifier.device
        if stage:
            x = torch.nn.functional.interpolate(self.picture(), size, mode="bicubic").clamp(0, 1)
        elif self.settings.start == "noise":
            noise = rng.uniform(self.settings.seed, "stylize", 0, count=1, per_item=3 * size[0] * size[1])
            x = torch.from_numpy(noise.reshape(1, 3, *size)).float().to(device)
        else:
            x = self.work.resized(self.work.photo, size, device)
            x = luma(x).expand(-1, 3, -1, -1).contiguous() if self.settings.keep_colours else x
        self.begin(stage)
        self.x, self.average, self.averaged = x, torch.zeros_like(x), 0

    def step(self, number: int) -> dict[str, float]:
        """Take one step; return the losses."""
        stage, inside = self.place(number)
        if not inside:
            self.enter(stage)

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
            x = transfer_luma(x, self.work.resized(self.work.photo, tuple(x.shape[-2:]), x.device))  # type: ignore
        return images.unit_to_uint8(x)[0]

    def state(self) -> dict[str, Tensor]:
        """Return all that a continued run needs."""
        own = {"x": self.x, "average": self.average, "averaged": torch.tensor([self.averaged])}
        return own | {f"optimizer.{name}": t for name, t in self.optimizer.state().items()}

    def restore(self, tensors: dict[str, Tensor], number: int) -> None:
        """Take up the state after ``number`` steps."""
        stage, inside = self.place(number)
        if not inside:  # the last step of the stage before
            stage -= 1
        self.begin(stage)
        device, self.done = self.classifier.device, number
        self.x, self.average = tensors["x"].to(device), tensors["average"].to(device)
        self.averaged = int(tensors["averaged"])
        marks = {n.removeprefix("optimizer."): t for n, t in tensors.items() if n.startswith("optimizer.")}
        self.optimizer.load({n: t.to(device) for n, t in marks.items()})


def fingerprint(classifier: Classifier, work: Pictures, settings: StyleConfig) -> str:
    """Return a hash of what a saved state belongs to: settings, pictures and classifier."""
    digest = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    seen = (classifier.name, classifier.input_size, classifier.mean, classifier.std)
    digest.update(json.dumps(seen).encode())
    for name, tensor in classifier.module.state_dict().items():  # some of each tensor's numbers: VGG is large
        if not isinstance(tensor, Tensor):
            continue
        some = tensor.detach().flatten()[:: max(1, tensor.numel() // 64)].cpu().float()
        digest.update(f"{name} {tuple(tensor.shape)}".encode() + some.numpy().tobytes())
    for picture in [work.photo, *work.styles, *work.masks]:
        digest.update(b"none" if picture is None else str(picture.shape).encode() + picture.tobytes())
    return digest.hexdigest()[:16]


def load_work(path: str | Path | None, mark: str, painter: Painter) -> tuple[int, list[dict[str, float]]]:
    """Restore unfinished work; return the number of steps done and their curve."""
    if path is None or (found := load_state(path, mark)) is None:
        return 0, []
    tensors, start = found
    names = sorted(key for key in tensors if key.startswith("curve."))
    columns = {key.split(".", 2)[2]: tensors.pop(key).tolist() for key in names}
    painter.restore(tensors, start)
    return start, [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def save_work(path: str | Path, mark: str, painter: Painter, *, curve: Sequence[Mapping[str, float]]) -> None:
    """Save the work so far."""
    columns = {
        f"curve.{i}.{name}": torch.tensor([row[name] for row in curve], dtype=torch.float64)
        for i, name in enumerate(curve[0])
    }
    save_state(path, painter.state() | columns, painter.done, mark=mark)


def stylize(
    classifier: Classifier | ClassifierConfig,
    content: Picture,
    styles: Sequence[Picture],
    *,
    settings: StyleConfig | None = None,
    masks: Sequence[Picture] = (),
    state: str | Path | None = None,
    every: int = 0,
    on_step: OnStep | None = None,
    on_picture: OnPicture | None = None,
    **changes: Any,
) -> Stylized:
    """Paint a photo in the style of other pictures; Ctrl-C ends the work after the step that runs.

    Args:
        classifier: The classifier, or the settings by which it is loaded once the pictures have been read.
        content: The photo: a file, or an array ``H,W,C``.
        styles: The pictures whose style it gets.
        settings: Settings; ``changes`` are fields of them.
        masks: A picture for each style, white where it goes, or "-" (instead of the settings' ``masks``).
        state: A file that holds the work so far, from which the same call continues. Remove it once the
            result is saved.
        every: ``on_picture(steps done, uint8 H,W,3)`` after so many steps; 0 is never.
    """
    s = changed(settings or StyleConfig(), changes).check(len(styles))
    if masks and len(masks) != len(styles):
        raise InputError(f"--masks: {len(masks)} masks for {len(styles)} styles ('-' is everywhere)")
    work = read_pictures(content, styles, masks or s.masks)
    classifier = load_configured(classifier) if isinstance(classifier, ClassifierConfig) else classifier
    s = suited(classifier, s)
    painter = Painter(classifier, work, s)
    mark = "" if state is None else fingerprint(classifier, work, s)
    start, curve = load_work(state, mark, painter)

    def noted(stats: StepStats) -> None:
        curve.append({"loss": stats.loss, **stats.values})
        if state is not None and stats.step % SAVE_EVERY == 0 and stats.step < stats.steps:
            with writing("--out", str(state)):
                save_work(state, mark, painter, curve=curve)
        if every and on_picture is not None and stats.step % every == 0:
            on_picture(stats.step, painter.image())
        if on_step is not None:
            on_step(stats)

    with require_memory(classifier, painter.max_pixels(), s.tile):
        outcome = optimise(
            painter.step, painter.total, seed=s.seed, purpose="stylize", start=start, on_step=noted
        )
    if state is not None and outcome.steps > start:
        # At the end the picture is what counts: a disk that is too full for all may have room for it.
        whole = outcome.steps == painter.total
        with contextlib.suppress(OSError) if whole else writing("--out", str(state)):
            save_work(state, mark, painter, curve=curve)
    image = painter.image() if outcome.steps else work.photo
    return Stylized(image, outcome, curve, [size for size, _ in painter.stages])
