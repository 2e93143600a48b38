"""A chain of layers whose weights are known: the notation of ``--layers``, and guessing it from shapes.

    reshape 100x1x1; convT s1 p0; bn; relu; convT s2 p1; tanh

Layers are separated by ``;``. Those with weights take the next ones of their kind from the file.

| layer | meaning |
|---|---|
| ``convT s2 p1 o1`` | transposed convolution: stride, padding, output padding as PyTorch has them |
| ``conv s1 p1`` | convolution: stride, padding |
| ``linear``, ``bn``, ``prelu`` | dense layer; batch norm, with ``bn 0.8`` its epsilon; PReLU |
| ``reshape CxHxW``, ``flatten`` | channels, height, width |
| ``up``, ``up bilinear``, ``shuffle`` | twice the size: nearest, bilinear, PixelShuffle |
| ``relu``, ``lrelu 0.2``, ``elu``, ``selu``, ``gelu``, ``swish``, ``softplus`` | activations |
| ``tanh``, ``sigmoid`` | activations of the output |
| ``scale A B`` | A x + B, so that pictures end in [-1, 1] |
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from facegan.errors import InputError, ModelError
from facegan.exchange.base import ImportOptions
from facegan.exchange.graph import Graph
from facegan.families.graph.config import Config

if TYPE_CHECKING:
    from torch import Tensor


class Weights(NamedTuple):
    """A layer of the file: its name, kind (conv, linear, bn, prelu; conv may be transposed), and tensors."""

    name: str
    kind: str
    tensors: dict[str, Tensor]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its weight, or of its statistics."""
        return tuple(self.tensors["running_mean" if self.kind == "bn" else "weight"].shape)


ACTIVATIONS = {
    "relu": "relu",
    "lrelu": "leaky_relu",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu",
    "swish": "swish",
    "softplus": "softplus",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}
OUTPUTS = {
    "": ["tanh"],
    "tanh": ["tanh"],
    "-1..1": [],
    "sigmoid": ["sigmoid", "scale 2 -1"],
    "0..1": ["scale 2 -1"],
    "0..255": [f"scale {2 / 255!r} -1"],
}


# --- from the notation to a graph -------------------------------------------------------------------------


def build_chain(
    text: str, weights: Sequence[Weights], z_dim: int
) -> tuple[Config, dict[str, Tensor], tuple[int, int, int]]:
    """Return configuration, state and picture shape of the layers that ``text`` lists.

    Raises:
        InputError: ``--layers`` cannot be read, or does not fit the weights.
        ModelError: the shapes do not fit each other.
    """
    graph, rest = Graph(z_dim), list(weights)
    x = graph.z
    for word in (part.strip() for part in text.split(";")):
        if not word:
            continue
        try:
            x = _add(graph, x, word, rest=rest)
        except ModelError as error:
            raise ModelError(f"{error}; at '{word}' of --layers \"{text}\"") from None
    if rest:
        raise InputError(f"--layers has no layer for {rest[0].name} and what follows it ({len(rest)} layers)")
    return graph.finish(x)


def _add(graph: Graph, x: str, word: str, *, rest: list[Weights]) -> str:
    """Add a layer of the notation, which takes its weights from ``rest``."""
    name, *given = word.split()
    if name in ("conv", "convT", "linear", "bn", "prelu"):
        kind = "conv" if name == "convT" else name
        place = next((i for i, layer in enumerate(rest) if layer.kind == kind), None)
        if place is None:
            raise InputError(f"--layers: the file has no further layer for '{name}'")
        return _weighted(graph, x, word, tensors=rest.pop(place).tensors)
    if name == "reshape" and len(given) == 1 and re.fullmatch(r"[1-9]\d{0,6}(x[1-9]\d{0,6}){2}", given[0]):
        return graph.add("reshape", x, shape=tuple(map(int, given[0].split("x"))))
    if name == "flatten" and not given:
        return graph.add("flatten", x)
    if name == "up" and given in ([], ["bilinear"], ["nearest"]):
        return graph.add("upsample", x, factor=(2, 2), mode=(given or ["nearest"])[0])
    if name == "shuffle" and not given:
        return graph.add("depth_to_space", x, block=2)
    if name == "scale" and len(given) == 2:
        return graph.add("scale", x, factor=_float(name, given[0]), offset=_float(name, given[1]))
    if name == "lrelu" and len(given) <= 1:
        return graph.add("leaky_relu", x, slope=_float(name, given[0]) if given else 0.2)
    if name in ACTIVATIONS and not given:
        return graph.add(ACTIVATIONS[name], x)
    raise InputError(f"--layers: '{word}' is not understood")


