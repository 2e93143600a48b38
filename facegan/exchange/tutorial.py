"""Graphs that are DCGANs in the package's own layer notation: they train on, which graphs do not.

A dense layer, or a transposed convolution of the latent as one pixel, is followed by convolutions with "same"
padding: ``dense 4x4x512; bn relu; convT 256 4 s2 bn relu; convT image 4 s2 tanh``. Features that Keras has in
the order (H, W, C) are brought into PyTorch's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facegan.errors import ConfigError
from facegan.exchange.base import Imported
from facegan.families import get_family
from facegan.families.dcgan.config import Config
from facegan.families.feedforward import NetworkConfig
from facegan.families.graph.ops import Step, check_graph

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, "Tensor"]


class Other(Exception):
    """The notation cannot say what a node does."""


def as_dcgan(found: Imported) -> Imported:
    """Return an imported graph as a model of the family ``dcgan``, or unchanged if the notation has no such.

    Args:
        found: what a reader found, of any family.
    """
    if found.family != "graph" or found.labels:
        return found
    writer = Writer(found.state)
    try:
        writer.write(check_graph(found.config.generator.nodes, found.latent.dim, 0))
        config = writer.config(found.image_shape)
        state = _state(config, writer.used, found)
    except (Other, ConfigError):
        return found
    return replace(found, family="dcgan", config=config, state=state)


class Writer:
    """Writes a chain of nodes in the notation.

    Attributes:
        layers: the words of each layer.
        used: the tensors of each module that has some, in the order in which they run.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.state = state
        self.layers: list[list[str]] = []
        self.used: list[Tensors] = []
        self.epsilons: set[float] = set()
        self.unit_range = False
        self.dense = 0  # the place in ``used`` of the features that may become a picture
        self.shape: tuple[int, ...] = ()  # in which they were reshaped, until it is known what its axes are
        self.last = False  # whether the picture has been turned to (H, W, C), before it becomes features
        self.order: Tensor | None = None  # of the features that it has become

    def write(self, steps: list[Step]) -> None:
        """Write all nodes; Other for a graph that is no such chain."""
        before = "z"
        for place, step in enumerate(steps):
            if step.node.inputs != (before,) or step.node.op not in OPS:
                raise Other
            before = step.node.name
            if step.node.op == "scale":
                self._scale(step, last=place == len(steps) - 1)
                continue
            if self.shape and step.node.op not in (*ACTIVATIONS, "permute"):
                self._becomes_picture(self.shape)
            if self.last and step.node.op not in (*ACTIVATIONS, "flatten"):
                raise Other
            OPS[step.node.op](self, step)
        if self.shape:
            self._becomes_picture(self.shape)
        if self.last or len(self.epsilons) > 1:
            raise Other

    def config(self, image_shape: tuple[int, int, int]) -> Config:
        """Return the settings of the family."""
        c, h, w = image_shape
        heads = [layer for layer in self.layers if layer[0] in ("dense", "conv", "convT")]
        if not heads:
            raise Other
        if heads[-1][0] != "dense" or heads[-1][1] == f"{h}x{w}x{c}":
            heads[-1][1] = "image"
        layers = "; ".join(" ".join(words) for words in self.layers)
        config = NetworkConfig(layers=layers, unit_range=self.unit_range)
        return Config(replace(config, bn_eps=next(iter(self.epsilons), config.bn_eps)))

    def take(self, step: Step) -> Tensors:
        """Return the weights of a node."""
        return {name: self.state[f"layers.{step.node.name}.{name}"] for name in step.weights}

    def word(self, word: str) -> None:
        """Add what follows a layer, or stands alone."""
        if self.layers:
            self.layers[-1].append(word)
        else:
            self.layers.append([word])

    def _becomes_picture(self, shape: tuple[int, ...], *, last: bool = False) -> None:
        """Write the features of the dense layer as a picture, (C, H, W) or, with ``last``, (H, W, C)."""
        self.shape = ()
        c, h, w = (shape[2], *shape[:2]) if last else shape
        words = self.layers[-1]
        if words[0] != "dense" or words[1] != str(c * h * w):
            raise Other
        words[1] = f"{h}x{w}x{c}"
        if last:
            order = _first((h, w, c))
            for tensors in self.used[self.dense :]:
                tensors |= {name: tensor[order] for name, tensor in tensors.items()}
        self.dense = len(self.used)

    # --- nodes ---------------------------------------------------------------------------------------------

    def _scale(self, step: Step, *, last: bool) -> None:
        a = step.attributes
        if not last or (a["factor"], a["offset"]) != (2, -1) or self.layers[-1][-1] != "sigmoid":
            raise Other
        self.unit_range = True

    def _linear(self, step: Step) -> None:
        tensors = self.take(step)
        if len(step.inputs[0]) != 1:
            raise Other
        if self.order is not None:
            tensors["weight"] = tensors["weight"][:, self.order]
            self.order = None
        self.dense = len(self.used)
        self.layers.append(["dense", str(step.attributes["out"])])
        self.used.append(tensors)

    def _reshape(self, step: Step) -> None:
        if len(step.inputs[0]) != 1 or len(step.shape) != 3:
            raise Other
        if self.layers:
            self.shape = step.shape
        elif step.shape[1:] != (1, 1):  # the latent as one pixel, for a transposed convolution
            raise Other

    def _permute(self, step: Step) -> None:
        order = tuple(step.attributes["order"])
        if self.shape and order == (2, 0, 1):
            self._becomes_picture(self.shape, last=True)
        elif not self.shape and order == (1, 2, 0):
            self.last = True
        else:
            raise Other

    def _flatten(self, step: Step) -> None:
        if len(step.inputs[0]) != 3 or not self.layers:
            raise Other
        self.order = _first(step.inputs[0]) if self.last else None
        self.last = False

    def _batch_norm(self, step: Step) -> None:
        self.epsilons.add(float(step.attributes["eps"]))
        flat = len(step.inputs[0]) == 1
        if flat and self.layers and self.layers[-1][0] != "dense":
            raise Other
        if not flat and self.layers[-1][0] == "dense":  # a norm of channels, not of features
            self.layers.append(["bn"])
        else:
            self.word("bn")
        self.used.append(self.take(step))

    def _conv(self, step: Step) -> None:
        from facegan.layers.feedforward import same_padding

        a, size = step.attributes, step.inputs[0][1:]
        kernel, stride = _square(step)
        same = [same_padding(n, kernel, stride) for n in size]
        words = ["conv", str(a["out"]), str(kernel), *["s2"] * (stride == 2)]
        if tuple(a["pads"]) != (*same[0], *same[1]):
            if any(a["pads"]):
                raise Other
            words.append("valid")
        self.layers.append(words)
        self.used.append(self.take(step))

    def _conv_transpose(self, step: Step) -> None:
        import torch

        a, tensors = step.attributes, self.take(step)
        kernel, stride = _square(step)
        if not self.layers:
            if step.inputs[0][1:] != (1, 1) or any(a["crops"]):
                raise Other
            flat = {"weight": tensors["weight"].flatten(1).T.contiguous()}
            if "bias" in tensors:
                flat["bias"] = torch.repeat_interleave(tensors["bias"], kernel * kernel)
            self.layers.append(["dense", f"{kernel}x{kernel}x{a['out']}"])
            self.used.append(flat)
            return
        crop = kernel - stride
        if crop < 0 or tuple(a["crops"]) != (crop // 2, crop - crop // 2) * 2:
            raise Other
        self.layers.append(["convT", str(a["out"]), str(kernel), *["s2"] * (stride == 2)])
        self.used.append(tensors)

    def _resize(self, step: Step) -> None:
        a = step.attributes
        word = {"upsample": "up", "average_pool": "down", "max_pool": "pool"}[step.node.op]
        if word == "up":
            usual = tuple(a["factor"]) == (2, 2) and a["mode"] == "nearest"
        else:
            usual = tuple(a["kernel"]) == tuple(a["stride"]) == (2, 2) and not any(a["pads"])
        if not usual or not self.layers:
            raise Other
        self.layers.append([word])

    def _activation(self, step: Step) -> None:
        word = ACTIVATIONS[step.node.op](step.attributes)
        if not word:
            raise Other
        self.word(word)


def _leaky(a: Mapping[str, Any]) -> str:
    slope = round(float(a["slope"]), 7)  # ONNX has it in single precision
    word = f"lrelu{slope!r}"
    return "lrelu" if slope == 0.2 else word if re.fullmatch(r"lrelu0\.\d+", word) else ""


ACTIVATIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "relu": lambda a: "relu",
    "leaky_relu": _leaky,
    "swish": lambda a: "silu",
    "gelu": lambda a: "" if a["approximate"] else "gelu",
    "tanh": lambda a: "tanh",
    "sigmoid": lambda a: "sigmoid",
}
OPS: dict[str, Callable[[Writer, Step], None]] = {
    **dict.fromkeys(ACTIVATIONS, Writer._activation),
    "linear": Writer._linear,
    "reshape": Writer._reshape,
    "permute": Writer._permute,
    "flatten": Writer._flatten,
    "batch_norm": Writer._batch_norm,
    "conv": Writer._conv,
    "conv_transpose": Writer._conv_transpose,
    "upsample": Writer._resize,
    "average_pool": Writer._resize,
    "max_pool": Writer._resize,
    "scale": lambda writer, step: None,  # the range of the pictures, which write() reads
}
"""The operations that the notation has."""


