"""Results of attacks, all of them found from the 8-bit picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from facegan import images, rng
from facegan.classifiers.classifier import Classifier
from facegan.classifiers.face_classes import Window, cut
from facegan.marks import Mark
from facegan.pixels.attacks.config import LEVELS
from facegan.pixels.attacks.state import AttackState, Criterion
from facegan.pixels.attacks.transforms import TRANSFORMS
from facegan.sheets import show

ROUNDING = 1e-4  # of a probability: batches of other sizes round differently


@dataclass(frozen=True)
class AttackResult:
    """The result of one attacked photo.

    Attributes:
        original: The photo, uint8 ``H,W,3``; ``image`` is the result, of the same size.
        source: The class of the photo; ``said`` is that of the result.
        target: The class to become; -1 is any other than ``source``.
        success: Whether the classifier sees the target in ``image`` with at least ``confidence``.
        probability: Of the target, or of the best class other than the source.
        before: The photo's five most probable classes, (class, probability); ``after`` are the result's.
        linf: The largest change of a value, in [0, 1]; ``l2`` is the Euclidean norm.
        changed: The share of pixels that differ.
        curve: Probabilities (of the target, of the source) before the first step and after each.
        signum: The signal that ended the attack, or 0.
        window: The face that a classifier of faces was shown: top, left, height, width; or None.
        labels: A short name for each class of the classifier ``model``, which sees only faces if ``faces``.
        path: The PNG file that holds the result, if it was written.
        survived: The share of real transformations, by name, after which the result still works.
        mark: What the picture's file says of its making.
    """

    name: str
    original: np.ndarray
    image: np.ndarray
    source: int
    target: int
    said: int = -1
    success: bool = False
    probability: float = 0.0
    before: list[tuple[int, float]] = field(default_factory=list)
    after: list[tuple[int, float]] = field(default_factory=list)
    linf: float = 0.0
    l2: float = 0.0
    changed: float = 0.0
    steps: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)
    signum: int = 0
    confidence: float = 0.0
    window: Window | None = None
    model: str = ""
    labels: Sequence[str] = ()
    faces: bool = False
    path: Path | None = None
    survived: dict[str, float] = field(default_factory=dict)
    mark: Mark | None = None

    def __repr__(self) -> str:
        done = "succeeded" if self.success else "failed"
        size = f"Linf {self.linf * LEVELS:.3g} levels"
        return f"<AttackResult {self.name}: {done} with {self.probability:.1%}, {size}>"

    def _repr_png_(self) -> bytes:
        """Return the photo beside the result, as PNG."""
        return show(np.stack([self.original, self.image]), 2)._repr_png_()

    @property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """The parts of photo and result that the classifier was shown."""
        return cut(self.original, self.window), cut(self.image, self.window)

    @property
    def criterion(self) -> Criterion:
        """The goal of the attack, without the confidence."""
        return Criterion(self.target, self.source)

    @property
    def target_name(self) -> str:
        """The target's name; "" if any other class would do."""
        return self.labels[self.target] if self.target >= 0 else ""


def gather(classifier: Classifier, photo: AttackResult, state: AttackState) -> AttackResult:
    """Return ``photo`` with the best 8-bit picture that was found, and the classifier's answer."""
    image = photo.original.copy()
    cut(image, photo.window)[:] = images.unit_to_uint8(state.at(state.best))[0]
    source = state.criterion.source
    photo = replace(
        photo,
        source=source,
        said=source,
        before=classifier.top(state.first) if state.first is not None else [],
        steps=state.steps,
        curve=state.curve,
        confidence=state.criterion.confidence,
        model=classifier.name,
        labels=[classifier.short_label(i) for i in range(len(classifier.labels))],
        faces=classifier.faces,
    )
    return judge(classifier, photo, image, logits=state.last)


def judge(
    classifier: Classifier, result: AttackResult, image: np.ndarray, *, logits: Tensor | None = None
) -> AttackResult:
    """Return ``result`` with another ``image`` (uint8 ``H,W,3``), such as one read from a file, judged anew.

    ``logits`` are those of ``image``, if they are known: the classifier has seen its levels, divided by 255.
    """
    logits = _logits(classifier, cut(image, result.window)) if logits is None else logits.cpu()
    d = image.astype(np.int16) - result.original
    flat = d.ravel().astype(np.float32)
    said, probability = int(logits.argmax()), float(result.criterion.probability(logits))
    return replace(
        result,
        image=image,
        said=said,
        probability=probability,
        success=result.criterion.accepts(said) and probability >= result.confidence - ROUNDING,
        after=classifier.top(logits),
        linf=max(int(d.max()), -int(d.min())) / LEVELS,
        l2=float(np.sqrt(flat @ flat)) / LEVELS,
        changed=float(((d[..., 0] | d[..., 1] | d[..., 2]) != 0).mean()),
    )


def survival(
    classifier: Classifier, result: AttackResult, robust: Sequence[str], *, seed: int = 0, draws: int = 20
) -> dict[str, float]:
    """Return the share of real transformations, drawn anew, after which the result still works."""
    shares = {}
    for name in robust:
        kept = 0
        for i in range(draws):
            generator = torch.Generator().manual_seed(rng.torch_seed(seed, f"survival/{name}", i))
            logits = _logits(classifier, TRANSFORMS[name].real(result.seen[1], generator))
            kept += result.criterion.accepts(int(logits.argmax()))
        shares[name] = kept / draws
    return shares


def _logits(classifier: Classifier, pixels: np.ndarray) -> Tensor:
    with torch.no_grad():
        return classifier.logits(images.to_unit(pixels[None], classifier.device))[0].cpu()
