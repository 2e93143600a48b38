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
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from facegan import arguments
from facegan.errors import InputError

if TYPE_CHECKING:
    import torch

Vector = TypeVar("Vector", "np.ndarray[Any, Any]", "torch.Tensor")
_NEED = "a path leads through vectors, N,D or N,layers,D"
_TINY = 1e-12
# Latents are float32: an angle nearer to 0 or pi than this is rounding.
_SMALLEST_ANGLE = 1e-6
_NEARLY_OPPOSITE = 3.0


def _norm(a: Vector) -> float:
    return math.sqrt(float((a * a).sum()))


def lerp(a: Vector, b: Vector, t: float) -> Vector:
    """Return the straight line: ``(1 - t) a + t b``, of two arrays or two tensors."""
    found: Vector = (1 - t) * a + t * b
    return found


def angle(a: Vector, b: Vector) -> float:
    """Return radians between two vectors other than 0, exact near 0 and pi, too (Kahan 2006, section 12)."""
    u, v = a / _norm(a), b / _norm(b)
    return 2 * math.atan2(_norm(u - v), _norm(u + v))


def slerp(a: Vector, b: Vector, t: float) -> Vector:
    """Interpolate spherically (Shoemake 1985; White 2016), linearly where sin(omega) is 0.

    Near the antipode of a vector of another length the formula runs off to infinity (with sin(omega) -> 0):
    there directions are interpolated so, and lengths linearly.
    """
    if min(_norm(a), _norm(b)) < _TINY:
        return lerp(a, b, t)
    omega = angle(a, b)
    if math.sin(omega) < _SMALLEST_ANGLE:
        return lerp(a, b, t)
    if omega > _NEARLY_OPPOSITE:
        length = (1 - t) * _norm(a) + t * _norm(b)
        a, b = a * length / _norm(a), b * length / _norm(b)
    return (math.sin((1 - t) * omega) * a + math.sin(t * omega) * b) / math.sin(omega)


def orthogonal(a: Vector) -> Vector:
    """Return a unit vector orthogonal to ``a``: the axis on which ``a`` is smallest, less its share of it."""
    axis = 0 * a
    axis[int(abs(a).argmin())] = 1.0
    rest = axis - (axis * a).sum() / (a * a).sum() * a
    found: Vector = rest / _norm(rest)
    return found


def hypersphere(a: Vector, b: Vector, t: float) -> Vector:
    """Return the straight line to ``b`` brought to the norm of ``a``, each vector brought to that norm."""
    radius, far = _norm(a), _norm(b)
    if min(radius, far) < _TINY:
        return 1 * a
    b = b * (radius / far)
    if math.pi - angle(a, b) < _SMALLEST_ANGLE:
        # The line would go through 0, which has no direction. In one dimension there is no way round.
        if len(a) == 1:
            return 1 * a if t < 0.5 else b
        around: Vector = math.cos(math.pi * t) * a + math.sin(math.pi * t) * radius * orthogonal(a)
        return around
    v = lerp(a, b, t)
    found: Vector = v * (radius / _norm(v))
    return found


PATHS: dict[str, Callable[[Any, Any, float], Any]] = {
    "lerp": lerp,
    "slerp": slerp,
    "hypersphere": hypersphere,
}


def path_length(points: int, steps: int, loop: bool = False) -> int:
    """Return how many vectors :func:`path` yields."""
    return (steps - 1) * points if loop else (steps - 1) * (points - 1) + 1


def path(points: Any, steps: int = 10, kind: str = "lerp", *, loop: bool = False) -> Iterator[torch.Tensor]:
    """Yield vectors along ``points``: of shape ``dim``, or ``num_ws,w_dim``, taken as one long vector.

    ``steps`` vectors lead from each point to the next, both ends counted; a point between two stretches
    appears once. ``loop`` goes on to the first point and stops one step before it, so that a repeated film
    shows no frame twice. On the ``hypersphere``, the first point's norm holds for the whole path. Computed in
    float64, given in the type of the points.

    Raises:
        InputError: The kind is unknown, there are fewer than two steps or points, or their sizes differ.
    """
    import torch

    return map(torch.from_numpy, path_arrays(points, steps, kind, loop=loop))


def path_arrays(
    points: Any, steps: int = 10, kind: str = "lerp", *, loop: bool = False
) -> Iterator[np.ndarray]:
    """Yield what :func:`path` does as arrays, without PyTorch."""
    if (steps := arguments.whole(steps, "--steps")) < 2:
        raise InputError(f"--steps must be at least 2 (both ends), not {steps}")
    points = vectors(points)
    ends, like = _ends(points, kind), points[0]
    return (v.astype(like.dtype).reshape(like.shape) for v in _walk(ends, steps, PATHS[kind], loop=loop))


def along(points: Any, places: Iterable[float], kind: str = "slerp", *, loop: bool = False) -> torch.Tensor:
    """Return vectors ``N,...`` at ``places`` of a path: 0 is its first point, 1 the second.

    A ``loop`` of P points goes on from P - 1 to P, where the first is again. As :func:`path` otherwise.
    """
    import torch

    return torch.from_numpy(array_along(points, places, kind, loop=loop))


def array_along(
    points: Any, places: Iterable[float], kind: str = "slerp", *, loop: bool = False
) -> np.ndarray:
    """Return what :func:`along` does as an array, without PyTorch."""
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
    return np.array(found, points[0].dtype).reshape(-1, *points[0].shape)


def vectors(points: Any) -> list[np.ndarray]:
    """Return points as callers have them (arrays, tensors, lists, saved vectors) as arrays."""
    points = getattr(points, "array", points)
    if isinstance(points, (list, tuple)):
        return [arguments.array(point, "points", _NEED) for point in points]
    return list(arguments.array(points, "points", _NEED))


def _ends(points: Sequence[np.ndarray], kind: str) -> list[np.ndarray]:
    """Return the points in float64, flat and checked."""
    if not isinstance(kind, str) or kind not in PATHS:
        raise InputError(f"--path '{kind}' is unknown (known: {', '.join(PATHS)})")
    if len(points) < 2:
        raise InputError(f"a path needs two points or more, not {len(points)}")
    if any(p.ndim not in (1, 2) or p.shape != points[0].shape for p in points):
        raise InputError(f"the points of a path must be vectors of one size, not {[p.shape for p in points]}")
    ends = [p.astype(np.float64).ravel() for p in points]
    return _on_sphere(ends) if kind == "hypersphere" else ends


def _walk(
    ends: list[np.ndarray], steps: int, between: Callable[[Any, Any, float], Any], *, loop: bool
) -> Iterator[np.ndarray]:
    for a, b in itertools.pairwise([*ends, ends[0]] if loop else ends):
        for i in range(steps - 1):
            yield between(a, b, i / (steps - 1))
    if not loop:
        yield between(ends[-2], ends[-1], 1.0)


def _on_sphere(points: list[np.ndarray]) -> list[np.ndarray]:
    """Return all points at the first one's norm; one that is 0 repeats the one before."""
    radius = _norm(points[0])
    ends = points[:1]
    for p in points[1:]:
        ends.append(p * (radius / _norm(p)) if _norm(p) > _TINY else ends[-1])
    return ends