def _first(shape: tuple[int, ...]) -> Tensor:
    """Return for features in the order (C, H, W) their places in Keras's.

    ``shape`` is the picture's as Keras has it, (H, W, C).
    """
    import torch

    h, w, c = shape
    return torch.arange(h * w * c).reshape(h, w, c).permute(2, 0, 1).flatten()


def _square(step: Step) -> tuple[int, int]:
    """Return kernel and stride of a convolution that the notation has."""
    a = step.attributes
    (kernel, other), (stride, down) = a["kernel"], a["stride"]
    if kernel != other or stride != down or stride > 2 or kernel > 99:
        raise Other
    if a["groups"] != 1 or tuple(a["dilation"]) != (1, 1):
        raise Other
    return kernel, stride


def _state(config: Config, used: list[Tensors], found: Imported) -> Tensors:
    """Return the state of the family's network: the tensors, and zeros for each bias that they lack."""
    import torch
    from torch import nn

    with torch.device("meta"):
        network = get_family("dcgan").build_generator(config.generator, found.image_shape, found.latent.dim)
    state: Tensors = {}
    given = iter(used)
    for name, module in network.named_modules():
        norm = isinstance(module, nn.modules.batchnorm._BatchNorm)
        if norm or isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            tensors = next(given, None)
            if tensors is None:
                raise Other
            counted = {"num_batches_tracked": torch.tensor(0)} if norm else {}
            bias = torch.zeros(module.bias.shape)
            state |= {f"{name}.{key}": value for key, value in ({"bias": bias} | tensors | counted).items()}
    return state
