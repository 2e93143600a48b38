"""The attacks, each as its paper: projected gradient descent on photos, and what other methods change in it.

Perturbations are in levels (1/255), gradients those of the loss with respect to pictures in [0, 1]. Each
step looks at a point of the grid of 8-bit pictures, so that successes can be saved. A new attack is a
class here, and a row in METHODS of ``config.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from facegan import rng
from facegan.classifiers.classifier import Classifier
from facegan.pixels.attacks.config import LEVELS, AttackConfig
from facegan.pixels.attacks.state import AttackState, norm2, norm_inf, steepest_inf, steepest_l2
from facegan.pixels.attacks.transforms import TRANSFORMS, Transform
from facegan.pixels.loop import StepStats, optimise

GAMMA = 0.05  # by how much the radii of minimum-norm methods change


@dataclass
class Look:
    """The classifier's answer to one photo's point: the loss at ``leaf``, and whether the point succeeds.

    ``views`` is the sum of the gradients of transformed copies.
    """

    state: AttackState
    leaf: Tensor
    loss: Tensor
    reached: bool
    views: Tensor | None = None


class Attack:
    """PGD: Goodfellow et al. 2015, section 4; Madry et al. 2018, section 2.1.

    Other methods override ``normalize`` (from the gradient to a step), ``project`` (back into the ball),
    ``adapt`` (the ball's radius) and ``point`` (the picture to look at).
    """

    on_grid = True  # whether points lie on the grid of 8-bit pictures

    def __init__(
        self, classifier: Classifier, config: AttackConfig, transforms: Sequence[Transform] | None = None
    ) -> None:
        """Take ``resolved`` settings; ``transforms`` replace those that the settings name."""
        self.classifier, self.config = classifier, config
        self.transforms = [TRANSFORMS[name] for name in config.robust] if transforms is None else transforms
        self.epsilon, self.length = LEVELS * float(config.epsilon), LEVELS * float(config.step)

    def run(self, states: Sequence[AttackState], on_step: Callable[[StepStats], None] | None = None) -> int:
        """Attack photos together until each is done; return the signal that ended it, or 0."""
        config, loss = self.config, 0.0
        looks = self.look(states, 0)

        def step(number: int) -> dict[str, float]:
            nonlocal looks, loss
            within = number % config.steps
            if number and within == 0:  # a new start for those that are not there yet
                for look in looks:
                    self.restart(look.state, number // config.steps)
                looks = self.look([look.state for look in looks], number)
            if looks:
                losses = torch.stack([look.loss for look in looks])
                gradients = torch.autograd.grad(losses.sum(), [look.leaf for look in looks])
                loss = float(losses.detach().mean())
                with torch.no_grad():
                    for look, g in zip(looks, gradients, strict=True):
                        g = g if look.views is None else g.add_(look.views).div_(1 + config.samples)
                        self.update(look.state, g, within, reached=look.reached)
                looks = self.look([look.state for look in looks], number + 1)
            return {
                "loss": loss,
                "reached": float(sum(s.found for s in states)),
                "probability": sum(s.curve[-1][0] for s in states) / len(states),
            }

        if not looks:
            return 0
        steps = config.steps * config.restarts
        return optimise(
            step,
            steps,
            seed=config.seed,
            on_step=on_step,
            stop=lambda _: not looks,
            pictures=lambda: [state.pixels() for state in states],
        ).signum

    def update(self, state: AttackState, g: Tensor, k: int, *, reached: bool) -> None:
        """Take step ``k`` against the gradient ``g``, which may be overwritten."""
        self.adapt(state, g, k, reached=reached)
        direction, length = self.normalize(state, g, k)
        state.v.add_(direction, alpha=-length)
        self.project(state)
        state.steps += 1

    def adapt(self, state: AttackState, g: Tensor, k: int, *, reached: bool) -> None:
        """Change the radius before a step; of PGD it is always ``epsilon``."""

    def normalize(self, state: AttackState, g: Tensor, k: int) -> tuple[Tensor, float]:
        """Return the direction of a step, and what to multiply it by: the steepest of the unit ball."""
        d = self.with_momentum(state, g)
        if self.config.norm == "linf":
            return d.sign_() if d is g else d.sign(), self.length
        return d, self.length / max(norm2(d), 1e-30)

    def project(self, state: AttackState) -> None:
        """Bring ``v`` back into the ball around the photo."""
        if self.config.norm == "linf":
            state.v.clamp_(-self.epsilon, self.epsilon)
        else:
            shrink(state.v, self.epsilon)

    def point(self, state: AttackState) -> Tensor:
        """Return the point of the grid in the ball that ``v`` means."""
        return self.steepest(state, self.epsilon)

    def steepest(self, state: AttackState, radius: float) -> Tensor:
        """Return the point of the grid within ``radius`` that goes furthest along ``v``."""
        if self.config.norm == "linf":
            return steepest_inf(state.v, radius, state.spare)
        return steepest_l2(state.v, min(radius, norm2(state.v)), state.spare)

    def with_momentum(self, state: AttackState, g: Tensor) -> Tensor:
        """Sum up gradients of mean size 1: Dong et al. 2018, equation 6."""
        momentum = self.config.momentum
        if not momentum:
            return g
        g = g.div_(g.abs().mean().clamp_(min=1e-30))
        state.momentum = g.clone() if state.momentum is None else state.momentum.mul_(momentum).add_(g)
        return state.momentum

    def restart(self, state: AttackState, number: int) -> None:
        """Go to a random point of the ball: uniform in the box; a random direction and radius in L2."""
        generator = self._generator(f"attack-start/{number}", state)
        noise = torch.empty(state.base.shape)  # drawn on the CPU: the same numbers on any device
        if self.config.norm == "linf":
            noise.uniform_(-self.epsilon, self.epsilon, generator=generator)
        else:
            noise.normal_(generator=generator)
            noise.mul_(self.epsilon * float(torch.rand((), generator=generator)) / norm2(noise))
        state.v.copy_(noise)
        state.momentum = None

    def look(self, states: Sequence[AttackState], number: int) -> list[Look]:
        """Show the classifier each photo's point; return its answers for those that are not done."""
        points = [self.point(state) for state in states]
        leaves = [s.at(q).detach().requires_grad_(True) for s, q in zip(states, points, strict=True)]
        looks, norm = [], self.config.minimal_norm
        for state, q, leaf, row in zip(states, points, leaves, self._logits(leaves), strict=True):
            rows, views = [row.detach()], None
            if state.first is None:
                state.first = row.detach()
                state.criterion = replace(state.criterion, source=int(row.argmax()))
            if self.transforms:
                views = self._transformed(state, leaf, number, rows=rows)
            reached = self._record(state, q, rows)
            state.add_to_curve(row.detach())
            # No picture lies between the photo and a change of one level.
            if (norm or not reached) and not (norm == "linf" and state.best_norm <= 1):
                looks.append(Look(state, leaf, state.criterion.loss(row, self.config.loss), reached, views))
        return looks

    def _generator(self, purpose: str, state: AttackState) -> torch.Generator:
        """Return random numbers by seed, purpose and photo: the same in any batch."""
        return torch.Generator().manual_seed(rng.torch_seed(self.config.seed, purpose, state.index))

    def _logits(self, pictures: Sequence[Tensor]) -> Tensor:
        """Return the logits of pictures of any sizes from one forward pass."""
        return self.classifier.logits_at_size(torch.cat([self.classifier.resize(p) for p in pictures]))

    def _record(self, state: AttackState, q: Tensor, rows: list[Tensor]) -> bool:
        """Keep ``q`` if it is the best so far, rounded if need be; return whether it succeeds."""
        norm = self.config.minimal_norm
        if self.on_grid:
            return state.record(q, rows, norm)
        near = self._rounded(q)
        if not all(state.criterion.reached(row) for row in rows):
            state.keep(near, None)
            return False
        with torch.no_grad():
            return state.record(near, list(self._logits([state.at(near)])))

    def _rounded(self, q: Tensor) -> Tensor:
        """Return the nearest point of the grid within ``epsilon``."""
        if self.config.norm == "linf":
            return steepest_inf(q, self.epsilon)
        near = q.round()
        return near if norm2(near) <= self.epsilon else steepest_l2(q, min(self.epsilon, norm2(q)))

    def _transformed(self, state: AttackState, leaf: Tensor, number: int, *, rows: list[Tensor]) -> Tensor:
        """Return the summed gradients of transformed copies, one in memory at a time; add to ``rows``.

        Athalye et al. 2018, equation 2.
        """
        total = torch.zeros_like(leaf)
        for i in range(self.config.samples):
            copy = leaf.detach().requires_grad_(True)
            transform = self.transforms[i % len(self.transforms)]
            generator = self._generator(f"attack-view/{number}/{i}", state)
            row = self._logits([transform.soft(copy, generator)])[0]
            total += torch.autograd.grad(state.criterion.loss(row, self.config.loss), copy)[0]
            rows.append(row.detach())
        return total


def shrink(v: Tensor, radius: float) -> Tensor:
    """Bring ``v`` to the nearest point of the L2 ball, in place."""
    norm = norm2(v)
    return v.mul_(radius / norm) if norm > radius else v


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
        length = self.annealed(self.length, self.length / 100, k)
        return g, length / max(norm2(g), 1e-30)

    def annealed(self, first: float, last: float, k: int) -> float:
        """Return the value at step ``k`` on the way from ``first`` to ``last`` along half a cosine."""
        return last + (first - last) * (1 + math.cos(math.pi * k / self.config.steps)) / 2

    def project(self, state: AttackState) -> None:
        state.v.mul_(state.radius / max(norm2(state.v), 1e-30))

    def point(self, state: AttackState) -> Tensor:
        return self.steepest(state, state.radius)


class FMN(DDN):
    """Pintor et al. 2021, algorithm 1: the radius shrinks and grows by GAMMA, and less as steps go on.

    Before the first success the radius is where a linear model puts the boundary. In L-inf steps have
    ``step`` as root mean square.
    """

    def adapt(self, state: AttackState, g: Tensor, k: int, *, reached: bool) -> None:
        gamma = self.annealed(GAMMA, 0.001, k)
        if reached:
            state.radius = min(state.radius * (1 - gamma), state.best_norm)
        elif state.found:
            state.radius *= 1 + gamma
        else:
            l2 = self.config.norm == "l2"
            dual = norm2(g) if l2 else float(g.abs().sum())
            size = norm2(state.v) if l2 else norm_inf(state.v)
            state.radius = size + LEVELS * state.margin / max(dual, 1e-30)

    def normalize(self, state: AttackState, g: Tensor, k: int) -> tuple[Tensor, float]:
        length = self.annealed(self.length, self.length / 100, k)
        length *= 1 if self.config.norm == "l2" else math.sqrt(g.numel())
        return g, length / max(norm2(g), 1e-30)

    def project(self, state: AttackState) -> None:
        if self.config.norm == "l2":
            shrink(state.v, state.radius)
        else:
            state.radius = max(state.radius, 1.0)  # no picture lies between 0 and 1 level
            state.v.clamp_(-state.radius, state.radius)


CLASSES = {"pgd": Attack, "fgsm": Attack, "gradient": RawGradient, "ddn": DDN, "fmn": FMN}
