"""The operations of ONNX as nodes of a graph: layers with weights, arithmetic, and the table of all."""

from __future__ import annotations

import math

import numpy as np
import torch

from facegan.errors import ModelError
from facegan.exchange import onnx_shapes as shapes
from facegan.exchange.onnx_call import Call, Known, Row, Value, window
from facegan.exchange.windows import conv_transpose

# --- layers with weights -----------------------------------------------------------------------------


def _linear(c: Call, weight: np.ndarray, bias: np.ndarray | None) -> Value:
    weights = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return c.add("linear", c.name(), weights=weights, out=len(weight), bias=bias is not None)


def _gemm(c: Call) -> Value:
    if c.attributes.get("transA"):
        raise ModelError("it transposes the batch")
    weight = c.known(1) * c.number("alpha", 1.0)
    weight = weight if c.attributes.get("transB") else weight.T
    bias = (
        np.broadcast_to(c.known(2).reshape(-1) * c.number("beta", 1.0), (len(weight),)) if c.has(2) else None
    )
    return _linear(c, weight, bias)


def _matmul(c: Call) -> Value:
    if isinstance(c.given[1], Known) and c.known(1).ndim == 2:
        return _linear(c, c.known(1).T, None)
    return c.add("matmul", c.name(0), c.name(1))


def _conv(c: Call) -> Value:
    weight = c.known(1)
    stride, dilation, pads = window(c, weight.shape[2:])
    if min(pads) < 0:
        raise ModelError("its pads are negative")
    weights = {"weight": weight, **({"bias": c.known(2)} if c.has(2) else {})}
    return c.add(
        "conv",
        c.name(),
        weights=weights,
        out=weight.shape[0],
        kernel=weight.shape[2:],
        stride=stride,
        dilation=dilation,
        groups=c.attributes.get("group", 1),
        bias=c.has(2),
        pads=pads,
    )


