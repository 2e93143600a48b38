"""Searching the vector whose picture is nearest to a target: many photos and starts in one batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from facegan.generator import Generator
from facegan.inversion.config import InvertConfig
from facegan.inversion.curvature import inverse_metric, local_metric
from facegan.inversion.lbfgs import BatchedLBFGS
from facegan.inversion.losses import Objective, parse_losses
from facegan.inversion.noise import noise_penalty, renormalise, start_noise, synthesize_with
from facegan.inversion.space import Space
from facegan.layers.optimizers import Adam

Tensor = torch.Tensor
MAX_DIRECTIONS = 256  # for a metric of each photo's own
LOCAL_DAMPING = 0.05
# Returns the best points so far, N,dim, and their noise.
Best = Callable[[], tuple[Tensor, dict[str, Tensor]]]
# (step, losses N of the best start so far, its points): called after each evaluation
OnStep = Callable[[int, Tensor, Best], None]


@dataclass
class Found:
    """The best points of N photos: coordinates ``N,dim``, losses, and the number of the ``start`` that won.

    ``curve`` ``steps+1,N`` is that start's, ``snapshots`` ``S,N,dim`` are on its way.
    """

    u: Tensor
    losses: Tensor
    curve: Tensor
    snapshots: Tensor
    snapshot_steps: list[int]
    start: Tensor
    noise: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    stopped: bool = False


class Problem:
    """Losses of points ``B,dim``, where B is photos x restarts, a photo's starts next to each other."""

    def __init__(self, model: Generator, space: Space, targets: Tensor, *, config: InvertConfig) -> None:
        self.model, self.space, self.config = model, space, config
        weights = parse_losses(config.loss)
        if config.sums:  # of pictures in [0, 1], averaged over channels, summed over pixels
            pixels = targets.shape[2] * targets.shape[3]
            factors = {"mae": pixels / 2, "mse": pixels / 4}
            weights = {name: weight * factors.get(name, 1.0) for name, weight in weights.items()}
        self.objective = Objective(weights, targets)

    def losses(self, u: Tensor, rows: Tensor, noise: dict[str, Tensor] | None = None) -> Tensor:
        """Return ``M`` of the points of those rows; differentiable."""
        images = synthesize_with(self.model, self.space.w(u), noise or {})
        total = self.objective(images, rows // self.config.restarts)
        if self.config.norm:
            total = total + self.config.norm * self.space.norm_penalty(u)
        if noise:
            total = total + self.config.noise * noise_penalty(noise)
        return total

    def evaluate(self, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses and gradients of points without noise of their own."""
        u = points.detach().requires_grad_()
        losses = self.losses(u, rows)
        (gradient,) = torch.autograd.grad(losses.sum(), u)
        return _finite(losses.detach(), math.inf), _finite(gradient, 0.0)


def _finite(x: Tensor, instead: float) -> Tensor:
    return torch.where(x.isfinite(), x, instead)


class _Record:
    """The best point of each start so far, the curve, and snapshots of the way."""

    def __init__(self, count: int, config: InvertConfig, on_step: OnStep | None) -> None:
        self.config, self.on_step, self.photos = config, on_step, count // config.restarts
        self.best: Tensor | None = None
        self.losses = torch.full((count,), math.inf)
        self.curve: list[Tensor] = []
        self.snapshots: list[Tensor] = []
        self.steps: list[int] = []
        self.noise: dict[str, Tensor] = {}
        self.every = max(1, config.steps / config.snapshots)

    def note(self, step: int, u: Tensor, losses: Tensor, *, noise: dict[str, Tensor] | None = None) -> None:
        u, losses = u.detach(), losses.detach().float()
        if self.best is None:
            self.best, self.losses = u.clone(), losses.clone()
            self.noise = {k: v.detach().clone() for k, v in (noise or {}).items()}
        else:
            better = losses < self.losses
            self.best = torch.where(better[:, None], u, self.best)
            self.losses = torch.where(better, losses, self.losses)
            for name, maps in (noise or {}).items():
                self.noise[name] = torch.where(better[:, None, None], maps.detach(), self.noise[name])
        self.curve.append(losses.clone())
        if step < self.config.steps and step >= len(self.snapshots) * self.every:
            self.snapshots.append(u.clone())
            self.steps.append(step)
        if self.on_step is not None:
            self.on_step(step, self.losses.view(self.photos, -1).amin(1), self.best_points)

    def best_rows(self) -> tuple[Tensor, Tensor]:
        """Return the number of each photo's best start, and its row among all points."""
        start = self.losses.view(self.photos, -1).argmin(1)
        return start, torch.arange(self.photos, device=start.device) * self.config.restarts + start

    def best_points(self) -> tuple[Tensor, dict[str, Tensor]]:
        """Return each photo's best point so far, ``N,dim``, and the noise that was found with it."""
        assert self.best is not None
        rows = self.best_rows()[1]
        return self.best[rows], {name: maps[rows] for name, maps in self.noise.items()}

    def found(self, stopped: bool) -> Found:
        best, noise = self.best_points()
        start, rows = self.best_rows()
        kept = torch.stack(self.snapshots)[:, rows] if self.snapshots else best[None]
        return Found(
            best,
            self.losses[rows],
            torch.stack(self.curve)[:, rows].cpu(),
            kept,
            self.steps or [0],
            start,
            noise,
            len(self.curve) - 1,
            stopped,
        )


def optimize(
    model: Generator,
    space: Space,
    targets: Tensor,
    *,
    starts: Tensor,
    config: InvertConfig,
    on_step: OnStep | None = None,
    inverse: Tensor | None = None,
) -> Found:
    """Search from ``starts`` ``N,restarts,dim`` towards ``targets`` ``N,C,H,W``.

    ``inverse`` is the space's usual inverse Hessian (see ``curvature.py``), for lbfgs. A photo's result does
    not depend on what else is in the batch, but for rounding, which long searches amplify. Ctrl-C returns the
    best so far.
    """
    problem = Problem(model, space, targets, config=config)
    points = starts.reshape(-1, space.dim).to(model.device)
    record = _Record(len(points), config, on_step)
    try:
        if config.optimizer == "adam":
            _adam(problem, points, config, record=record)
        else:
            _lbfgs(problem, points, config, record=record, inverse=inverse)
    except KeyboardInterrupt:
        if record.best is None:
            raise
        return record.found(stopped=True)
    return record.found(stopped=False)


def _lbfgs(
    problem: Problem, points: Tensor, config: InvertConfig, *, record: _Record, inverse: Tensor | None
) -> None:
    solver = BatchedLBFGS(problem.evaluate, points, inverse=inverse, stop=config.stop)
    record.note(0, solver.points, solver.losses)
    again = [math.ceil(share * config.steps) for share in config.refine if config.steps]
    for step in range(1, config.steps + 1):
        if step in again and points.shape[1] <= MAX_DIRECTIONS:
            _refine(problem, solver)
        if solver.active.any():
            solver.step(config.lr * math.sqrt(points.shape[1]))
        record.note(step, solver.points, solver.losses)


def _refine(problem: Problem, solver: BatchedLBFGS) -> None:
    """Go on with each photo's best start alone, with the metric measured there."""
    restarts = problem.config.restarts
    best = solver.losses.view(-1, restarts).argmin(1)
    rows = torch.arange(len(best), device=best.device) * restarts + best
    metrics = [
        local_metric(problem.model, problem.space, problem.objective.weights, u=solver.points[row])
        for row in rows
    ]
    solver.recondition(torch.stack([inverse_metric(m, LOCAL_DAMPING) for m in metrics]), rows)


def learning_rate(step: int, config: InvertConfig) -> float:
    """Return the rate with the ramps of Karras et al. 2020, appendix D: up linearly, down along a cosine."""
    t = step / max(config.steps, 1)
    down = min(1.0, (1 - t) / config.ramp_down) if config.ramp_down else 1.0
    up = min(1.0, t / config.ramp_up) if config.ramp_up else 1.0
    return config.lr * up * (0.5 - 0.5 * math.cos(math.pi * down))


def _adam(problem: Problem, points: Tensor, config: InvertConfig, *, record: _Record) -> None:
    u = points.clone().requires_grad_()
    noise = start_noise(problem.model, len(points)) if config.noise else {}
    parameters = [u, *(maps.requires_grad_() for maps in noise.values())]
    adam = Adam(parameters, config.lr, eps=config.eps)
    rows = torch.arange(len(points), device=points.device)
    for step in range(config.steps + 1):
        width = config.jitter * max(0.0, 1 - step / max(config.steps, 1) / 0.75) ** 2
        at = u
        if width and step < config.steps:
            drawn = problem.space.draw(config.seed, f"invert/jitter/{step}", config.restarts)
            at = u + width * drawn.repeat(len(points) // config.restarts, 1)
        losses = problem.losses(at, rows, noise)
        record.note(step, at, _finite(losses.detach(), math.inf), noise=noise)
        if step == config.steps:
            break
        gradients = torch.autograd.grad(losses.sum(), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = _finite(gradient, 0.0)
        adam.param_groups[0]["lr"] = learning_rate(step, config)
        adam.step()
        if noise:
            renormalise(noise)
