"""Operations of ONNX that move, cut and repeat, and those that see windows of pictures."""

from __future__ import annotations

import builtins
import math

import numpy as np

from facegan.errors import ModelError
from facegan.exchange.onnx_call import Call, Known, Value, window
from facegan.exchange.onnx_fold import whole_numbers

# --- shapes ------------------------------------------------------------------------------------------


def shape_of(c: Call) -> Known:
    whole = np.array([c.batch, *c.shape()], np.int64)
    return Known(whole[c.attributes.get("start", 0) : c.attributes.get("end", len(whole))])


def reshape(c: Call) -> Value:
    target, shape = list(whole_numbers(c.known(1, "shape"))), c.shape()
    for i, n in enumerate(target):
        if n == 0 and not c.attributes.get("allowzero"):
            target[i] = c.batch if i == 0 else shape[i - 1]
    count, rest = math.prod(shape), target[1:]
    if not target or any(n < -1 or n == 0 for n in target) or target.count(-1) > 1:
        raise ModelError(f"{shape} cannot become {target}")
    if -1 in rest:
        known = math.prod(n for n in rest if n > 0)
        if count % known:
            raise ModelError(f"{shape} cannot become {target}")
        rest = [count // known if n == -1 else n for n in rest]
    if target[0] not in (-1, c.batch) or math.prod(rest) != count:
        raise ModelError(f"{shape} of each picture would become {target}, which mixes pictures of a batch")
    if (one := c.given[0]) and isinstance(one, Value) and one.rank:
        return Value(one.name, rank=len(target))
    return c.reshaped(c.name(), tuple(rest))


def flatten(c: Call) -> Value:
    if c.attributes.get("axis", 1) != 1:
        raise ModelError("it does not flatten behind the batch")
    return c.reshaped(c.name(), (math.prod(c.shape()),))


def squeeze(c: Call) -> Value:
    one = c.given[0]
    if isinstance(one, Value) and one.rank:
        return Value(one.name, rank=one.rank - 1)
    axes = c.axes(1) or tuple(i for i, n in enumerate(c.shape()) if n == 1)
    return c.reshaped(c.name(), tuple(n for i, n in enumerate(c.shape()) if i not in axes))


def unsqueeze(c: Call) -> Value:
    one = c.given[0]
    axes = whole_numbers(c.known(1, "axes"))
    if isinstance(one, Value) and one.rank:
        return Value(one.name, rank=one.rank + len(axes))
    whole = len(c.shape()) + 1 + len(axes)
    places = sorted(n + whole if n < 0 else n for n in axes)
    if not all(1 <= n < whole for n in places):
        raise ModelError("it puts an axis before the batch")
    shape = list(c.shape())
    for place in places:
        shape.insert(place - 1, 1)
    return c.reshaped(c.name(), tuple(shape))


def transpose(c: Call) -> Value:
    order = c.attributes.get("perm", tuple(reversed(range(len(c.shape()) + 1))))
    if order[0] != 0:
        raise ModelError("it moves the batch")
    return c.add("permute", c.name(), order=tuple(n - 1 for n in order[1:]))


def concat(c: Call) -> Value:
    first = next(i for i, one in enumerate(c.given) if isinstance(one, Value))
    axis = c.axis(c.attributes["axis"], first)
    return c.add("concat", *(c.name(i) for i in range(len(c.given))), axis=axis)


def slice(c: Call) -> Value:
    begins, ends = whole_numbers(c.known(1, "starts")), whole_numbers(c.known(2, "ends"))
    old = "starts" in c.attributes
    given = c.attributes.get("axes") if old else whole_numbers(c.known(3)) if c.has(3) else None
    steps = whole_numbers(c.known(4)) if c.has(4) else (1,) * len(begins)
    name = c.name()
    for axis, begin, end, step in zip(given or range(len(begins)), begins, ends, steps, strict=True):
        if axis == 0 and begin == 0 and end >= c.batch:
            continue
        place = c.axis(axis)
        size = c.graph.shape(name)[place]
        begin, end, step = builtins.slice(begin, end, step).indices(size)
        if step < 1:
            raise ModelError("it runs backwards")
        name = c.add("slice", name, axis=place, begin=begin, end=max(end, 0), step=step).name
    return Value(name)


def split(c: Call) -> list[Value | Known]:
    axis = c.axis(c.attributes.get("axis", 0))
    size = c.shape()[axis]
    if c.has(1) or "split" in c.attributes:
        parts = whole_numbers(c.known(1, "split"))
    else:
        count = int(c.attributes.get("num_outputs", 2))
        parts = (-(-size // max(count, 1)),) * count
    found: list[Value | Known] = []
    begin = 0
    for part in parts[:64]:
        found.append(c.add("slice", c.name(), axis=axis, begin=begin, end=min(begin + part, size)))
        begin += part
    return found


def gather(c: Call) -> Value | Known:
    table, index = c.given
    if isinstance(table, Known) and isinstance(index, Value):
        if index.name != c.graph.labels or c.attributes.get("axis", 0) or table.array.ndim != 2:
            raise ModelError("it looks up by something else than the labels")
        made = c.add(
            "linear", index.name, weights={"weight": table.array.T}, out=table.array.shape[1], bias=False
        )
        return made if index.rank < 2 else c.reshaped(made.name, (1, table.array.shape[1]))
    places, axis = c.known(1), c.axis(c.attributes.get("axis", 0))
    size = c.shape()[axis]
    wanted = [n + size if n < 0 else n for n in whole_numbers(places)]
    begin, end = (wanted[0], wanted[-1] + 1) if wanted else (0, 0)
    if places.ndim > 1 or wanted != list(range(begin, end)):
        raise ModelError("it takes places that are no range")
    made = c.add("slice", c.name(), axis=axis, begin=begin, end=end)
    if places.ndim:
        return made
    return c.reshaped(made.name, c.shape()[:axis] + c.shape()[axis + 1 :])


def repeat(c: Call) -> Value:
    """Expand, or Tile: what is there becomes larger along some axes."""
    wanted, shape = whole_numbers(c.known(1)), c.shape()
    if c.op == "Tile":
        if len(wanted) != len(shape) + 1 or wanted[0] != 1:
            raise ModelError("it repeats the batch")
        name = c.name()
        for axis, count in enumerate(wanted[1:]):
            name = c.add("concat", *[name] * count, axis=axis).name if count != 1 else name
        return Value(name)
    rest = wanted[1:] if len(wanted) == len(shape) + 1 else wanted
    if len(wanted) > len(shape) + 1 or (len(wanted) == len(shape) + 1 and wanted[0] not in (1, -1, c.batch)):
        raise ModelError(f"{shape} of each picture would become {wanted}")
    rest = (1,) * (len(shape) - len(rest)) + tuple(rest)
    if all(n in (1, -1, have) for n, have in zip(rest, shape, strict=True)):
        return Value(c.name())
    name = c.name()
    for axis, (count, have) in enumerate(zip(rest, shape, strict=True)):
        if have == 1 and count > 1:
            name = c.add(
                "mul", name, c.fixed(np.ones((count,) + (1,) * (len(shape) - axis - 1), np.float32))
            ).name
    return Value(name)


# --- pictures ----------------------------------------------------------------------------------------


def resize(c: Call) -> Value:
    old = c.op == "Upsample"
    shape = (c.batch, *c.shape())
    scales_at, sizes_at = (1, 9) if old or c.opset < 11 else (2, 3)
    if c.has(sizes_at) and c.known(sizes_at).size:
        scales = [size / have for size, have in zip(whole_numbers(c.known(sizes_at)), shape, strict=True)]
        scales = [1.0, *scales[1:]]
    else:
        scales = [float(n) for n in c.known(scales_at, "scales").reshape(-1)]
    axes = c.attributes.get("axes")
    if axes:
        scales = [dict(zip(axes, scales, strict=True)).get(i, 1.0) for i in range(len(shape))]
    if len(scales) != 4 or scales[0] != 1 or any(n != int(n) or n < 1 for n in scales):
        raise ModelError(f"it changes the size by {scales}; whole factors are known")
    mode = c.attributes.get("mode", "nearest")
    places = c.attributes.get(
        "coordinate_transformation_mode", "asymmetric" if old or c.opset < 11 else "half_pixel"
    )
    # What tf2onnx writes of channels-last pictures may enlarge other axes than the last two.
    if scales[1] != 1:
        raise ModelError("it enlarges the channels; --inputs-as-nchw of tf2onnx moves them")
    factor = (int(scales[2]), int(scales[3]))
    if mode == "nearest":
        rounding = c.attributes.get("nearest_mode", "floor" if old or c.opset < 11 else "round_prefer_floor")
        if not all(
            _repeats(n, f, places, rounding=rounding) for n, f in zip(c.shape()[1:], factor, strict=True)
        ):
            raise ModelError(
                f"it takes the nearest pixel by {places} and {rounding}, which shifts the picture"
            )
        return c.add("upsample", c.name(), factor=factor)
    if mode == "linear" and places in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return c.add(
            "upsample", c.name(), factor=factor, mode="bilinear", align_corners=places == "align_corners"
        )
    raise ModelError(f"the mode {mode} with {places} is unknown")


def _repeats(size: int, factor: int, places: str, *, rounding: str) -> bool:
    """Return whether the nearest pixels are each pixel ``factor`` times."""
    i = np.arange(size * factor, dtype=np.float64)
    x = {
        "asymmetric": i / factor,
        "half_pixel": (i + 0.5) / factor - 0.5,
        "pytorch_half_pixel": (i + 0.5) / factor - 0.5 if size * factor > 1 else i * 0,
        "tf_half_pixel_for_nn": (i + 0.5) / factor,
        "align_corners": i * (size - 1) / max(size * factor - 1, 1),
    }.get(places)
    if x is None:
        return False
    rounded = {
        "floor": np.floor(x),
        "ceil": np.ceil(x),
        "round_prefer_floor": np.ceil(x - 0.5),
        "round_prefer_ceil": np.floor(x + 0.5),
    }.get(rounding)
    return rounded is not None and bool((np.clip(rounded, 0, size - 1) == i // factor).all())


def pad(c: Call) -> Value:
    pads = list(whole_numbers(c.known(1, "pads")))
    axes = (
        [int(n) % (len(c.shape()) + 1) for n in whole_numbers(c.known(3))]
        if c.has(3)
        else range(len(pads) // 2)
    )
    half = len(pads) // 2
    sides = {axis: (pads[i], pads[i + half]) for i, axis in enumerate(axes)}
    if any(any(v) for axis, v in sides.items() if axis not in (2, 3)) or min(pads, default=0) < 0:
        raise ModelError("it pads something else than height and width")
    value = float(c.known(2, "value").reshape(-1)[0]) if c.has(2) or "value" in c.attributes else 0.0
    quad = (*sides.get(2, (0, 0)), *sides.get(3, (0, 0)))
    return c.add("pad", c.name(), pads=quad, mode=c.attributes.get("mode", "constant"), value=value)


def depth_to_space(c: Call) -> Value:
    mode = str(c.attributes.get("mode", "DCR")).lower()
    return c.add("depth_to_space", c.name(), block=c.attributes["blocksize"], mode=mode)


def pool(c: Call) -> Value:
    kernel = c.attributes["kernel_shape"]
    stride, _, pads = window(c, kernel)
    if c.attributes.get("ceil_mode") or set(c.attributes.get("dilations", ())) - {1}:
        raise ModelError("ceil_mode and dilations are unknown")
    if c.op == "MaxPool":
        return c.add("max_pool", c.name(), kernel=kernel, stride=stride, pads=pads)
    counted = bool(c.attributes.get("count_include_pad", 0))
    return c.add("average_pool", c.name(), kernel=kernel, stride=stride, pads=pads, count_pads=counted)
