"""Layers of Keras that move, cut, repeat and merge."""

from __future__ import annotations

import math
from collections.abc import Callable

from facegan.errors import ModelError
from facegan.exchange.keras_context import Context, Value, one_axis, pair_of
from facegan.exchange.windows import same_pads


def reshape(c: Context, x: Value) -> Value:
    target, count = c.config.get("target_shape"), math.prod(c.shape(x))
    if x.name == c.graph.labels:
        return x
    if not isinstance(target, list) or not all(type(n) is int and -1 <= n <= 1 << 24 for n in target):
        raise ModelError("its target_shape is no list of whole numbers")
    known = math.prod(n for n in target if n >= 0)
    if target.count(-1) > 1 or (-1 in target and (not known or count % known)):
        raise ModelError(f"{c.shape(x)} cannot become {target}")
    return Value(c.add("reshape", c.plain(x), shape=tuple(count // known if n < 0 else n for n in target)))


def flatten(c: Context, x: Value) -> Value:
    if x.name == c.graph.labels:
        return x
    given = c.plain(x)
    if not c.last and len(c.shape(x)) == 3:
        given = c.add("permute", given, order=(1, 2, 0))  # as Keras does: channels last, whatever is given
    return Value(c.add("flatten", given))


def permute(c: Context, x: Value) -> Value:
    dims = c.config.get("dims")
    if not isinstance(dims, list) or not all(type(n) is int for n in dims):
        raise ModelError("its dims are no list of whole numbers")
    return Value(c.add("permute", c.plain(x), order=tuple(n - 1 for n in dims)))


def upsampling(c: Context, x: Value) -> Value:
    mode = c.config.get("interpolation", "nearest")
    if mode not in ("nearest", "bilinear"):
        raise ModelError(f"its interpolation '{str(mode)[:60]}' is unknown here (known: nearest, bilinear)")
    return Value(c.add("upsample", c.picture(x, c.last), factor=c.pair("size", 2), mode=mode), c.last)


def _sides(c: Context, key: str) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right) of a number, a pair, or a pair of pairs."""
    value = c.config.get(key)
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, list) for v in value):
        rows, columns = (pair_of(v, key) for v in value)
        return (*rows, *columns)
    high, wide = c.pair(key)
    return high, high, wide, wide


def zero_padding(c: Context, x: Value) -> Value:
    return Value(c.add("pad", c.picture(x, c.last), pads=_sides(c, "padding")), c.last)


def cropping(c: Context, x: Value) -> Value:
    given, sides = c.picture(x, c.last), _sides(c, "cropping")
    for axis in (1, 2):
        before, after = sides[2 * axis - 2 : 2 * axis]
        given = c.add("slice", given, axis=axis, begin=before, end=max(c.graph.shape(given)[axis] - after, 0))
    return Value(given, c.last)


def pooling(op: str) -> Callable[[Context, Value], Value]:
    """Return what adds a pooling; padded pixels do not count, as in TensorFlow."""

    def pooled(c: Context, x: Value) -> Value:
        given, size = c.picture(x, c.last), c.pair("pool_size", 2)
        stride = size if c.config.get("strides") is None else c.pair("strides")
        if min(*size, *stride) < 1:
            raise ModelError("its sizes are no whole numbers from 1 up")
        pads = same_pads(c.graph.shape(given)[1:], size, stride) if c.padding() == "same" else (0, 0, 0, 0)
        return Value(c.add(op, given, kernel=size, stride=stride, pads=pads), c.last)

    return pooled


def rescaling(c: Context, x: Value) -> Value:
    scale, offset = c.number("scale", default=1.0), c.number("offset", default=0.0)
    return Value(c.add("scale", x.name, factor=scale, offset=offset), x.last)


def concatenate(c: Context, *given: Value) -> Value:
    axes = len(c.shape(given[0]))
    axis = one_axis(c, axes)
    if all(x.last for x in given) and axis == 2:
        return Value(c.add("concat", *(x.name for x in given), axis=0), True)
    return Value(c.add("concat", *(c.plain(x) for x in given), axis=axis))


def merge(op: str, mean: bool = False) -> Callable[..., Value]:
    def merged(c: Context, *given: Value) -> Value:
        if len({len(c.shape(x)) for x in given}) != 1:
            raise ModelError(f"it merges {', '.join(str(c.shape(x)) for x in given)}")
        last = all(x.last for x in given)
        names = [x.name if last else c.plain(x) for x in given]
        made = names[0]
        for name in names[1:]:
            made = c.add(op, made, name)
        return Value(c.add("scale", made, factor=1 / len(names)) if mean else made, last)

    return merged
