"""Optimisers of pictures within [0, 1], with a state of plain tensors, which can be saved.

They are not PyTorch's: those know no bounds, and their Adam rounds otherwise (it takes the root of the second
moment before the bias correction), which would change every picture and unfinished work on disk.

Nocedal, Wright 2006, *Numerical optimization*: the two-loop recursion, algorithm 7.4; backtracking, 3.1.
Steps are cut off at the bounds; a pair (s, y) whose curvature is not positive is not remembered.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from facegan.pixels.colours import normalise

ARMIJO = 1e-4
TRIES = 12

Evaluate = Callable[[Tensor], tuple[float, Tensor]]


class LBFGS:
    """Minimise ``evaluate`` (value and gradient of a picture) from where ``step`` is called."""

    def __init__(self, memory: int = 10) -> None:
        """Keep ``memory`` pairs; each takes two pictures."""
        self.memory = memory
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.at: tuple[float, Tensor] | None = None
        self.over = False

    def direction(self, gradient: Tensor) -> Tensor:
        """Return minus the gradient times the estimated inverse Hessian."""
        q, alphas = gradient.clone(), []
        for s, y in reversed(self.pairs):
            alpha = (s * q).sum() / (s * y).sum()
            q -= alpha * y
            alphas.append(alpha)
        if self.pairs:
            s, y = self.pairs[-1]
            q *= (s * y).sum() / y.square().sum()
        for (s, y), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q += (alpha - (y * q).sum() / (s * y).sum()) * s
        return -q

    def step(self, x: Tensor, evaluate: Evaluate) -> tuple[Tensor, float]:
        """Return the next picture and the loss there. Evaluate once in most steps (twice in the first)."""
        loss, gradient = self.at or evaluate(x)
        self.at = (loss, gradient)
        if self.over:
            return x, loss
        # What lies at a bound and is pushed outwards stays there.
        free = ~(((x <= 0) & (gradient > 0)) | ((x >= 1) & (gradient < 0)))
        inner = gradient * free
        towards = self.direction(inner) * free
        if (towards * inner).sum() >= 0:  # damaged by the bounds: begin anew
            self.pairs, towards = [], -inner
        # Without a remembered curvature the gradient's length means nothing: move by 0.01 a pixel.
        length = 1.0 if self.pairs else 0.01 / float(towards.abs().mean().clamp_min(1e-20))
        for _ in range(TRIES):
            new = (x + length * towards).clamp(0, 1)
            moved = new - x
            new_loss, new_gradient = evaluate(new)
            if new_loss <= loss + ARMIJO * float((gradient * moved).sum()):
                break
            length /= 2
        else:
            # The memory misleads: forget it, and try the gradient at the next step. If that fails as well,
            # float32 can tell no lower loss.
            self.pairs, self.over = [], not self.pairs
            return x, loss
        change = new_gradient - gradient
        if (moved * change).sum() > 1e-10 * change.square().sum():
            self.pairs = [*self.pairs, (moved, change)][-self.memory :]
        self.at = (new_loss, new_gradient)
        return new, new_loss

    def state(self) -> dict[str, Tensor]:
        tensors = {}
        for i, (s, y) in enumerate(self.pairs):
            tensors[f"s{i}"], tensors[f"y{i}"] = s, y
        if self.at is not None:
            tensors["gradient"] = self.at[1]
            tensors["loss"] = torch.tensor([self.at[0]], dtype=torch.float64)
        return tensors

    def load(self, tensors: dict[str, Tensor]) -> None:
        count = sum(name.startswith("s") for name in tensors)
        self.pairs = [(tensors[f"s{i}"], tensors[f"y{i}"]) for i in range(count)]
        self.at = (float(tensors["loss"]), tensors["gradient"]) if "loss" in tensors else None


class Adam:
    """Kingma, Ba 2015, algorithm 1, within [0, 1]; ``lr`` is about how far a pixel moves in a step."""

    def __init__(
        self, lr: float = 0.02, beta1: float = 0.9, beta2: float = 0.99, *, eps: float = 1e-8
    ) -> None:
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.count, self.moments = 0, (torch.zeros(()), torch.zeros(()))

    def step(self, x: Tensor, evaluate: Evaluate) -> tuple[Tensor, float]:
        """Return the next picture, and the loss at the given one."""
        loss, gradient = evaluate(x)
        self.count += 1
        m = torch.lerp(gradient, self.moments[0].to(x).expand_as(x), self.beta1)
        v = torch.lerp(gradient.square(), self.moments[1].to(x).expand_as(x), self.beta2)
        self.moments = (m, v)
        towards = (m / (1 - self.beta1**self.count)) / (
            (v / (1 - self.beta2**self.count)).sqrt().add_(self.eps)
        )
        return (x - self.lr * towards).clamp(0, 1), loss

    def state(self) -> dict[str, Tensor]:
        if not self.count:
            return {}
        return {"m": self.moments[0], "v": self.moments[1], "count": torch.tensor([self.count])}

    def load(self, tensors: dict[str, Tensor]) -> None:
        if tensors:
            self.moments, self.count = (tensors["m"], tensors["v"]), int(tensors["count"])


class Plain:
    """The tutorial's step: the gradient divided by its mean absolute value; not cut off at 0 and 1."""

    def __init__(self, lr: float) -> None:
        self.lr = lr

    def step(self, x: Tensor, evaluate: Evaluate) -> tuple[Tensor, float]:
        loss, gradient = evaluate(x)
        return x - self.lr * normalise(gradient), loss

    def state(self) -> dict[str, Tensor]:
        return {}

    def load(self, tensors: dict[str, Tensor]) -> None:
        pass
