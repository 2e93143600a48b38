"""L-BFGS over many independent problems at once (Liu, Nocedal 1989): each has its own history and step."""

from __future__ import annotations

from collections.abc import Callable

import torch

Tensor = torch.Tensor
# (points M,D; their rows M) -> (losses M, gradients M,D)
Evaluate = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class BatchedLBFGS:
    """``step`` moves all points ``B,D`` by one quasi-Newton step with Armijo's condition, halving as needed.

    A problem that finds no better point within ``tries`` stays and forgets its history; if there is none down
    the gradient either, it is at rest: no longer ``active``. So is one that reaches a loss below ``stop``.
    ``inverse`` ``D,D`` (of all) or ``B,D,D``, where known, is about the inverse Hessian, up to a factor.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        points: Tensor,
        *,
        inverse: Tensor | None = None,
        history: int = 60,
        tries: int = 5,
        stop: float = 0.0,
    ) -> None:
        self.evaluate, self.points, self.tries, self.history = evaluate, points.clone(), tries, history
        self.inverse, self.stop = inverse, stop
        self.s: list[Tensor] = []
        self.y: list[Tensor] = []
        self.rho: list[Tensor] = []
        self.scale = points.new_ones(len(points), 1)
        self.fresh = torch.ones(len(points), dtype=torch.bool, device=points.device)
        self.everyone = torch.arange(len(points), device=points.device)
        self.losses, self.gradients = evaluate(self.points, self.everyone)
        self.active = self.losses > stop

    def direction(self) -> Tensor:
        """Return the directions of the two-loop recursion (Nocedal, Wright 2006, algorithm 7.4), row by row.

        A rho of 0 skips a pair.
        """
        q, alphas = -self.gradients, []
        for s, y, rho in zip(reversed(self.s), reversed(self.y), reversed(self.rho), strict=True):
            alpha = rho * (s * q).sum(1, keepdim=True)
            q = q - alpha * y
            alphas.append(alpha)
        q = self._preconditioned(q) * self.scale
        for s, y, rho, alpha in zip(self.s, self.y, self.rho, reversed(alphas), strict=True):
            q = q + s * (alpha - rho * (y * q).sum(1, keepdim=True))
        slope = (q * self.gradients).sum(1, keepdim=True)
        return torch.where(slope < 0, q, -self._preconditioned(self.gradients))

    def _preconditioned(self, g: Tensor) -> Tensor:
        if self.inverse is None:
            return g
        return g @ self.inverse if self.inverse.ndim == 2 else (g[:, None] @ self.inverse)[:, 0]

    def recondition(self, inverse: Tensor, rows: Tensor) -> None:
        """Go on with ``rows`` alone, with inverse Hessians ``len(rows),D,D`` of their own."""
        own = inverse.new_zeros(len(self.points), *inverse.shape[1:])
        own[rows] = inverse
        rest = torch.ones_like(self.active)
        rest[rows] = False
        self.inverse, self.active = own, self.active & ~rest
        if self.s:
            s, y = self.s[-1], self.y[-1]
            size = (y * self._preconditioned(y)).sum(1, keepdim=True)
            good = (self.rho[-1] > 0) & (size > 1e-30)
            self.scale = torch.where(good, (s * y).sum(1, keepdim=True) / size.clamp_min(1e-30), 1.0)

    def step(self, first: float = 1.0) -> None:
        """Move all points; ``first`` is the length of a problem's very first step."""
        d = self.direction()
        length = torch.where(self.fresh[:, None], first / d.norm(dim=1, keepdim=True).clamp_min(1e-12), 1.0)
        slope = (d * self.gradients).sum(1)
        losses, gradients, moved = self.losses.clone(), self.gradients.clone(), self.points.clone()
        rows = self.everyone[self.active]
        for _ in range(self.tries if len(rows) else 0):
            candidate = self.points[rows] + length[rows] * d[rows]
            f, g = self.evaluate(candidate, rows)
            good = f <= self.losses[rows] + 1e-4 * length[rows, 0] * slope[rows]
            taken = rows[good]
            losses[taken], gradients[taken], moved[taken] = f[good], g[good], candidate[good]
            rows, worse = rows[~good], f[~good]
            if not len(rows):
                break
            # The minimum of the parabola through what is known, kept within a tenth and a half.
            t, m = length[rows, 0], slope[rows]
            best = -m * t * t / (2 * (worse - self.losses[rows] - m * t)).clamp_min(1e-12)
            length[rows, 0] = torch.nan_to_num(best, nan=0.0).clamp(0.1 * t, 0.5 * t)
        self._remember(moved - self.points, gradients - self.gradients, rows)
        self.points, self.losses, self.gradients = moved, losses, gradients
        self.active = self.active & (losses > self.stop)

    def _remember(self, s: Tensor, y: Tensor, stuck: Tensor) -> None:
        curvature = (s * y).sum(1, keepdim=True)
        usable = curvature > 1e-10 * y.square().sum(1, keepdim=True).clamp_min(1e-30)
        rho = torch.where(usable, 1 / curvature.clamp_min(1e-30), 0.0)
        self.active[stuck[self.fresh[stuck]]] = False
        for old in self.rho:
            old[stuck] = 0.0
        size = (y * self._preconditioned(y)).sum(1, keepdim=True).clamp_min(1e-30)
        self.scale = torch.where(usable, curvature / size, self.scale)
        self.scale[stuck] = 1.0
        self.fresh = self.fresh & ~usable[:, 0]
        self.fresh[stuck] = True
        self.s, self.y, self.rho = [*self.s, s], [*self.y, y], [*self.rho, rho]
        if len(self.s) > self.history:
            self.s, self.y, self.rho = self.s[1:], self.y[1:], self.rho[1:]
