"""How the attacks step. To add one: a function ``update`` and a row in METHODS.

Perturbations are in levels (1/255), gradients those of the loss with respect to pictures in [0, 1]; a
method lowers the loss. ``g`` may be overwritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from facegan.pixels.attacks.state import AttackState
from facegan.pixels.grid import norm2, norm_inf, steepest_inf, steepest_l2


@dataclass(frozen=True)
class Settings:
    """Radii and steps are in levels here.

    epsilon: of the ball. step: the first step's length, in the norm (``gradient``: a factor of the gradient).
    steps: how many. momentum: what is kept of the gradients before. gamma: by how much radii change.
    first_radius: of minimum-norm methods (DDN's epsilon_0 = 1 of pictures in [0, 1]).
    """

    norm: str
    epsilon: float
    step: float
    steps: int
    momentum: float = 0.0
    gamma: float = 0.05
    first_radius: float = 255.0


def _annealed(first: float, last: float, k: int, steps: int) -> float:
    """Half a cosine from ``first`` to ``last``."""
    return last + (first - last) * (1 + math.cos(math.pi * k / steps)) / 2


def _with_momentum(state: AttackState, g: Tensor, momentum: float) -> Tensor:
    """Dong et al. 2018, equation 6: gradients of mean size 1 are summed up."""
    if not momentum:
        return g
    g = g.div_(g.abs().mean().clamp_(min=1e-30))
    state.momentum = g.clone() if state.momentum is None else state.momentum.mul_(momentum).add_(g)
    return state.momentum


def _shrink(v: Tensor, radius: float) -> Tensor:
    """The nearest point of the L2 ball."""
    norm = norm2(v)
    return v.mul_(radius / norm) if norm > radius else v


def project(v: Tensor, settings: Settings) -> Tensor:
    if settings.norm == "linf":
        return v.clamp_(-settings.epsilon, settings.epsilon)
    return _shrink(v, settings.epsilon)


def signs(state: AttackState, g: Tensor, k: int, reached: bool, s: Settings) -> None:
    """FGSM and PGD: Goodfellow et al. 2015, section 4; Madry et al. 2018, section 2.1.

    The steepest step of the norm's unit ball, then back into the ball around the photo.
    """
    d = _with_momentum(state, g, s.momentum)
    if s.norm == "linf":
        state.v.add_(d.sign_() if d is g else d.sign(), alpha=-s.step)
    else:
        state.v.add_(d, alpha=-s.step / max(norm2(d), 1e-30))
    project(state.v, s)


def raw(state: AttackState, g: Tensor, k: int, reached: bool, s: Settings) -> None:
    """The tutorial's: the gradient as it is, times ``step``."""
    state.v.add_(_with_momentum(state, g, s.momentum), alpha=-s.step)
    project(state.v, s)


def ddn(state: AttackState, g: Tensor, k: int, reached: bool, s: Settings) -> None:
    """Rony et al. 2019, algorithm 1: the norm shrinks by ``gamma`` where the criterion is reached, or grows.

    Before the first success it grows four times as fast: on the grid it has further to go than 1.
    """
    length = _annealed(s.step, s.step / 100, k, s.steps)
    state.v.add_(g, alpha=-length / max(norm2(g), 1e-30))
    state.radius *= 1 - s.gamma if reached else (1 + s.gamma) ** (1 if state.found else 4)
    state.v.mul_(state.radius / max(norm2(state.v), 1e-30))


def fmn(state: AttackState, g: Tensor, k: int, reached: bool, s: Settings) -> None:
    """Pintor et al. 2021, algorithm 1: before the first success the radius is where a linear model puts the
    boundary, later it shrinks and grows by ``gamma``. In L-inf steps have ``step`` as root mean square.
    """
    l2 = s.norm == "l2"
    size: Callable[[Tensor], float] = norm2 if l2 else norm_inf
    gamma = _annealed(s.gamma, 0.001, k, s.steps)
    if reached:
        state.radius = min(state.radius * (1 - gamma), state.best_norm)
    elif state.found:
        state.radius *= 1 + gamma
    else:
        dual = norm2(g) if l2 else float(g.abs().sum())
        state.radius = size(state.v) + state.levels * state.margin / max(dual, 1e-30)
    length = _annealed(s.step, s.step / 100, k, s.steps) * (1 if l2 else math.sqrt(g.numel()))
    state.v.add_(g, alpha=-length / max(norm2(g), 1e-30))
    if l2:
        _shrink(state.v, state.radius)
    else:
        state.radius = max(state.radius, 1.0)  # no picture lies between 0 and 1 level
        state.v.clamp_(-state.radius, state.radius)


def in_ball(state: AttackState, s: Settings) -> Tensor:
    """The point of the grid in the ball of ``epsilon`` that v means."""
    if s.norm == "linf":
        return steepest_inf(state.v, s.epsilon, state.spare)
    return steepest_l2(state.v, min(s.epsilon, norm2(state.v)), state.spare)


def in_radius(state: AttackState, s: Settings) -> Tensor:
    """The same in the ball of the state's own radius."""
    if s.norm == "linf":
        return steepest_inf(state.v, state.radius, state.spare)
    return steepest_l2(state.v, min(state.radius, norm2(state.v)), state.spare)


def between(state: AttackState, s: Settings) -> Tensor:
    """v itself, which lies between the grid's points: :func:`rounded` by whoever keeps it."""
    return state.v.clone()


def rounded(q: Tensor, s: Settings) -> Tensor:
    """The nearest point of the grid, within the ball of ``epsilon``."""
    if s.norm == "linf":
        return steepest_inf(q, s.epsilon)
    near = q.round()
    return near if norm2(near) <= s.epsilon else steepest_l2(q, min(s.epsilon, norm2(q)))


@dataclass(frozen=True)
class Method:
    """update, point: above. norms: those it knows. loss: the default.

    minimal: it looks for the smallest norm, and goes on after the first success. first_step: as a share of
    epsilon, or, of minimal ones and ``gradient``, in the units of ``--step``.
    rounds: its points lie on the grid.
    """

    update: Callable[[AttackState, Tensor, int, bool, Settings], None]
    point: Callable[[AttackState, Settings], Tensor]
    norms: tuple[str, ...]
    loss: str
    text: str
    steps: int = 40
    minimal: bool = False
    first_step: float = 0.25
    rounds: bool = True


METHODS: dict[str, Method] = {
    "fgsm": Method(signs, in_ball, ("linf", "l2"), "ce", "one step of the full length", 1, first_step=1.0),
    "pgd": Method(signs, in_ball, ("linf", "l2"), "ce", "steps within the ball of --epsilon"),
    "gradient": Method(
        raw, between, ("linf", "l2"), "probability", "the raw gradient times --step", 1000, first_step=0.025,
        rounds=False,
    ),
    "ddn": Method(ddn, in_radius, ("l2",), "ce", "the smallest L2 norm, direction apart", 100, True, 1.0),
    "fmn": Method(fmn, in_radius, ("l2", "linf"), "margin", "the smallest norm, fast", 100, True, 1.0),
}  # fmt: skip


def first_step(name: str, norm: str, epsilon: float) -> float:
    """The default of ``--step``, for pictures in [0, 1]."""
    method = METHODS[name]
    if not method.rounds or (method.minimal and norm == "l2"):
        return method.first_step
    return method.first_step * (1 / 255 if method.minimal else epsilon)


def random_start(state: AttackState, s: Settings, generator: torch.Generator) -> None:
    """A point of the ball: uniform in the box, a random direction and radius in L2."""
    noise = torch.empty(state.base.shape)  # drawn on the CPU: the same numbers on any device
    if s.norm == "linf":
        noise.uniform_(-s.epsilon, s.epsilon, generator=generator)
    else:
        noise.normal_(generator=generator)
        noise.mul_(s.epsilon * float(torch.rand((), generator=generator)) / norm2(noise))
    state.v.copy_(noise)
    state.momentum = None
