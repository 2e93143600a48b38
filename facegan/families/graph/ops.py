"""The operations of graphs: attributes, shapes and weights of each, checked before anything is allocated.

Shapes are without the batch: ``(features,)`` or ``(C, H, W)``, and axes count from 0 for the first after it.
Pictures are channels-first. Numbers in pairs are (height, width); ``pads`` and ``crops`` are (top, bottom,
left, right), so that TensorFlow's "same" can be written as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from facegan.errors import ConfigError
from facegan.families.graph.attributes import MAX_AXES, PAIR, QUAD, integer, integers, number, switch, word
from facegan.families.graph.config import Node

Shape = tuple[int, ...]
Attributes = dict[str, Any]

MAX_NODES = 4096
MAX_NUMBERS = 2**26  # of one node's output for one picture
MAX_ALL_NUMBERS = 2**30  # of all nodes' outputs
MAX_WEIGHTS = 2**32  # numbers of all weights


class Op(NamedTuple):
    """A row of OPS.

    Attributes:
        shape: (shapes of the inputs, attributes) to the output's shape; ValueError for what does not fit.
        attributes: name -> (kind, default); REQUIRED has none. A kind makes the value of what JSON holds.
        weights: (shapes, attributes) to name -> shape, as the node's module has them.
        inputs: how many there may be, from and to.
    """

    shape: Callable[[list[Shape], Attributes], Shape]
    attributes: Mapping[str, tuple[Callable[[Any], Any], Any]] = {}
    weights: Callable[[list[Shape], Attributes], dict[str, Shape]] = lambda shapes, a: {}
    inputs: tuple[int, int] = (1, 1)


REQUIRED = object()

# --- shapes ----------------------------------------------------------------------------------------------


def _picture(shapes: list[Shape]) -> tuple[int, int, int]:
    if len(shapes[0]) != 3:
        raise ValueError(f"needs (C, H, W), not {shapes[0]}")
    c, h, w = shapes[0]
    return c, h, w


def _same(shapes: list[Shape], a: Attributes) -> Shape:
    return shapes[0]


def _conv(shapes: list[Shape], a: Attributes) -> Shape:
    c, *size = _picture(shapes)
    if c % a["groups"] or a["out"] % a["groups"]:
        raise ValueError(f"{a['groups']} groups do not divide the channels")
    return (a["out"], *_windows(size, a, a["dilation"]))


def _windows(size: Sequence[int], a: Attributes, dilation: Shape = (1, 1)) -> Shape:
    """Return how many windows fit into height and width."""
    pads = a["pads"]
    sides = zip(size, a["kernel"], a["stride"], dilation, (pads[:2], pads[2:]), strict=True)
    return tuple((n + sum(pad) - d * (k - 1) - 1) // s + 1 for n, k, s, d, pad in sides)


def _conv_weights(shapes: list[Shape], a: Attributes) -> dict[str, Shape]:
    weight = (a["out"], shapes[0][0] // a["groups"], *a["kernel"])
    return {"weight": weight, "bias": (a["out"],)} if a["bias"] else {"weight": weight}


def _conv_transpose(shapes: list[Shape], a: Attributes) -> Shape:
    c, *size = _picture(shapes)
    if c % a["groups"] or a["out"] % a["groups"]:
        raise ValueError(f"{a['groups']} groups do not divide the channels")
    crops = a["crops"]
    sides = zip(size, a["kernel"], a["stride"], a["dilation"], (crops[:2], crops[2:]), strict=True)
    return (a["out"], *((n - 1) * s + d * (k - 1) + 1 - sum(crop) for n, k, s, d, crop in sides))


def _conv_transpose_weights(shapes: list[Shape], a: Attributes) -> dict[str, Shape]:
    weight = (shapes[0][0], a["out"] // a["groups"], *a["kernel"])
    return {"weight": weight, "bias": (a["out"],)} if a["bias"] else {"weight": weight}


def _linear(shapes: list[Shape], a: Attributes) -> Shape:
    return (*shapes[0][:-1], a["out"])


def _linear_weights(shapes: list[Shape], a: Attributes) -> dict[str, Shape]:
    weight = (a["out"], shapes[0][-1])
    return {"weight": weight, "bias": (a["out"],)} if a["bias"] else {"weight": weight}


def _affine(shapes: list[Shape], a: Attributes) -> dict[str, Shape]:
    c = (shapes[0][0],)
    return {"weight": c, "bias": c}


def _batch_norm_weights(shapes: list[Shape], a: Attributes) -> dict[str, Shape]:
    c = (shapes[0][0],)
    return {"weight": c, "bias": c, "running_mean": c, "running_var": c}


def _reshape(shapes: list[Shape], a: Attributes) -> Shape:
    if math.prod(a["shape"]) != math.prod(shapes[0]):
        raise ValueError(f"{shapes[0]} cannot become {a['shape']}")
    return tuple(a["shape"])


def _permute(shapes: list[Shape], a: Attributes) -> Shape:
    if sorted(a["order"]) != list(range(len(shapes[0]))):
        raise ValueError(f"the order {a['order']} does not fit {shapes[0]}")
    return tuple(shapes[0][axis] for axis in a["order"])


def _upsample(shapes: list[Shape], a: Attributes) -> Shape:
    c, h, w = _picture(shapes)
    return c, h * a["factor"][0], w * a["factor"][1]


def _depth_to_space(shapes: list[Shape], a: Attributes) -> Shape:
    c, h, w = _picture(shapes)
    block = a["block"]
    if c % block**2:
        raise ValueError(f"{c} channels cannot become blocks of {block}x{block}")
    return c // block**2, h * block, w * block


def _concat(shapes: list[Shape], a: Attributes) -> Shape:
    axis = _axis(shapes[0], a)
    rests = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(rests) != 1:
        raise ValueError(f"{', '.join(map(str, shapes))} do not fit beside each other")
    return (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])


def _axis(shape: Shape, a: Attributes) -> int:
    if a["axis"] >= len(shape):
        raise ValueError(f"{shape} has no axis {a['axis']}")
    return int(a["axis"])


def _broadcast(shapes: list[Shape], a: Attributes) -> Shape:
    axes = max(map(len, shapes))
    sizes = [(1,) * (axes - len(shape)) + shape for shape in shapes]
    found = tuple(max(size) for size in zip(*sizes, strict=True))
    if any(size not in (1, most) for shape in sizes for size, most in zip(shape, found, strict=True)):
        raise ValueError(f"{', '.join(map(str, shapes))} do not fit each other")
    return found


def _matmul(shapes: list[Shape], a: Attributes) -> Shape:
    left, right = shapes
    if len(left) != len(right) or len(left) < 2 or left[:-2] != right[:-2] or left[-1] != right[-2]:
        raise ValueError(f"{left} and {right} cannot be multiplied")
    return (*left[:-1], right[-1])


def _slice(shapes: list[Shape], a: Attributes) -> Shape:
    axis = _axis(shapes[0], a)
    count = len(range(a["begin"], min(a["end"], shapes[0][axis]), a["step"]))
    return (*shapes[0][:axis], count, *shapes[0][axis + 1 :])


def _mean(shapes: list[Shape], a: Attributes) -> Shape:
    if any(axis >= len(shapes[0]) for axis in a["axes"]) or not a["axes"]:
        raise ValueError(f"{shapes[0]} has no axes {a['axes']}")
    return tuple(1 if axis in a["axes"] else n for axis, n in enumerate(shapes[0]))


def _softmax(shapes: list[Shape], a: Attributes) -> Shape:
    _axis(shapes[0], a)
    return shapes[0]


def _pool(shapes: list[Shape], a: Attributes) -> Shape:
    c, *size = _picture(shapes)
    high, wide = a["kernel"]
    if max(a["pads"][:2]) >= high or max(a["pads"][2:]) >= wide:
        raise ValueError("pads are as large as the kernel")
    return (c, *_windows(size, a))


def _pad(shapes: list[Shape], a: Attributes) -> Shape:
    c, h, w = _picture(shapes)
    top, bottom, left, right = a["pads"]
    most = {"reflect": (h - 1, w - 1), "edge": (h * 1024, w * 1024)}.get(a["mode"], (1 << 20,) * 2)
    if max(top, bottom) > most[0] or max(left, right) > most[1]:
        raise ValueError(f"{a['pads']} is more than {h}x{w} px can be padded with")
    return c, h + top + bottom, w + left + right


_CONV = {
    "out": (integer(1), REQUIRED),
    "kernel": (PAIR, REQUIRED),
    "stride": (PAIR, (1, 1)),
    "dilation": (PAIR, (1, 1)),
    "groups": (integer(1), 1),
    "bias": (switch, True),
}
_WINDOW = {"kernel": (PAIR, REQUIRED), "stride": (PAIR, REQUIRED), "pads": (QUAD, (0, 0, 0, 0))}
_TWO = (2, 2)

OPS: dict[str, Op] = {
    "conv": Op(_conv, {**_CONV, "pads": (QUAD, (0, 0, 0, 0))}, _conv_weights),
    "conv_transpose": Op(_conv_transpose, {**_CONV, "crops": (QUAD, (0, 0, 0, 0))}, _conv_transpose_weights),
    "linear": Op(_linear, {"out": (integer(1), REQUIRED), "bias": (switch, True)}, _linear_weights),
    "batch_norm": Op(_same, {"eps": (number, 1e-5)}, _batch_norm_weights),
    "instance_norm": Op(lambda shapes, a: _picture(shapes), {"eps": (number, 1e-5)}, _affine),
    "relu": Op(_same),
    "leaky_relu": Op(_same, {"slope": (number, REQUIRED)}),
    "prelu": Op(_same, {}, lambda shapes, a: {"weight": (shapes[0][0],)}),
    "elu": Op(_same, {"alpha": (number, 1.0)}),
    "selu": Op(_same),
    "sigmoid": Op(_same),
    "tanh": Op(_same),
    "softplus": Op(_same),
    "swish": Op(_same),
    "gelu": Op(_same, {"approximate": (switch, False)}),
    "softmax": Op(_softmax, {"axis": (integer(0), REQUIRED)}),
    "clip": Op(_same, {"low": (number, REQUIRED), "high": (number, REQUIRED)}),
    "scale": Op(_same, {"factor": (number, 1.0), "offset": (number, 0.0)}),
    "sqrt": Op(_same),
    "exp": Op(_same),
    "reshape": Op(_reshape, {"shape": (integers(0, 1), REQUIRED)}),
    "flatten": Op(lambda shapes, a: (math.prod(shapes[0]),)),
    "permute": Op(_permute, {"order": (integers(0, 0), REQUIRED)}),
    "upsample": Op(
        _upsample,
        {
            "factor": (PAIR, REQUIRED),
            "mode": (word("nearest", "bilinear"), "nearest"),
            "align_corners": (switch, False),
        },
    ),
    "depth_to_space": Op(
        _depth_to_space, {"block": (integer(1, 64), REQUIRED), "mode": (word("crd", "dcr"), "crd")}
    ),
    "average_pool": Op(_pool, {**_WINDOW, "count_pads": (switch, False)}),
    "max_pool": Op(_pool, _WINDOW),
    "mean": Op(_mean, {"axes": (integers(0, 0), REQUIRED)}),
    "pad": Op(
        _pad,
        {
            "pads": (QUAD, REQUIRED),
            "mode": (word("constant", "reflect", "edge"), "constant"),
            "value": (number, 0.0),
        },
    ),
    "slice": Op(
        _slice,
        {
            "axis": (integer(0), REQUIRED),
            "begin": (integer(0, 1 << 40), 0),
            "end": (integer(0, 1 << 40), 1 << 40),
            "step": (integer(1), 1),
        },
    ),
    "concat": Op(_concat, {"axis": (integer(0), 0)}, inputs=(1, 64)),
    "constant": Op(
        lambda shapes, a: a["shape"],
        {"shape": (integers(0, 1), REQUIRED)},
        lambda shapes, a: {"value": a["shape"]},
        inputs=(0, 0),
    ),
    "add": Op(_broadcast, inputs=_TWO),
    "sub": Op(_broadcast, inputs=_TWO),
    "mul": Op(_broadcast, inputs=_TWO),
    "div": Op(_broadcast, inputs=_TWO),
    "matmul": Op(_matmul, inputs=_TWO),
}
"""Operations by name.

