"""Paths between latent vectors: linear, slerp, hypersphere; two points or many; open or closed.

Special cases are defined, so that no path ever holds NaN:

| case | lerp | slerp | hypersphere |
|---|---|---|---|
| equal ends | constant | linear, so constant | constant |
| opposite ends | through 0 | linear, so through 0 | half a great circle through a fixed orthogonal vector |
| first end 0 | straight | linear | constant 0 (a sphere of radius 0) |
| second end 0 | straight | linear | constant (it has no direction to go to) |
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch

from facegan.errors import InputError

Tensor = torch.Tensor
_TINY = 1e-12


def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The straight line: ``(1 - t) a + t b``."""
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical linear interpolation (Shoemake 1985; White 2016), linear where sin(omega) is 0."""
    na, nb = a.norm(), b.norm()
    if float(na) < _TINY or float(nb) < _TINY:
        return lerp(a, b, t)
    omega = torch.arccos((torch.dot(a, b) / (na * nb)).clamp(-1, 1))
    sine = torch.sin(omega)
    if float(sine) < 1e-7:
        return lerp(a, b, t)
    return torch.sin((1 - t) * omega) / sine * a + torch.sin(t * omega) / sine * b


def orthogonal(a: Tensor) -> Tensor:
    """A unit vector orthogonal to ``a``: the first axis on which ``a`` is smallest, made orthogonal."""
    axis = torch.zeros_like(a)
    axis[int(a.abs().argmin())] = 1.0
    rest = axis - torch.dot(axis, a) / torch.dot(a, a).clamp_min(_TINY) * a
    return rest / rest.norm().clamp_min(_TINY)


def hypersphere(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The straight line to ``b`` brought to the norm of ``a``, each vector brought to that norm."""
    radius, nb = a.norm(), b.norm()
    if float(radius) < _TINY or float(nb) < _TINY:
        return a.clone()
    b = b * (radius / nb)
    if float((a + b).norm()) < 1e-6 * float(radius):
        angle = math.pi * t
        return math.cos(angle) * a + math.sin(angle) * radius * orthogonal(a)
    v = lerp(a, b, t)
    return v * (radius / v.norm())


PATHS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "lerp": lerp,
    "slerp": slerp,
    "hypersphere": hypersphere,
}


def path_length(points: int, steps: int, loop: bool = False) -> int:
    """How many vectors :func:`path` yields."""
    return (steps - 1) * points if loop else (steps - 1) * (points - 1) + 1


def path(
    points: Sequence[Tensor], steps: int = 10, kind: str = "lerp", loop: bool = False
) -> Iterator[Tensor]:
    """Vectors of shape ``dim`` along ``points``, one by one.

    ``steps`` vectors lead from each point to the next, both ends counted; a point between two
    stretches appears once. ``loop`` goes on to the first point and stops one step before it, so that
    a repeated film shows no frame twice. Computed in float64, given in the type of the points.
    """
    if kind not in PATHS:
        raise InputError(f"--path '{kind}' is unknown (known: {', '.join(PATHS)})")
    if steps < 2:
        raise InputError(f"--steps must be at least 2 (both ends), not {steps}")
    if len(points) < 2:
        raise InputError("a path needs two points or more")
    between = PATHS[kind]
    ends = [*points, points[0]] if loop else list(points)
    # On the hypersphere, the first point's norm holds for the whole path.
    if kind == "hypersphere":
        radius = ends[0].norm()
        ends = [ends[0], *(p * (radius / p.norm()) if float(p.norm()) > _TINY else p for p in ends[1:])]
    for a, b in itertools.pairwise(ends):
        for i in range(steps - 1):
            yield between(a.double(), b.double(), i / (steps - 1)).to(a.dtype)
    if not loop:
        yield between(ends[-2].double(), ends[-1].double(), 1.0).to(ends[-1].dtype)
