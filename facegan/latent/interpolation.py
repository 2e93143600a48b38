"""Paths between latent vectors: linear, slerp, hypersphere; two points or many; open or closed.

Special cases are defined, so that no path ever holds NaN:

| case | lerp | slerp | hypersphere |
|---|---|---|---|
| equal ends | constant | linear, so constant | constant |
| opposite ends | through 0 | linear, so through 0 | half a great circle through a fixed orthogonal vector |
| an end is 0 | straight | linear | it has no direction: the path stays where it was |
| first point 0 | straight | linear | constant 0, a sphere of radius 0 |
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from facegan import arguments
from facegan.errors import InputError

Tensor = torch.Tensor
_NEED = "a path leads through vectors, N,D or N,layers,D"
_TINY = 1e-12
# Latents are float32: an angle nearer to 0 or pi than this is rounding.
_SMALLEST_ANGLE = 1e-6
_NEARLY_OPPOSITE = 3.0


def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Return the straight line: ``(1 - t) a + t b``."""
    return (1 - t) * a + t * b


def angle(a: Tensor, b: Tensor) -> float:
    """Return radians between two vectors other than 0, exact near 0 and pi, too (Kahan 2006, section 12)."""
    u, v = a / a.norm(), b / b.norm()
    return 2 * math.atan2(float((u - v).norm()), float((u + v).norm()))


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Interpolate spherically (Shoemake 1985; White 2016), linearly where sin(omega) is 0.

    Near the antipode of a vector of another length the formula runs off to infinity (with sin(omega) -> 0):
    there directions are interpolated so, and lengths linearly.
    """
    if float(a.norm()) < _TINY or float(b.norm()) < _TINY:
        return lerp(a, b, t)
    omega = angle(a, b)
    if math.sin(omega) < _SMALLEST_ANGLE:
        return lerp(a, b, t)
    if omega > _NEARLY_OPPOSITE:
        length = (1 - t) * float(a.norm()) + t * float(b.norm())
        a, b = a * length / a.norm(), b * length / b.norm()
    return (math.sin((1 - t) * omega) * a + math.sin(t * omega) * b) / math.sin(omega)


def orthogonal(a: Tensor) -> Tensor:
    """Return a unit vector orthogonal to ``a``: the axis on which ``a`` is smallest, less its share of it."""
    axis = torch.zeros_like(a)
    axis[int(a.abs().argmin())] = 1.0
    rest = axis - torch.dot(axis, a) / torch.dot(a, a) * a
    found: Tensor = rest / rest.norm()
    return found


def hypersphere(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Return the straight line to ``b`` brought to the norm of ``a``, each vector brought to that norm."""
    radius, far = a.norm(), b.norm()
    if float(radius) < _TINY or float(far) < _TINY:
        return a.clone()
    b = b * (radius / far)
    if math.pi - angle(a, b) < _SMALLEST_ANGLE:
        # The line would go through 0, which has no direction. In one dimension there is no way round.
        if a.numel() == 1:
            return a.clone() if t < 0.5 else b
        around: Tensor = math.cos(math.pi * t) * a + math.sin(math.pi * t) * radius * orthogonal(a)
        return around
    v = lerp(a, b, t)
    found: Tensor = v * (radius / v.norm())
    return found


PATHS: dict[str, Callable[[Tensor, Tensor, float], Tensor]] = {
    "lerp": lerp,
    "slerp": slerp,
    "hypersphere": hypersphere,
}


def path_length(points: int, steps: int, loop: bool = False) -> int:
    """Return how many vectors :func:`path` yields."""
    return (steps - 1) * points if loop else (steps - 1) * (points - 1) + 1


def path(points: Any, steps: int = 10, kind: str = "lerp", *, loop: bool = False) -> Iterator[Tensor]:
    """Yield vectors along ``points``: of shape ``dim``, or ``num_ws,w_dim``, taken as one long vector.

    ``steps`` vectors lead from each point to the next, both ends counted; a point between two stretches
    appears once. ``loop`` goes on to the first point and stops one step before it, so that a repeated film
    shows no frame twice. On the ``hypersphere``, the first point's norm holds for the whole path. Computed in
    float64, given in the type of the points.

    Raises:
        InputError: The kind is unknown, there are fewer than two steps or points, or their sizes differ.
    """
    if (steps := arguments.whole(steps, "--steps")) < 2:
        raise InputError(f"--steps must be at least 2 (both ends), not {steps}")
    points = vectors(points)
    ends, like = _ends(points, kind), points[0]
    return (v.to(like.dtype).view(like.shape) for v in _walk(ends, steps, PATHS[kind], loop=loop))


def along(points: Any, places: Iterable[float], kind: str = "slerp", *, loop: bool = False) -> Tensor:
    """Return vectors ``N,...`` at ``places`` of a path: 0 is its first point, 1 the second.

    A ``loop`` of P points goes on from P - 1 to P, where the first is again. As :func:`path` otherwise.
    """
    points = vectors(points)
    ends = _ends(points, kind)
    ends = [*ends, ends[0]] if loop else ends
    last = len(ends) - 1
    found = []
    for place in places:
        if not arguments.is_number(place):
            raise InputError(f"a place must be a number, not {arguments.shown(place)}")
        if not 0 <= place <= last:
            raise InputError(f"place {place:g} is not on this path, which goes from 0 to {last}")
        i = min(int(place), last - 1)
        found.append(PATHS[kind](ends[i], ends[i + 1], float(place) - i))
    shape, dtype = points[0].shape, points[0].dtype
    return torch.stack(found).to(dtype).view(-1, *shape) if found else torch.empty(0, *shape)


def vectors(points: Any) -> Sequence[Tensor]:
    """Return points as callers have them (arrays, lists, saved vectors) as tensors."""
    points = getattr(points, "z", points)
    if isinstance(points, (list, tuple)) and len({np.shape(point) for point in points}) != 1:
        return [arguments.tensor(point, "points", _NEED) for point in points]  # told apart later
    return arguments.tensor(points, "points", _NEED)  # type: ignore[return-value]


def _ends(points: Sequence[Tensor], kind: str) -> list[Tensor]:
    """Return the points in float64, flat and checked."""
    if not isinstance(kind, str) or kind not in PATHS:
        raise InputError(f"--path '{kind}' is unknown (known: {', '.join(PATHS)})")
    if len(points) < 2:
        raise InputError(f"a path needs two points or more, not {len(points)}")
    if any(p.ndim not in (1, 2) or p.shape != points[0].shape for p in points):
        raise InputError(f"the points of a path must be vectors of one size, not {[*map(_shape, points)]}")
    ends = [p.detach().cpu().double().flatten() for p in points]
    return _on_sphere(ends) if kind == "hypersphere" else ends


def _shape(point: Tensor) -> tuple[int, ...]:
    return tuple(point.shape)


def _walk(
    ends: list[Tensor], steps: int, between: Callable[[Tensor, Tensor, float], Tensor], *, loop: bool
) -> Iterator[Tensor]:
    for a, b in itertools.pairwise([*ends, ends[0]] if loop else ends):
        for i in range(steps - 1):
            yield between(a, b, i / (steps - 1))
    if not loop:
        yield between(ends[-2], ends[-1], 1.0)


def _on_sphere(points: list[Tensor]) -> list[Tensor]:
    """Return all points at the first one's norm; one that is 0 repeats the one before."""
    radius = points[0].norm()
    ends = points[:1]
    for p in points[1:]:
        ends.append(p * (radius / p.norm()) if float(p.norm()) > _TINY else ends[-1])
    return ends
