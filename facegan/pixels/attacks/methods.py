"""The attacks, each as its paper. To add one: a class here, and a row in METHODS of ``config.py``."""

from __future__ import annotations

import math

from torch import Tensor

from facegan.pixels.attacks.base import Attack, shrink
from facegan.pixels.attacks.state import AttackState
from facegan.pixels.grid import norm2, norm_inf

GAMMA = 0.05  # by how much the radii of minimum-norm methods change


class RawGradient(Attack):
    """The tutorial's attack: the gradient as it is, times ``step``, and points between those of the grid."""

    on_grid = False

    def normalize(self, state: AttackState, g: Tensor, k: int) -> tuple[Tensor, float]:
        return self.with_momentum(state, g), self.length

    def point(self, state: AttackState) -> Tensor:
        return state.v.clone()


class DDN(Attack):
    """Rony et al. 2019, algorithm 1: the norm shrinks by GAMMA after a success, and else grows.

    Before the first success it grows four times as fast: on the grid it has further to go than 1.
    """

    def adapt(self, state: AttackState, g: Tensor, k: int, *, reached: bool) -> None:
        state.radius *= 1 - GAMMA if reached else (1 + GAMMA) ** (1 if state.found else 4)

    def normalize(self, state: AttackState, g: Tensor, k: int) -> tuple[Tensor, float]:
        length = annealed(self.length, self.length / 100, k, steps=self.config.steps)
        return g, length / max(norm2(g), 1e-30)

    def project(self, state: AttackState) -> None:
        state.v.mul_(state.radius / max(norm2(state.v), 1e-30))

    def point(self, state: AttackState) -> Tensor:
        return self.steepest(state, state.radius)


class FMN(DDN):
    """Pintor et al. 2021, algorithm 1: before the first success the radius is where a linear model puts the
    boundary, later it shrinks and grows by GAMMA. In L-inf steps have ``step`` as root mean square.
    """

    def adapt(self, state: AttackState, g: Tensor, k: int, *, reached: bool) -> None:
        gamma = annealed(GAMMA, 0.001, k, steps=self.config.steps)
        if reached:
            state.radius = min(state.radius * (1 - gamma), state.best_norm)
        elif state.found:
            state.radius *= 1 + gamma
        else:
            l2 = self.config.norm == "l2"
            dual = norm2(g) if l2 else float(g.abs().sum())
            size = norm2(state.v) if l2 else norm_inf(state.v)
            state.radius = size + state.levels * state.margin / max(dual, 1e-30)

    def normalize(self, state: AttackState, g: Tensor, k: int) -> tuple[Tensor, float]:
        length = annealed(self.length, self.length / 100, k, steps=self.config.steps)
        length *= 1 if self.config.norm == "l2" else math.sqrt(g.numel())
        return g, length / max(norm2(g), 1e-30)

    def project(self, state: AttackState) -> None:
        if self.config.norm == "l2":
            shrink(state.v, state.radius)
        else:
            state.radius = max(state.radius, 1.0)  # no picture lies between 0 and 1 level
            state.v.clamp_(-state.radius, state.radius)


def annealed(first: float, last: float, k: int, *, steps: int) -> float:
    """Return the value at step ``k`` on the way from ``first`` to ``last`` along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * k / steps)) / 2


CLASSES: dict[str, type[Attack]] = {
    "pgd": Attack,
    "fgsm": Attack,
    "gradient": RawGradient,
    "ddn": DDN,
    "fmn": FMN,
}
