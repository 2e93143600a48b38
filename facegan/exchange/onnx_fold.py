"""Constants of an ONNX graph: arithmetic of shapes, and of weights, computed once with NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from facegan.errors import ModelError

Array = np.ndarray
MAX_ONE = 2**24  # numbers of one result
MAX_PRODUCTS = 2**34  # multiplications of one product


def whole_numbers(value: Any) -> tuple[int, ...]:
    """Return all numbers of an array as whole ones."""
    return tuple(int(n) for n in np.asarray(value).reshape(-1))


def bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape; ModelError if it is no shape, or that of too many numbers."""
    if any(n < 0 for n in shape) or math.prod(shape) > MAX_ONE or len(shape) > 16:
        raise ModelError(f"it would make a constant of the shape {shape}")
    return shape


def _sums(run: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    def broadcast(a: dict[str, Any], *given: Array) -> Array:
        total = given[0]
        for other in given[1:]:
            bounded(np.broadcast_shapes(total.shape, other.shape))
            total = run(total, other)
        return total

    return broadcast


def _divide(x: Array, y: Array) -> Array:
    if x.dtype.kind == "i" and y.dtype.kind == "i":
        return np.trunc(x / np.where(y == 0, 1, y)).astype(np.int64)
    return x / y


def _modulo(x: Array, y: Array) -> Array:
    return np.mod(x, np.where(y == 0, 1, y))


def _product(a: dict[str, Any], x: Array, y: Array) -> Array:
    if x.ndim > 2 or y.ndim > 2 or x.size * y.shape[-1] > MAX_PRODUCTS:
        raise ModelError(f"a product of constants of the shapes {x.shape} and {y.shape}")
    return x @ y


def _reshape(a: dict[str, Any], x: Array, shape: Array) -> Array:
    target = [x.shape[i] if n == 0 and i < x.ndim else n for i, n in enumerate(whole_numbers(shape))]
    return x.reshape(target)


def _axes(a: dict[str, Any], given: tuple[Array, ...]) -> tuple[int, ...] | None:
    return whole_numbers(given[0]) if given else a.get("axes")


def _unsqueeze(a: dict[str, Any], x: Array, *axes: Array) -> Array:
    return np.expand_dims(x, _axes(a, axes) or ())


def _squeeze(a: dict[str, Any], x: Array, *axes: Array) -> Array:
    return np.squeeze(x, _axes(a, axes))


def _slice(a: dict[str, Any], x: Array, *given: Array) -> Array:
    begins, ends = (whole_numbers(v) for v in given[:2]) if given else (a["starts"], a["ends"])
    axes = whole_numbers(given[2]) if len(given) > 2 else a.get("axes") or range(len(begins))
    steps = whole_numbers(given[3]) if len(given) > 3 else (1,) * len(begins)
    where = [slice(None)] * x.ndim
    for axis, begin, end, step in zip(axes, begins, ends, steps, strict=True):
        far = end < -(2**31) and step < 0
        where[axis] = slice(begin, None if far else end, step)
    return x[tuple(where)]


def _cast(a: dict[str, Any], x: Array) -> Array:
    return x.astype(np.float32 if a.get("to") in (1, 10, 11, 16) else np.int64)


def _range(a: dict[str, Any], *given: Array) -> Array:
    begin, end, step = given
    bounded((max(0, math.ceil((float(end) - float(begin)) / float(step))),))
    return np.arange(begin.item(), end.item(), step.item())


def _expand(a: dict[str, Any], x: Array, shape: Array) -> Array:
    return np.broadcast_to(x, bounded(np.broadcast_shapes(x.shape, whole_numbers(shape))))


def _where(a: dict[str, Any], *given: Array) -> Array:
    bounded(np.broadcast_shapes(*(x.shape for x in given)))
    return np.where(*given)


def _filled(a: dict[str, Any], shape: Array) -> Array:
    value = np.asarray(a.get("value", np.zeros(1, np.float32))).reshape(-1)[0]
    return np.broadcast_to(value, bounded(whole_numbers(shape)))


def _tile(a: dict[str, Any], x: Array, repeats: Array) -> Array:
    bounded(tuple(n * r for n, r in zip(x.shape, whole_numbers(repeats), strict=True)))
    return np.tile(x, whole_numbers(repeats))


def _gather(a: dict[str, Any], x: Array, index: Array) -> Array:
    axis = a.get("axis", 0)
    bounded((index.size, x.size // max(1, x.shape[axis])))
    return np.take(x, index, axis)


def _concat(a: dict[str, Any], *given: Array) -> Array:
    return np.concatenate(given, a["axis"])


def _reduce(run: Callable[..., Array]) -> Callable[..., Array]:
    def reduced(a: dict[str, Any], x: Array, *axes: Array) -> Array:
        return run(x, axis=_axes(a, axes), keepdims=bool(a.get("keepdims", 1)))

    return reduced


FOLDS: dict[str, Callable[..., Array]] = {
    "Identity": lambda a, x: x,
    "Cast": _cast,
    "Add": _sums(np.add),
    "Sub": _sums(np.subtract),
    "Mul": _sums(np.multiply),
    "Div": _sums(_divide),
    "Pow": _sums(lambda x, y: np.power(x.astype(np.float64), y).astype(x.dtype)),
    "Mod": _sums(_modulo),
    "MatMul": _product,
    "Not": lambda a, x: (x == 0).astype(np.int64),
    "And": _sums(lambda x, y: ((x != 0) & (y != 0)).astype(np.int64)),
    "Or": _sums(lambda x, y: ((x != 0) | (y != 0)).astype(np.int64)),
    "Max": _sums(np.maximum),
    "Min": _sums(np.minimum),
    "Equal": _sums(lambda x, y: (x == y).astype(np.int64)),
    "Greater": _sums(lambda x, y: (x > y).astype(np.int64)),
    "Less": _sums(lambda x, y: (x < y).astype(np.int64)),
    "Where": _where,
    "Neg": lambda a, x: -x,
    "Abs": lambda a, x: np.abs(x),
    "Sqrt": lambda a, x: np.sqrt(x),
    "Reciprocal": lambda a, x: 1 / x,
    "Exp": lambda a, x: np.exp(x),
    "Floor": lambda a, x: np.floor(x),
    "Ceil": lambda a, x: np.ceil(x),
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Slice": _slice,
    "Transpose": lambda a, x: np.transpose(x, a.get("perm")),
    "Concat": _concat,
    "Gather": _gather,
    "Expand": _expand,
    "ConstantOfShape": _filled,
    "Tile": _tile,
    "Range": _range,
    "Shape": lambda a, x: np.array(x.shape, np.int64),
    "ReduceSum": _reduce(np.sum),
    "ReduceProd": _reduce(np.prod),
    "ReduceMean": _reduce(np.mean),
    "Flatten": lambda a, x: x.reshape(math.prod(x.shape[: a.get("axis", 1)]), -1),
}
"""Operation -> its value for constants; ``a`` are the node's attributes."""


def fold(op: str, attributes: dict[str, Any], given: list[Array]) -> Array:
    """Return the value of a node whose inputs are all constant; ModelError if there is none."""
    if op not in FOLDS:
        raise ModelError("it computes a constant by an operation that facegan does not know")
    try:
        with np.errstate(all="ignore"):
            return np.asarray(FOLDS[op](attributes, *given))
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise ModelError(f"its inputs do not fit ({str(error)[:80]})") from None
