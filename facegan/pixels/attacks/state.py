"""One photo under attack: its perturbation, the best one so far, and the classifier's answers.

Perturbations lie on the grid of 8-bit pictures: their entries are whole levels, 1/255 of the range.
Small perturbations vanish when a picture is rounded; so they are never rounded, but chosen on the grid. Of
all points of the grid in a ball, these go furthest along a direction v:

- L-inf, radius r: sign(v) floor(r), which maximises <v, q>.
- L2, radius r: q = round(c v) for the largest c with |q| <= r. The Lagrangian of max <v, q> subject to
  |q|^2 <= r^2 falls apart into one term for each entry, 2 c v q - q^2, whose best integer is round(c v).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facegan.pixels.attacks.config import LEVELS

SAFE = 0.01  # logits by which the target has to lead: other batch sizes and devices round differently
_SAMPLE = 1 << 16  # entries from which c is estimated; fewer are all of them
FIRST_RADIUS = 255.0  # levels; of minimum-norm methods (DDN's epsilon_0 = 1 of pictures in [0, 1])


@dataclass(frozen=True)
class Criterion:
    """When an attack has succeeded.

    Attributes:
        target: The class to become; -1 is any but ``source``.
        source: The class of the photo itself, which the first look finds.
        confidence: The least probability of the target.
    """

    target: int = -1
    source: int = -1
    confidence: float = 0.0

    def margin(self, logits: Tensor) -> Tensor:
        """Return by how many logits one row misses the criterion: below 0 it is met.

        With ``confidence`` c, the logarithm of the odds has to be log(c / (1 - c)), too.
        """
        if self.target >= 0:
            lead = _best_but(logits, self.target) - logits[self.target]
        else:
            lead = logits[self.source] - _best_but(logits, self.source)
        if not self.confidence:
            return lead
        best = self.target
        if best < 0:
            best = int(logits.topk(2).indices[0 if int(logits.argmax()) != self.source else 1])
        odds = logits[best] - torch.cat([logits[:best], logits[best + 1 :]]).logsumexp(0)
        return torch.maximum(lead, math.log(self.confidence / (1 - self.confidence)) - odds)

    def probability(self, logits: Tensor) -> Tensor:
        """Return the probability of the target, or of the best class other than the source."""
        p = logits.softmax(0)
        return p[self.target] if self.target >= 0 else _best_but(p, self.source)

    def accepts(self, index: int) -> bool:
        """Return whether a class is one that the attack wants the classifier to say."""
        return index == self.target if self.target >= 0 else index != self.source

    def reached(self, logits: Tensor) -> bool:
        """Return whether one row of logits meets the criterion by a safe lead."""
        sure = float(self.probability(logits)) >= self.confidence
        return sure and float(replace(self, confidence=0.0).margin(logits)) <= -SAFE

    def loss(self, logits: Tensor, kind: str) -> Tensor:
        """Return the loss to lower: ``ce``, ``margin`` or ``probability``."""
        if kind == "margin":
            return self.margin(logits)
        index, sign = (self.target, 1.0) if self.target >= 0 else (self.source, -1.0)
        if kind == "ce":
            return -sign * logits.log_softmax(0)[index]
        return -sign * logits.softmax(0)[index]


def _best_but(row: Tensor, index: int) -> Tensor:
    return torch.cat([row[:index], row[index + 1 :]]).max()


@dataclass
class AttackState:
    """The state of one photo while it is attacked; perturbations are in levels of 255.

    Attributes:
        base: The photo's levels, whole numbers, ``1,3,H,W``.
        index: The photo's number, from which its random numbers come.
        v: What the method adds to the photo.
        best: The best perturbation so far, on the grid of 8-bit pictures.
        radius: Radius of the ball in which a minimum-norm method looks.
        first: Logits of the photo.
        last: Logits of ``best``.
        curve: Probabilities (of the target, of the source) at each look.
        spare: Memory that each step uses again, which costs less than asking for it anew; so is ``picture``.
    """

    base: Tensor
    criterion: Criterion
    index: int = 0
    v: Tensor = field(init=False)
    best: Tensor = field(init=False)
    spare: Tensor = field(init=False)
    picture: Tensor = field(init=False)
    momentum: Tensor | None = None
    radius: float = FIRST_RADIUS
    best_norm: float = float("inf")
    best_margin: float = float("inf")
    margin: float = float("inf")
    first: Tensor | None = None
    last: Tensor | None = None
    found: bool = False
    steps: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.v, self.best = torch.zeros_like(self.base), torch.zeros_like(self.base)
        self.spare, self.picture = torch.empty_like(self.base), torch.empty_like(self.base)

    def at(self, q: Tensor) -> Tensor:
        """Return the picture in [0, 1] with ``q`` levels added; it is valid until the next call."""
        torch.add(self.base, q, out=self.picture)
        return self.picture.clamp_(0, LEVELS).div_(LEVELS)

    def pixels(self) -> np.ndarray:
        """Return the best picture so far, uint8 ``H,W,3``; unlike ``at`` it leaves ``picture`` alone."""
        levels = torch.add(self.base, self.best).clamp_(0, LEVELS)[0].permute(1, 2, 0)
        found: np.ndarray = levels.to("cpu", torch.uint8).numpy()
        return found

    def keep(self, q: Tensor, logits: Tensor | None) -> None:
        """Make ``q`` the best. If it is ``spare``, the best before becomes that."""
        if q is self.spare:
            self.spare = self.best
        self.best, self.last = q, logits

    def within(self, q: Tensor) -> Tensor:
        """Return ``q`` as far as the picture can hold it."""
        return (self.base + q).clamp_(0, LEVELS).sub_(self.base)

    def record(self, q: Tensor, views: Sequence[Tensor], norm: str = "") -> bool:
        """Keep ``q`` if it is the best so far: success comes first, then small norms, else small margins.

        Args:
            q: The perturbation that was looked at.
            views: Logits of the picture and of what it is transformed into.
            norm: With l2 or linf a smaller ``q`` replaces a larger one.

        Returns:
            Whether all views meet the criterion.
        """
        margins = [float(self.criterion.margin(row)) for row in views]
        self.margin = sum(margins) / len(margins)
        reached = all(self.criterion.reached(row) for row in views)
        if reached:
            size = (norm2(self.within(q)) if norm == "l2" else norm_inf(self.within(q))) if norm else 0.0
            if size < self.best_norm:
                self.best_norm = size
                self.keep(q, views[0])
            self.found = True
        elif not self.found and self.margin < self.best_margin:
            self.best_margin = self.margin
            self.keep(q, views[0])
        return reached

    def add_to_curve(self, logits: Tensor) -> None:
        """Add one point to the curve of probabilities."""
        p = F.softmax(logits, 0)
        self.curve.append((float(self.criterion.probability(logits)), float(p[self.criterion.source])))


def norm2(q: Tensor) -> float:
    """Return the Euclidean norm over all entries."""
    return float(torch.linalg.vector_norm(q))


def norm_inf(q: Tensor) -> float:
    """Return the largest absolute entry."""
    return float(q.abs().max())


def steepest_l2(v: Tensor, radius: float, out: Tensor | None = None) -> Tensor:
    """Return round(c v) with the largest c whose norm is at most ``radius`` (to 1% for large pictures)."""
    out = torch.empty_like(v) if out is None else out
    peak = norm_inf(v)
    if not peak > 0 or radius < 1:
        return out.zero_()
    flat = v.flatten()
    stride = max(1, flat.numel() // _SAMPLE)
    some = flat[::stride].abs()
    share = flat.numel() / some.numel()
    low, high = 0.5 / peak, (radius + 1) / peak  # below low all is 0; at high one entry alone is too much
    for _ in range(40):
        c = (low + high) / 2
        if share * float((some * c).round_().square_().sum()) <= radius * radius:
            low = c
        else:
            high = c
        if high - low < 1e-4 * low:
            break
    c = low
    while True:
        q = torch.mul(v, c, out=out).round_()
        norm = norm2(q)
        if norm <= radius:
            return q
        c *= max(0.9, min(0.999, radius / norm))  # the estimate was a little high
        if c * peak < 0.5:
            return out.zero_()


def steepest_inf(v: Tensor, radius: float, out: Tensor | None = None) -> Tensor:
    """Return v within the box, rounded: whole levels up to ``radius``."""
    r = float(int(radius + 1e-6))
    return torch.clamp(v, -r, r, out=out).round_()
