"""Attribute networks as classifiers whose classes are the combinations of a few attributes, in words."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facegan.attributes.predictor import AttributePredictor
from facegan.classifiers.sources import Loaded
from facegan.data import crops
from facegan.data.faces import FaceDetector
from facegan.data.filters import plain
from facegan.errors import InputError

USUAL = ("smiling", "eyeglasses", "wearing_hat")
MAX_ATTRIBUTES = 6  # attributes, so at most 64 classes
_ADJECTIVES = {"attractive", "bald", "blurry", "chubby", "smiling", "young"}
MIN_FACE = 20  # px
Window = tuple[int, int, int, int]  # top, left, height, width in px


class FaceClasses(nn.Module):
    """Logits ``N,2**K`` of all combinations of K attributes, from an attribute network's logits.

    A combination's logit is the sum of the calibrated logits of what it affirms. Its softmax is then exactly
    the product of each attribute's probability, or one minus it.
    """

    table: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, predictor: AttributePredictor, columns: Sequence[int]) -> None:
        super().__init__()
        self.body, self.head = predictor.network.body, predictor.network.head
        self.columns = list(columns)
        table = list(itertools.product((0.0, 1.0), repeat=len(columns)))
        self.register_buffer("table", torch.tensor(table).T.contiguous())
        for name in ("scale", "shift"):
            values = np.asarray(getattr(predictor, name))[self.columns]
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))[:, self.columns]
        return (logits * self.scale + self.shift) @ self.table


class ResidualFaceClasses(FaceClasses):
    """FaceClasses of the architecture ``residual``, whose layers the settings' tables know by this name."""


def from_attributes(spec: str) -> Loaded:
    """Load ``faces``, or a file of train-attributes; ``SPEC:male,smiling`` chooses the attributes."""
    file, colon, chosen = spec.rpartition(":")
    if not colon or spec.endswith(".safetensors"):
        file, chosen = spec, ""
    predictor = AttributePredictor.load(file)
    if predictor.shape[0] != 3:
        raise InputError(f"--model {file}: it sees grey pictures only; choose a network for colours")
    known = [plain(name) for name in predictor.names]
    names = [plain(name) for name in chosen.split(",") if name.strip()]
    names = names or [name for name in USUAL if name in known] or known[:2]
    for name in names:
        if name not in known:
            known_names = ", ".join(known)
            raise InputError(f"--model {spec}: the network does not know {name!r} (it knows {known_names})")
    if len(set(names)) < len(names) or len(names) > MAX_ATTRIBUTES:
        raise InputError(f"--model {spec}: choose up to {MAX_ATTRIBUTES} different attributes")
    kind = ResidualFaceClasses if predictor.architecture == "residual" else FaceClasses
    module = kind(predictor, [known.index(name) for name in names])
    yes = itertools.product((False, True), repeat=len(names))
    labels = [
        describe_class([n for n, y in zip(names, row, strict=True) if y], "male" in names) for row in yes
    ]
    half = (0.5,) * 3
    return Loaded(module.eval(), predictor.shape[1:], half, half, labels, faces=True)


def describe_class(names: Sequence[str], sexes: bool) -> str:
    """Return what a face with only these attributes is called: ``smiling face with eyeglasses``."""
    noun = ("man" if "male" in names else "woman") if sexes else "face"
    rest = [name.replace("_", " ").removeprefix("wearing ") for name in names if name != "male"]
    before = [name for name in rest if name in _ADJECTIVES]
    after = [name for name in rest if name not in _ADJECTIVES]
    return " ".join([*before, noun, *(["with", " and ".join(after)] if after else [])])


@functools.lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    return FaceDetector(0.9, MIN_FACE)


def face_window(photo: np.ndarray) -> Window | None:
    """Return where an attribute network should look in ``H,W,3``: top, left, height, width; None: no face.

    The window is a square around the largest face, as large as an aligned crop (:mod:`facegan.data.crops`)
    but upright, and cut off where the photo ends.
    """
    found: Any = sorted(_detector().detect(photo, largest=True), key=lambda face: face.extent)
    if not found:
        return None
    # From an aligned crop of side 1 to the photo: turn, scale and shift.
    inverse = crops.similarity(crops.template(1, 1), np.array(found[-1].landmarks, float))
    side, (x, y) = float(np.hypot(*inverse[:, 0])), inverse @ [0.5, 0.5, 1]
    height, width = photo.shape[:2]
    top, left = max(0, round(y - side / 2)), max(0, round(x - side / 2))
    bottom, right = min(height, round(y + side / 2)), min(width, round(x + side / 2))
    if bottom - top < MIN_FACE or right - left < MIN_FACE:
        return None
    return top, left, bottom - top, right - left


def cut(photo: np.ndarray, window: Window | None) -> np.ndarray:
    """Return the part of ``H,W,3`` in the window, as a view; without a window all of it."""
    if window is None:
        return photo
    top, left, height, width = window
    return photo[top : top + height, left : left + width]