``conv`` and ``conv_transpose`` have PyTorch's weights ((out, in / groups, h, w) and (in, out / groups, h,
w)), ``linear`` (out, in), on the last axis. ``crops`` is what is cut off the full result of a transposed
convolution. ``batch_norm`` always has weight, bias and statistics: ones and zeros where there were none.
``depth_to_space`` is PixelShuffle with ``crd``, TensorFlow's with ``dcr``. ``scale`` is factor x + offset.
``mean`` keeps its axes as 1. ``constant`` is the same for all pictures. Of ``add``, ``sub``, ``mul`` and
``div``, shapes are aligned at their ends, and sizes of 1 are repeated.
"""


class Step(NamedTuple):
    """A checked node: all attributes, and the shapes of its inputs, output and weights."""

    node: Node
    attributes: Attributes
    inputs: list[Shape]
    shape: Shape
    weights: dict[str, Shape]


def _checked_attributes(op: Op, node: Node) -> Attributes:
    if more := set(node.attributes) - set(op.attributes):
        raise ValueError(f"has no attribute '{min(more)}'")
    found: Attributes = {}
    for name, (kind, default) in op.attributes.items():
        if (value := node.attributes.get(name, default)) is REQUIRED:
            raise ValueError(f"needs the attribute '{name}'")
        try:
            found[name] = kind(value)
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None
    return found


def check_node(node: Node, shapes: Mapping[str, Shape]) -> Step:
    """Return the node with its attributes and shapes.

    Args:
        node: the node.
        shapes: of all earlier outputs by name, and of ``z`` and ``labels``.

    Raises:
        ConfigError: an operation, a name, an attribute or a shape cannot be; the line names the node.
    """
    op = OPS.get(node.op) if isinstance(node.op, str) else None
    if op is None:
        raise ConfigError(f"node {node.name}: the operation '{node.op}' is unknown (known: {', '.join(OPS)})")
    if not re.fullmatch(r"(?=.*\d)[A-Za-z0-9_]{1,200}", str(node.name)) or node.name in shapes:
        raise ConfigError(f"node {node.name}: a name has letters, digits and underscores, and is used once")
    try:
        if not op.inputs[0] <= len(node.inputs) <= op.inputs[1]:
            raise ValueError(f"takes {op.inputs[0]} to {op.inputs[1]} inputs, not {len(node.inputs)}")
        if unknown := [name for name in node.inputs if name not in shapes]:
            raise ValueError(f"its input '{unknown[0]}' has not been made")
        attributes = _checked_attributes(op, node)
        given = [shapes[name] for name in node.inputs]
        shape = op.shape(given, attributes)
        if not all(size >= 1 for size in shape) or math.prod(shape) > MAX_NUMBERS or len(shape) > MAX_AXES:
            raise ValueError(f"its output would have the shape {shape}")
        return Step(node, attributes, given, shape, op.weights(given, attributes))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"node {node.name} ({node.op}): {error}") from None


def check_graph(nodes: Sequence[Node], z_dim: int, label_dim: int) -> list[Step]:
    """Return all nodes, checked; ConfigError names the first that cannot be."""
    if not nodes or len(nodes) > MAX_NODES:
        raise ConfigError(f"a graph of {len(nodes)} nodes; it has 1 to {MAX_NODES}")
    shapes: dict[str, Shape] = {"z": (z_dim,), **({"labels": (label_dim,)} if label_dim else {})}
    steps, weights, numbers = [], 0, 0
    for node in nodes:
        step = check_node(node, shapes)
        shapes[node.name] = step.shape
        weights += sum(math.prod(shape) for shape in step.weights.values())
        if weights > MAX_WEIGHTS:
            raise ConfigError(f"node {node.name}: the graph has more than {MAX_WEIGHTS:,} weights")
        numbers += math.prod(step.shape)
        if numbers > MAX_ALL_NUMBERS:
            raise ConfigError(f"node {node.name}: a picture takes more than {MAX_ALL_NUMBERS:,} numbers")
        steps.append(step)
    return steps
