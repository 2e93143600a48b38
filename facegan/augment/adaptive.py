"""The adaptive strength of an augmentation (Karras et al. 2020a, section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass
class AdaptiveStrength:
    """Moves ``p`` so that r_t = mean of sign(D(real)) comes to ``target``; above it, D overfits.

    ``observe`` one batch after the other. Every ``interval`` batches ``p`` goes one step up or down, of
    the size that takes it from 0 to 1 in ``speed_kimg`` thousands of images.
    """

    target: float = 0.6
    """r_t to keep (0: no overfitting; 1: every real image is known)."""
    interval: int = 4
    """Batches over which r_t is the mean, and after which p moves."""
    speed_kimg: float = 500.0
    """Thousands of real images in which p can go from 0 to 1."""
    cap: float = 0.8
    """Largest p: from about 0.8 augmentations show in the samples (section 2.2)."""
    p: float = 0.0
    """The strength, 0 to `cap`."""
    heuristic: float | None = None
    """The last r_t, None before the first."""

    def __post_init__(self) -> None:
        self._signs: list[torch.Tensor | float] = []

    def observe(self, signs: torch.Tensor | float, batch: int) -> float:
        """Take in the mean of sign(D(real)) over one batch of ``batch`` images, and return the strength now.

        In several processes the mean is over all of them, so that all have one strength. Tensors are
        not read before the interval is over: the device need not be waited for.
        """
        self._signs.append(signs.detach() if isinstance(signs, torch.Tensor) else signs)
        if len(self._signs) < self.interval:
            return self.p
        self.heuristic = sum(map(float, self._signs)) / len(self._signs)
        self._signs = []
        step = batch * self.interval / (self.speed_kimg * 1000)
        direction = (self.heuristic > self.target) - (self.heuristic < self.target)
        self.p = min(max(self.p + direction * step, 0.0), self.cap)
        return self.p

    @property
    def fresh(self) -> bool:
        """Return whether the last batch ended an interval, so that `heuristic` and `p` are of now."""
        return self.heuristic is not None and not self._signs

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: plain numbers."""
        return {"p": self.p, "heuristic": self.heuristic, "signs": [float(s) for s in self._signs]}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's ``state``."""
        self.p, self.heuristic = float(state["p"]), state["heuristic"]
        self._signs = list(state["signs"])