def _conv_transpose(c: Call) -> Value:
    weight = c.known(1)
    kernel = weight.shape[2:]
    auto, wanted = c.attributes.get("auto_pad", "NOTSET"), c.attributes.get("output_shape")
    bare = Call(c.graph, c.op, {**c.attributes, "auto_pad": "NOTSET"}, c.given, c.batch, c.opset)
    stride, dilation, pads = window(bare, kernel)
    more = c.attributes.get("output_padding", (0, 0))
    crops: list[int] = []
    for i in (0, 1):
        full = (c.shape()[1 + i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 + more[i]
        begin, end = pads[2 * i], pads[2 * i + 1]
        if wanted or auto.startswith("SAME"):
            total = max(full - (wanted[-2 + i] if wanted else c.shape()[1 + i] * stride[i]), 0)
            half = total // 2
            begin, end = (half, total - half) if auto == "SAME_UPPER" else (total - half, half)
        elif auto == "VALID":
            begin = end = 0
        crops += [begin, end - more[i]]
    bias = torch.from_numpy(np.array(c.known(2), np.float32)) if c.has(2) else None
    made = conv_transpose(
        c.graph,
        c.name(),
        torch.from_numpy(np.array(weight, np.float32)),
        bias=bias,
        stride=tuple(stride),
        crops=crops,
        dilation=tuple(dilation),
        groups=c.attributes.get("group", 1),
    )
    return Value(made)


def _batch_norm(c: Call) -> Value:
    names = ("weight", "bias", "running_mean", "running_var")
    weights = {name: c.known(i + 1) for i, name in enumerate(names)}
    return c.add("batch_norm", c.name(), weights=weights, eps=c.number("epsilon", 1e-5))


def _instance_norm(c: Call) -> Value:
    return c.add(
        "instance_norm",
        c.name(),
        weights={"weight": c.known(1), "bias": c.known(2)},
        eps=c.number("epsilon", 1e-5),
    )


def _layer_norm(c: Call) -> Value:
    axis = c.axis(c.attributes.get("axis", -1))
    axes = tuple(range(axis, len(c.shape())))
    centred = c.add("sub", c.name(), c.add("mean", c.name(), axes=axes).name)
    variance = c.add("mean", c.add("mul", centred.name, centred.name).name, axes=axes)
    root = c.add("sqrt", c.add("scale", variance.name, offset=c.number("epsilon", 1e-5)).name)
    made = c.add("mul", c.add("div", centred.name, root.name).name, c.name(1))
    return c.add("add", made.name, c.name(2)) if c.has(2) else made


def _prelu(c: Call) -> Value:
    below = c.add("relu", c.add("scale", c.name(), factor=-1.0).name)
    return c.add("sub", c.add("relu", c.name()).name, c.add("mul", below.name, c.name(1)).name)


# --- arithmetic --------------------------------------------------------------------------------------


def _activation(op: str, **attributes: tuple[str, float]) -> Row:
    """``attributes`` are those of the graph: the name and default that ONNX has."""
    return lambda c: c.add(op, c.name(), weights=None, **{k: c.number(*v) for k, v in attributes.items()})


def _scalar(c: Call, place: int) -> float | None:
    """Return an input that is one constant number."""
    one = c.given[place]
    if isinstance(one, Known) and one.array.size == 1 and one.array.ndim <= len(c.shape(1 - place)) + 1:
        return float(one.array.reshape(-1)[0])
    return None


def _arithmetic(op: str) -> Row:
    def run(c: Call) -> Value:
        left, right = _scalar(c, 0) if c.given[0].__class__ is Known else None, _scalar(c, 1)
        if right is not None and op in ("add", "sub"):
            return c.add("scale", c.name(), offset=right if op == "add" else -right)
        if right is not None and (op == "mul" or right):
            return c.add("scale", c.name(), factor=right if op == "mul" else 1 / right)
        if left is not None and op == "mul":
            return c.add("scale", c.name(1), factor=left)
        if left is not None and op in ("add", "sub"):
            return c.add("scale", c.name(1), factor=1.0 if op == "add" else -1.0, offset=left)
        return c.add(op, c.name(0), c.name(1))

    return run


def _bounds(c: Call) -> Value:
    """Max or Min with one number."""
    places = [i for i in range(len(c.given)) if isinstance(c.given[i], Known)]
    if len(c.given) != 2 or len(places) != 1 or (bound := _scalar(c, places[0])) is None:
        raise ModelError("it compares values, of which one must be a constant number")
    name, far = c.name(1 - places[0]), 3.0e38
    return c.add("clip", name, low=bound if c.op == "Max" else -far, high=far if c.op == "Max" else bound)


def _clip(c: Call) -> Value:
    low = float(c.known(1, "min")) if c.has(1) or "min" in c.attributes else -3.0e38
    high = float(c.known(2, "max")) if c.has(2) or "max" in c.attributes else 3.0e38
    return c.add("clip", c.name(), low=low, high=high)


def _pow(c: Call) -> Value:
    power = _scalar(c, 1)
    if power == 2:
        return c.add("mul", c.name(), c.name())
    if power == 0.5:
        return c.add("sqrt", c.name())
    raise ModelError("a power other than 2 and 1/2")


def _softmax(c: Call) -> Value:
    return c.add("softmax", c.name(), axis=c.axis(c.attributes.get("axis", -1 if c.opset > 12 else 1)))


def _reciprocal(c: Call) -> Value:
    return c.add("div", c.fixed(np.ones(1, np.float32)), c.name())


def _reduce(c: Call) -> Value:
    axes = c.axes(1) or tuple(range(len(c.shape())))
    if not c.axes(1) and not c.attributes.get("noop_with_empty_axes"):
        raise ModelError("it reduces the batch as well")
    name, count = c.name(), math.prod(c.shape()[axis] for axis in axes)
    if c.op == "ReduceL2":
        name = c.add("mul", name, name).name
    made = c.add("mean", name, axes=axes)
    if c.op != "ReduceMean":
        made = c.add("scale", made.name, factor=float(count))
    if c.op == "ReduceL2":
        made = c.add("sqrt", made.name)
    if c.attributes.get("keepdims", 1):
        return made
    return c.reshaped(made.name, tuple(n for i, n in enumerate(c.shape()) if i not in axes) or (1,))


def _where(c: Call) -> Value | Known:
    """Return one of both values: torch's lerp decides by a constant."""
    test = c.known(0)
    one = c.given[1 if test.size and test.reshape(-1)[0] else 2]
    if test.size != 1 or one is None:
        raise ModelError("it decides value by value")
    return one


def _same(c: Call) -> Value | Known:
    one = c.given[0]
    if not isinstance(one, Value):
        raise ModelError("its input is a constant")
    return one


OPS: dict[str, Row] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "PRelu": _prelu,
    "Relu": _activation("relu"),
    "LeakyRelu": _activation("leaky_relu", slope=("alpha", 0.01)),
    "Elu": _activation("elu", alpha=("alpha", 1.0)),
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Softplus": _activation("softplus"),
    "Exp": _activation("exp"),
    "Sqrt": _activation("sqrt"),
    "Neg": lambda c: c.add("scale", c.name(), factor=-1.0),
    "Gelu": lambda c: c.add("gelu", c.name(), approximate=c.attributes.get("approximate") == "tanh"),
    "Softmax": _softmax,
    "Add": _arithmetic("add"),
    "Sub": _arithmetic("sub"),
    "Mul": _arithmetic("mul"),
    "Div": _arithmetic("div"),
    "Max": _bounds,
    "Min": _bounds,
    "Clip": _clip,
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
    "ReduceL2": _reduce,
    "GlobalAveragePool": lambda c: c.add("mean", c.name(), axes=tuple(range(1, len(c.shape())))),
    "Shape": shapes.shape_of,
    "Reshape": shapes.reshape,
    "Flatten": shapes.flatten,
    "Squeeze": shapes.squeeze,
    "Unsqueeze": shapes.unsqueeze,
    "Transpose": shapes.transpose,
    "Concat": shapes.concat,
    "Slice": shapes.slice,
    "Split": shapes.split,
    "Gather": shapes.gather,
    "Expand": shapes.repeat,
    "Tile": shapes.repeat,
    "Resize": shapes.resize,
    "Upsample": shapes.resize,
    "Pad": shapes.pad,
    "DepthToSpace": shapes.depth_to_space,
    "AveragePool": shapes.pool,
    "MaxPool": shapes.pool,
    "Where": _where,
    "Identity": _same,
    "Dropout": _same,
    "Cast": _same,
}
"""Operation of ONNX -> what adds it to the graph."""
