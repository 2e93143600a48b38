"""Photos on their way: gradients, a method's updates, and a look at each picture that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from facegan import rng
from facegan.pixels.attacks.methods import Method, Settings, random_start, rounded
from facegan.pixels.attacks.state import AttackState
from facegan.pixels.attacks.transforms import Transform
from facegan.pixels.classifiers import Classifier


@dataclass(frozen=True)
class Plan:
    """A method with its settings: what ``attack`` has understood of its options."""

    method: Method
    settings: Settings
    loss: str
    restarts: int = 1
    transforms: tuple[Transform, ...] = ()
    samples: int = 4
    seed: int = 0

    @property
    def norm(self) -> str:
        """The norm in which smaller is better; "" where the first success ends the search."""
        return self.settings.norm if self.method.minimal else ""


class Search:
    """A batch of photos. A step is a gradient, an update, and a look at the picture that it gives."""

    def __init__(self, classifier: Classifier, states: Sequence[AttackState], plan: Plan) -> None:
        self.classifier, self.states, self.plan = classifier, states, plan
        self.active = list(states)
        self.reached: list[bool] = []
        self.leaves: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.more: list[Tensor | None] = []  # gradients that come from transformed pictures
        self.loss = 0.0
        for state in states:
            state.radius = plan.settings.first_radius
        self._look(0)

    @property
    def done(self) -> bool:
        return not self.active

    def step(self, k: int) -> dict[str, float]:
        settings = self.plan.settings
        within = k % settings.steps
        if k and within == 0:  # a new start for those that are not there yet
            for state in self.active:
                purpose = f"attack-start/{k // settings.steps}"
                random_start(state, settings, self._generator(purpose, state))
            self._look(k)
        if self.active:
            losses = torch.stack(self.losses)
            gradients = torch.autograd.grad(losses.sum(), self.leaves)
            self.loss = float(losses.detach().mean())
            with torch.no_grad():
                for state, g, more, reached in zip(
                    self.active, gradients, self.more, self.reached, strict=True
                ):
                    g = g if more is None else g.add_(more).div_(1 + self.plan.samples)
                    self.plan.method.update(state, g, within, reached, settings)
                    state.steps += 1
            self._look(k + 1)
        return {
            "loss": self.loss,
            "reached": float(sum(s.found for s in self.states)),
            "probability": sum(s.curve[-1][0] for s in self.states) / len(self.states),
        }

    def _generator(self, purpose: str, state: AttackState) -> torch.Generator:
        """Random numbers by seed, purpose and photo: the same in any batch."""
        return torch.Generator().manual_seed(rng.torch_seed(self.plan.seed, purpose, state.index))

    def _look(self, number: int) -> None:
        """What the classifier says of each active photo's point; whoever is done leaves."""
        plan = self.plan
        points = [plan.method.point(state, plan.settings) for state in self.active]
        leaves = [s.at(q).detach().requires_grad_(True) for s, q in zip(self.active, points, strict=True)]
        rows = self._logits(leaves)
        self.reached, self.leaves, self.losses, self.more, going = [], [], [], [], []
        for state, q, leaf, row in zip(self.active, points, leaves, rows, strict=True):
            views, gradient = [row.detach()], None
            if state.first is None:
                state.first = row.detach()
                state.criterion = replace(state.criterion, source=int(row.argmax()))
            if plan.transforms:
                gradient = self._transformed(state, leaf, number, views)
            reached = self._remember(state, q, views)
            state.note(row.detach())
            if (reached and not plan.norm) or (state.best_norm <= 1 and plan.norm == "linf"):
                continue  # no picture lies between the photo and a change of one level
            going.append(state)
            self.reached.append(reached)
            self.leaves.append(leaf)
            self.losses.append(state.criterion.loss(row, plan.loss))
            self.more.append(gradient)
        self.active = going

    def _logits(self, pictures: Sequence[Tensor]) -> Tensor:
        """One forward pass for pictures of any sizes."""
        return self.classifier.logits_at_size(torch.cat([self.classifier.resize(p) for p in pictures]))

    def _remember(self, state: AttackState, q: Tensor, views: list[Tensor]) -> bool:
        if self.plan.method.rounds:
            return state.seen(q, views, self.plan.norm)
        if not all(state.criterion.reached(row) for row in views):  # q lies between pictures
            state.keep(rounded(q, self.plan.settings), None)
            return False
        near = rounded(q, self.plan.settings)
        with torch.no_grad():
            return state.seen(near, list(self._logits([state.at(near)])))

    def _transformed(self, state: AttackState, leaf: Tensor, number: int, views: list[Tensor]) -> Tensor:
        """The sum of the gradients of transformed copies, one in memory at a time; adds to ``views``."""
        plan, total = self.plan, torch.zeros_like(leaf)
        for i in range(plan.samples):
            copy = leaf.detach().requires_grad_(True)
            transform = plan.transforms[i % len(plan.transforms)]
            generator = self._generator(f"attack-view/{number}/{i}", state)
            row = self._logits([transform.soft(copy, generator)])[0]
            total += torch.autograd.grad(state.criterion.loss(row, plan.loss), copy)[0]
            views.append(row.detach())
        return total