def _float(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"--layers: '{name} {text}': not a number")
    return value


def _weighted(graph: Graph, x: str, layer: str, *, tensors: dict[str, Tensor]) -> str:
    name, *given = layer.split()
    if name == "bn":
        import torch

        count = len(tensors["running_mean"])
        weights = {"weight": torch.ones(count), "bias": torch.zeros(count), **tensors}
        return graph.add("batch_norm", x, weights=weights, eps=_float(name, given[0]) if given else 1e-5)
    if name == "prelu":
        weight = tensors["weight"]
        whole = weight.expand(graph.shape(x)[0]) if len(weight) == 1 else weight
        return graph.add("prelu", x, weights={"weight": whole})
    weight, bias = tensors["weight"], "bias" in tensors
    if name == "linear":
        return graph.add("linear", x, weights=tensors, out=weight.shape[0], bias=bias)
    usual = _usual(name, weight.shape[2], last=False)
    numbers = {"s": usual[0], "p": usual[1], "o": usual[2]} if not given else {"s": 1, "p": 0, "o": 0}
    for word in given:
        if not re.fullmatch(r"[spo]\d{1,3}", word):
            raise InputError(f"--layers: '{name} {word}' is not understood; write {name} s2 p1")
        numbers[word[0]] = int(word[1:])
    s, p, o = numbers["s"], numbers["p"], numbers["o"]
    more: dict[str, Any] = {"kernel": tuple(weight.shape[2:]), "stride": (s, s), "bias": bias}
    if name == "conv":
        groups = graph.shape(x)[0] // weight.shape[1] if graph.shape(x)[0] % weight.shape[1] == 0 else 1
        return graph.add(
            "conv", x, weights=tensors, out=weight.shape[0], pads=(p,) * 4, groups=max(groups, 1), **more
        )
    if o > p:
        raise InputError(f"--layers: '{name} p{p} o{o}': the output padding is larger than the padding")
    crops = (p, p - o, p, p - o)
    return graph.add("conv_transpose", x, weights=tensors, out=weight.shape[1], crops=crops, **more)


# --- from shapes to the notation --------------------------------------------------------------------------


def latent_of(weights: Sequence[Weights]) -> int:
    """Return the length of the latent vector that the first layer takes."""
    first = weights[0] if weights else None
    if first is None or first.kind not in ("conv", "linear"):
        raise ModelError("the first layer neither a convolution nor a dense one; give --latent and --layers")
    return first.shape[1] if first.kind == "linear" else first.shape[0]


