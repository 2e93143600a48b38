"""The layers of Keras as nodes of a graph: each row of LAYERS takes values and gives one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from facegan.errors import ModelError
from facegan.exchange import keras_shapes as shapes
from facegan.exchange.keras_config import Layer
from facegan.exchange.keras_context import Context, Value, one_axis
from facegan.exchange.windows import conv_transpose, same_pads

if TYPE_CHECKING:
    from torch import Tensor


def _with(bias: Tensor | None, weight: Tensor) -> dict[str, Tensor]:
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


# --- layers with weights -----------------------------------------------------------------------------


def _dense(c: Context, x: Value) -> Value:
    given, out = c.plain(x), c.whole("units")
    kernel, bias = c.weights("kernel", c.shape(x)[-1], out, out=out)
    made = c.add("linear", given, weights=_with(bias, kernel.T), out=out, bias=bias is not None)
    return activate(c, Value(made), c.config.get("activation"))


def _conv(c: Context, x: Value) -> Value:
    given, out, groups = c.picture(x, c.last), c.whole("filters"), c.whole("groups", 1)
    channels = c.graph.shape(given)[0]
    if not groups or channels % groups:
        raise ModelError(f"{groups} groups do not divide {channels} channels")
    size = c.pair("kernel_size")
    kernel, bias = c.weights("kernel", *size, channels // groups, out, out=out)
    made = _convolved(c, given, kernel.permute(3, 2, 0, 1), bias=bias, groups=groups)
    return activate(c, Value(made, c.last), c.config.get("activation"))


def _depthwise(c: Context, x: Value) -> Value:
    given, times = c.picture(x, c.last), c.whole("depth_multiplier", 1)
    channels, size = c.graph.shape(given)[0], c.pair("kernel_size")
    out = channels * times
    kernel, bias = c.weights("depthwise_kernel", *size, channels, times, out=out)
    weight = kernel.permute(2, 3, 0, 1).reshape(out, 1, *size)
    made = _convolved(c, given, weight, bias=bias, groups=channels)
    return activate(c, Value(made, c.last), c.config.get("activation"))


def _convolved(c: Context, given: str, weight: Tensor, *, bias: Tensor | None, groups: int) -> str:
    size, stride, dilation = tuple(weight.shape[2:]), c.pair("strides", 1), c.pair("dilation_rate", 1)
    if min(*stride, *dilation) < 1:
        raise ModelError("its strides are no whole numbers from 1 up")
    pads = (0, 0, 0, 0)
    if c.padding() == "same":
        pads = same_pads(c.graph.shape(given)[1:], size, stride, dilation=dilation)
    return c.add(
        "conv",
        given,
        weights=_with(bias, weight),
        out=weight.shape[0],
        kernel=size,
        stride=stride,
        dilation=dilation,
        groups=groups,
        bias=bias is not None,
        pads=pads,
    )


def _conv_transpose(c: Context, x: Value) -> Value:
    given, out, size, stride = (
        c.picture(x, c.last),
        c.whole("filters"),
        c.pair("kernel_size"),
        c.pair("strides", 1),
    )
    channels, *before = c.graph.shape(given)
    dilation = c.pair("dilation_rate", 1)
    kernel, bias = c.weights("kernel", *size, out, channels, out=out)
    same = c.padding() == "same"
    more = None if c.config.get("output_padding") is None else c.pair("output_padding")
    crops: list[int] = []
    for axis in (0, 1):
        n, s, k = before[axis], stride[axis], (size[axis] - 1) * dilation[axis] + 1
        full = (n - 1) * s + k
        if more is None:
            wanted = n * s if same else n * s + max(k - s, 0)
        else:
            wanted = full - (2 * (k // 2) if same else 0) + more[axis]
        cut = full - wanted
        begin = max(cut, 0) // 2 if same else 0
        crops += [begin, cut - begin]
    made = conv_transpose(
        c.graph,
        given,
        kernel.permute(3, 2, 0, 1),
        bias=bias,
        stride=stride,
        crops=tuple(crops),
        dilation=dilation,
    )
    return activate(c, Value(made, c.last), c.config.get("activation"))


def _batch_norm(c: Context, x: Value) -> Value:
    import torch

    axes = len(c.shape(x))
    axis = one_axis(c, axes)
    if axes == 3:
        last = axis == 2
        given = Value(c.picture(x, last), last)
        if axis == 1:
            raise ModelError("it normalises along the second axis of a picture")
    elif axes == 1:
        given = x
    else:
        raise ModelError(f"it normalises {c.shape(x)}")
    count = c.graph.shape(given.name)[0]
    has = {"gamma": c.on("scale"), "beta": c.on("center"), "moving_mean": True, "moving_variance": True}
    order = tuple(role for role, there in has.items() if there)
    found = {role: c.tensor(role, order, count) for role in order}
    weights = {
        "weight": found.get("gamma", torch.ones(count)),
        "bias": found.get("beta", torch.zeros(count)),
        "running_mean": found["moving_mean"],
        "running_var": found["moving_variance"],
    }
    return Value(
        c.add("batch_norm", given.name, weights=weights, eps=c.number("epsilon", default=1e-3)), given.last
    )


def _layer_norm(c: Context, x: Value) -> Value:
    if c.config.get("rms_scaling"):
        raise ModelError("its rms_scaling is unknown here")
    given, shape = c.plain(x), c.shape(x)
    axis = one_axis(c, len(shape))
    centred = c.add("sub", given, c.add("mean", given, axes=(axis,)))
    variance = c.add("mean", c.add("mul", centred, centred), axes=(axis,))
    eps = c.number("epsilon", default=1e-3)
    made = c.add("div", centred, c.add("sqrt", c.add("scale", variance, offset=eps)))
    order = tuple(r for r, key in (("gamma", "scale"), ("beta", "center")) if c.on(key))
    along = (1,) * axis + (shape[axis],) + (1,) * (len(shape) - axis - 1)
    for role in order:
        values = c.tensor(role, order, shape[axis]).reshape(along)
        made = c.add("mul" if role == "gamma" else "add", made, c.constant(values))
    return Value(made)


def _rms_norm(c: Context, x: Value) -> Value:
    given, shape = c.plain(x), c.shape(x)
    axis = one_axis(c, len(shape))
    power = c.add("mean", c.add("mul", given, given), axes=(axis,))
    root = c.add("sqrt", c.add("scale", power, offset=c.number("epsilon", default=1e-6)))
    along = (1,) * axis + (shape[axis],) + (1,) * (len(shape) - axis - 1)
    scale = c.tensor("scale", ("scale",), shape[axis]).reshape(along)
    return Value(c.add("mul", c.add("div", given, root), c.constant(scale)))


def _prelu(c: Context, x: Value) -> Value:
    shared = c.config.get("shared_axes") or []
    shape = c.shape(x)
    if not isinstance(shared, list):
        raise ModelError("its shared_axes are no list")
    alpha = c.tensor("alpha", ("alpha",), *(1 if i + 1 in shared else n for i, n in enumerate(shape)))
    if x.last:
        alpha = alpha.permute(2, 0, 1)
    below = c.add("relu", c.add("scale", x.name, factor=-1.0))
    return Value(c.add("sub", c.add("relu", x.name), c.add("mul", below, c.constant(alpha))), x.last)


def _embedding(c: Context, x: Value) -> Value:
    if x.name != c.graph.labels:
        raise ModelError("it embeds something else than the labels")
    count, width = c.whole("input_dim"), c.whole("output_dim")
    table = c.tensor("embeddings", ("embeddings",), count, width)
    made = c.add("linear", x.name, weights={"weight": table.T}, out=width, bias=False)
    return Value(c.add("reshape", made, shape=(1, width)) if c.label_shape == (1,) else made)


# --- layers without weights --------------------------------------------------------------------------


def _elementwise(op: str, **attributes: Any) -> Callable[[Context, Value], Value]:
    return lambda c, x: Value(c.add(op, x.name, **attributes), x.last)


def _leaky(c: Context, x: Value) -> Value:
    return Value(c.add("leaky_relu", x.name, slope=c.number("negative_slope", "alpha", default=0.3)), x.last)


def _relu(c: Context, x: Value) -> Value:
    slope, threshold = c.number("negative_slope", default=0.0), c.number("threshold", default=0.0)
    if threshold or (slope and c.config.get("max_value") is not None):
        raise ModelError("its threshold, or both a slope and a greatest value, are unknown here")
    if c.config.get("max_value") is not None:
        return Value(c.add("clip", x.name, low=0.0, high=c.number("max_value", default=0.0)), x.last)
    return Value(c.add("leaky_relu", x.name, slope=slope) if slope else c.add("relu", x.name), x.last)


def _softmax(c: Context, x: Value) -> Value:
    return Value(c.add("softmax", c.plain(x), axis=one_axis(c, len(c.shape(x)))))


ACTIVATIONS: dict[str, Callable[[Context, Value], Value]] = {
    "linear": lambda c, x: x,
    "relu": _elementwise("relu"),
    "relu6": _elementwise("clip", low=0.0, high=6.0),
    "leaky_relu": _elementwise("leaky_relu", slope=0.2),
    "tanh": _elementwise("tanh"),
    "sigmoid": _elementwise("sigmoid"),
    "elu": _elementwise("elu"),
    "selu": _elementwise("selu"),
    "softplus": _elementwise("softplus"),
    "swish": _elementwise("swish"),
    "silu": _elementwise("swish"),
    "gelu": _elementwise("gelu"),
    "exponential": _elementwise("exp"),
    "softmax": lambda c, x: Value(c.add("softmax", c.plain(x), axis=len(c.shape(x)) - 1)),
}
"""By the names in configurations; ``leaky_relu`` is Keras 3's, whose slope is another than the layer's."""


def activate(c: Context, x: Value, spec: Any) -> Value:
    """Add an activation that a configuration names, or describes as a layer."""
    if isinstance(spec, dict):
        kind, config = spec.get("class_name"), spec.get("config")
        if kind in ("LeakyReLU", "ReLU", "ELU", "Softmax") and isinstance(config, dict):
            inner = Context(c.graph, Layer(kind, c.layer.name, config, c.layer.path, ""), c.store)
            return LAYERS[kind](inner, x)
        spec = config if kind == "function" else kind
    spec = spec or "linear"
    if not isinstance(spec, str) or spec not in ACTIVATIONS:
        raise ModelError(f"its activation '{str(spec)[:60]}' is unknown (known: {', '.join(ACTIVATIONS)})")
    return ACTIVATIONS[spec](c, x)


IGNORED = (
    "InputLayer",
    "Dropout",
    "GaussianNoise",
    "GaussianDropout",
    "SpatialDropout2D",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
)
MERGES = {
    "Concatenate": shapes.concatenate,
    "Add": shapes.merge("add"),
    "Subtract": shapes.merge("sub"),
    "Multiply": shapes.merge("mul"),
    "Average": shapes.merge("add", mean=True),
}
LAYERS: dict[str, Callable[..., Value]] = {
    **dict.fromkeys(IGNORED, lambda c, x: x),
    **MERGES,
    "Dense": _dense,
    "Conv2D": _conv,
    "Convolution2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "Conv2DTranspose": _conv_transpose,
    "Convolution2DTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "BatchNormalizationV1": _batch_norm,
    "BatchNormalizationV2": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "PReLU": _prelu,
    "Embedding": _embedding,
    "Activation": lambda c, x: activate(c, x, c.config.get("activation")),
    "LeakyReLU": _leaky,
    "ReLU": _relu,
    "ELU": lambda c, x: Value(c.add("elu", x.name, alpha=c.number("alpha", default=1.0)), x.last),
    "Softmax": _softmax,
    "Reshape": shapes.reshape,
    "Flatten": shapes.flatten,
    "Permute": shapes.permute,
    "UpSampling2D": shapes.upsampling,
    "AveragePooling2D": shapes.pooling("average_pool"),
    "MaxPooling2D": shapes.pooling("max_pool"),
    "ZeroPadding2D": shapes.zero_padding,
    "Cropping2D": shapes.cropping,
    "Rescaling": shapes.rescaling,
}
"""The class of a layer -> what adds it to the graph."""


def add_layer(c: Context, given: Sequence[Value]) -> Value:
    """Add a layer; ModelError names it."""
    layer = c.layer
    kind = layer.kind.rpartition(">")[2]
    try:
        if kind not in LAYERS or ">" in layer.kind:
            program = kind in ("Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
            why = (
                "which is a program, and no file's program is run"
                if program
                else "which facegan does not know"
            )
            raise ModelError(f"it is of the class {kind[:60]}, {why}")
        if not given or (len(given) > 1 and kind not in MERGES):
            raise ModelError(f"it takes {len(given)} values")
        return LAYERS[kind](c, *given)
    except ModelError as error:
        raise ModelError(f"layer '{'/'.join(layer.path)[:200]}': {error}") from None