def _usual(name: str, kernel: int, last: bool) -> tuple[int, int, int]:
    """Return stride, padding and output padding that such a kernel usually has."""
    if name == "conv":
        return (1, kernel // 2, 0) if kernel % 2 else (2, (kernel - 2) // 2, 0)
    if kernel % 2 == 0:
        return 2, (kernel - 2) // 2, 0
    return (1, kernel // 2, 0) if last or kernel == 1 else (2, kernel // 2, 1)


def guess_layers(weights: Sequence[Weights], options: ImportOptions) -> str:
    """Return the layers in the notation, as the usual networks have them.

    Raises:
        ModelError: the shapes leave open what the layers are; the message has a line to begin with.
    """
    z_dim = options.latent or latent_of(weights)
    order = _sorted(weights)
    main = [layer for layer in order if layer.kind in ("conv", "linear")]
    words: list[str] = []
    shape: tuple[int, ...] = (z_dim,)
    grows = False
    for place, layer in enumerate(order):
        last = layer is main[-1]
        if layer.kind in ("bn", "prelu"):
            # A dense layer's features may become a picture before their norm.
            if layer.kind == "bn" and shape[1:] == () and layer.shape[0] != shape[0]:
                words, shape = _picture(words, shape, layer.shape[0])
            words.append(layer.kind)
        elif layer.kind == "linear":
            words += ["flatten"] * (len(shape) > 1) + ["linear"]
            shape = (layer.shape[0],)
        else:
            if len(shape) == 1:
                words, shape = _picture(words, shape, _input_of(layer, shape, first=not place))
            name, out, inner = _direction(layer, shape[0])
            if inner * 4 == shape[0]:
                words.append("shuffle")
                shape, grows = (inner, shape[1] * 2, shape[2] * 2), True
            first = shape[1:] == (1, 1)
            s, p, o = (1, 0, 0) if first else _usual(name, layer.shape[2], last)
            words.append(f"{name} s{s} p{p}" + f" o{o}" * bool(o))
            size = _size_after(name, shape[1:], layer.shape[2:], strides=(s, p, o))
            shape, grows = (out, *size), grows or s > 1 or first
        following = order[place + 1].kind if place + 1 < len(order) else ""
        if following not in ("bn", "prelu") and not last and layer.kind != "prelu":
            words.append(options.activation or "relu")
    if len(shape) == 1:
        words, shape = _picture(words, shape, 1 if _side(shape[0], 1) else 3 if _side(shape[0], 3) else 0)
    words += OUTPUTS[options.output_range]
    text = "; ".join(words)
    if not grows and "conv" in {layer.kind for layer in main}:
        begin = re.sub(r"; conv ", "; up; conv ", text)
        raise ModelError(f'where the picture becomes larger is not in the file; give --layers "{begin}"')
    return text


def _size_after(
    name: str, size: Sequence[int], kernel: Sequence[int], *, strides: tuple[int, int, int]
) -> tuple[int, ...]:
    """Return (height, width) after a convolution of (stride, padding, output padding)."""
    s, p, o = strides
    grown = ((n - 1) * s - 2 * p + k + o for n, k in zip(size, kernel, strict=True))
    shrunk = ((n + 2 * p - k) // s + 1 for n, k in zip(size, kernel, strict=True))
    return tuple(grown if name == "convT" else shrunk)


def _side(numbers: int, channels: int) -> int:
    """Return the side of a square picture of so many numbers; 0 if there is none."""
    side = math.isqrt(numbers // channels) if channels else 0
    return side if side * side * channels == numbers else 0


def _picture(
    words: list[str], shape: tuple[int, ...], channels: int
) -> tuple[list[str], tuple[int, int, int]]:
    """Add the step from features to a square picture."""
    side = _side(shape[0], channels)
    if not side:
        raise ModelError(f"{shape[0]} numbers make no square picture of {channels} channels; give --layers")
    at = len(words) - 1 if words and words[-1] in ACTIVATIONS else len(words)
    return [*words[:at], f"reshape {channels}x{side}x{side}", *words[at:]], (channels, side, side)


def _input_of(layer: Weights, shape: tuple[int, ...], first: bool) -> int:
    """Return how many channels a convolution takes after a dense layer, or of the latent itself."""
    if first:
        return shape[0]
    a, b = layer.shape[:2]  # either may be the input's
    fits = [c for c in (a, b) if _side(shape[0], c)]
    if not fits:
        raise ModelError(f"layer {layer.name}: {shape[0]} numbers make no picture for it; give --layers")
    return a if layer.shape[2] % 2 == 0 and a in fits else b if b in fits else a


def _direction(layer: Weights, channels: int) -> tuple[str, int, int]:
    """Return convT or conv, and the channels that come out and go in."""
    a, b = layer.shape[:2]
    even = layer.shape[2] % 2 == 0
    transposed = ("convT", b, a)
    plain = ("conv", a, b)
    if a == b and channels in (a, 4 * a):
        return transposed if even else plain
    for candidate in (transposed, plain) if even else (plain, transposed):
        if candidate[2] == channels:
            return candidate
    for candidate in (plain, transposed):
        if candidate[2] * 4 == channels:  # behind a PixelShuffle
            return candidate
    raise ModelError(
        f"layer {layer.name}: its shape {layer.shape} does not fit {channels} channels; give --layers"
    )


def _sorted(weights: Sequence[Weights]) -> list[Weights]:
    """Return the layers in the order in which they run.

    That of the file, but for norms that a class has defined behind all its convolutions: those go to the
    layers with as many channels, in order.
    """
    order = list(weights)
    norms = [layer for layer in order if layer.kind == "bn"]
    heads = [layer for layer in order if layer.kind in ("conv", "linear")]
    behind = norms and order[-len(norms) :] == norms and len(norms) > 1
    if not behind:
        return order
    found: list[Weights] = []
    rest = list(norms)
    for head in order[: -len(norms)]:
        found.append(head)
        if rest and head is not heads[-1] and rest[0].shape[0] in head.shape[:2]:
            found.append(rest.pop(0))
    return order if rest else found
