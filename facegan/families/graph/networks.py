"""Running a graph: one module for each node, in plain torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facegan.errors import ConfigError
from facegan.families.graph.config import Node
from facegan.families.graph.ops import Shape, Step, check_graph
from facegan.layers.network import GeneratorNetwork


def _even(pads: Shape) -> tuple[int, int] | None:
    """Return the padding of both sides, where they have the same."""
    top, bottom, left, right = pads
    return (top, left) if (top, left) == (bottom, right) else None


def _sides(pads: Shape) -> list[int]:
    """Return (top, bottom, left, right) as F.pad takes them, which begins with the last axis."""
    return [*pads[2:], *pads[:2]]


class Conv(nn.Conv2d):
    """A convolution with its own padding on each side."""

    def __init__(self, step: Step) -> None:
        a, even = step.attributes, _even(step.attributes["pads"])
        self.uneven = [] if even else _sides(a["pads"])
        super().__init__(
            step.inputs[0][0],
            a["out"],
            a["kernel"],
            a["stride"],
            even or 0,
            a["dilation"],
            a["groups"],
            a["bias"],
        )

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.uneven) if self.uneven else x)


class ConvTranspose(nn.ConvTranspose2d):
    """A transposed convolution of whose full result each side is cropped by itself."""

    def __init__(self, step: Step) -> None:
        a, even = step.attributes, _even(step.attributes["crops"])
        crops = (0, 0, 0, 0) if even else a["crops"]
        self.crops = [slice(before, -after or None) for before, after in (crops[:2], crops[2:])]
        super().__init__(
            step.inputs[0][0],
            a["out"],
            a["kernel"],
            a["stride"],
            even or 0,
            0,
            a["groups"],
            a["bias"],
            a["dilation"],
        )

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[:, :, self.crops[0], self.crops[1]]


class Linear(nn.Linear):
    """A dense layer on the last axis."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.inputs[0][-1], step.attributes["out"], step.attributes["bias"])


class BatchNorm(nn.Module):
    """Batch norm with its stored statistics."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.eps, channels = step.attributes["eps"], step.inputs[0][0]
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm with weight and bias, without statistics."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.inputs[0][0], step.attributes["eps"], affine=True)

    def forward(self, x: Tensor) -> Tensor:
        # As torch 2.15's instance_norm does, but for that one's gradients of a single channels-last picture
        # (findings/torch-instance-norm-channels-last.sh).
        return F.group_norm(x, self.num_features, self.weight, self.bias, self.eps)


class PReLU(nn.PReLU):
    """A ReLU whose slope is learnt, one for each channel."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.inputs[0][0])


class Constant(nn.Module):
    """A value that is the same for all pictures; it has a batch of 1."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(step.shape))

    def forward(self) -> Tensor:
        return self.value[None]


class Function(nn.Module):
    """An operation without weights."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.run, self.attributes, self.axes = FUNCTIONS[step.node.op], step.attributes, len(step.shape)
        self.shape = step.shape

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.run(self, *inputs)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.attributes.items())


def _upsample(f: Function, x: Tensor) -> Tensor:
    a = f.attributes
    size = (x.shape[2] * a["factor"][0], x.shape[3] * a["factor"][1])
    if a["mode"] == "nearest":
        return F.interpolate(x, size, mode="nearest")
    return F.interpolate(x, size, mode="bilinear", align_corners=a["align_corners"])


def _depth_to_space(f: Function, x: Tensor) -> Tensor:
    block = f.attributes["block"]
    if f.attributes["mode"] == "dcr":  # TensorFlow's order: block before channel
        n, c, h, w = x.shape
        x = x.reshape(n, block * block, c // block**2, h, w).transpose(1, 2).reshape(n, c, h, w)
    return F.pixel_shuffle(x, block)


def _concat(f: Function, *inputs: Tensor) -> Tensor:
    return torch.cat(inputs, f.attributes["axis"] + 1)


def _slice(f: Function, x: Tensor) -> Tensor:
    a = f.attributes
    where = slice(a["begin"], min(a["end"], x.shape[a["axis"] + 1]), a["step"])
    return x[(slice(None),) * (a["axis"] + 1) + (where,)]


def _average_pool(f: Function, x: Tensor) -> Tensor:
    a = f.attributes
    pads, counted = a["pads"], a["count_pads"]
    if (even := _even(pads)) is not None and all(2 * p <= k for p, k in zip(even, a["kernel"], strict=True)):
        return F.avg_pool2d(x, a["kernel"], a["stride"], even, count_include_pad=counted)
    mean = F.avg_pool2d(F.pad(x, _sides(pads)), a["kernel"], a["stride"])
    if counted:
        return mean
    ones = F.pad(torch.ones_like(x[:1, :1]), _sides(pads))
    return mean / F.avg_pool2d(ones, a["kernel"], a["stride"])


def _max_pool(f: Function, x: Tensor) -> Tensor:
    a = f.attributes
    return F.max_pool2d(F.pad(x, _sides(a["pads"]), value=float("-inf")), a["kernel"], a["stride"])


def _pad(f: Function, x: Tensor) -> Tensor:
    a = f.attributes
    if a["mode"] == "constant":
        return F.pad(x, _sides(a["pads"]), value=a["value"])
    return F.pad(x, _sides(a["pads"]), mode="reflect" if a["mode"] == "reflect" else "replicate")


def _aligned(run: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Function, Tensor, Tensor], Tensor]:
    """Return ``run`` on shapes that are aligned at their ends, behind the batch."""

    def aligned(f: Function, x: Tensor, y: Tensor) -> Tensor:
        x, y = (v.reshape(v.shape[0], *(1,) * (f.axes + 1 - v.ndim), *v.shape[1:]) for v in (x, y))
        return run(x, y)

    return aligned


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "relu": lambda f, x: F.relu(x),
    "leaky_relu": lambda f, x: F.leaky_relu(x, f.attributes["slope"]),
    "elu": lambda f, x: F.elu(x, f.attributes["alpha"]),
    "selu": lambda f, x: F.selu(x),
    "sigmoid": lambda f, x: x.sigmoid(),
    "tanh": lambda f, x: x.tanh(),
    "softplus": lambda f, x: F.softplus(x),
    "swish": lambda f, x: F.silu(x),
    "gelu": lambda f, x: F.gelu(x, approximate="tanh" if f.attributes["approximate"] else "none"),
    "softmax": lambda f, x: x.softmax(f.attributes["axis"] + 1),
    "clip": lambda f, x: x.clamp(f.attributes["low"], f.attributes["high"]),
    "scale": lambda f, x: x * f.attributes["factor"] + f.attributes["offset"],
    "sqrt": lambda f, x: x.sqrt(),
    "exp": lambda f, x: x.exp(),
    "reshape": lambda f, x: x.reshape(x.shape[0], *f.shape),
    "flatten": lambda f, x: x.flatten(1),
    "permute": lambda f, x: x.permute(0, *(axis + 1 for axis in f.attributes["order"])),
    "upsample": _upsample,
    "depth_to_space": _depth_to_space,
    "average_pool": _average_pool,
    "max_pool": _max_pool,
    "mean": lambda f, x: x.mean([axis + 1 for axis in f.attributes["axes"]], keepdim=True),
    "pad": _pad,
    "slice": _slice,
    "concat": _concat,
    "add": _aligned(torch.add),
    "sub": _aligned(torch.sub),
    "mul": _aligned(torch.mul),
    "div": _aligned(torch.div),
    "matmul": lambda f, x, y: x @ y,
}
MODULES: dict[str, Callable[[Step], nn.Module]] = {
    **dict.fromkeys(FUNCTIONS, Function),
    "conv": Conv,
    "conv_transpose": ConvTranspose,
    "linear": Linear,
    "batch_norm": BatchNorm,
    "instance_norm": InstanceNorm,
    "prelu": PReLU,
    "constant": Constant,
}
"""The module of each operation of OPS, made of a checked node."""


class Generator(GeneratorNetwork):
    """Makes images of z, and of labels where the graph takes them; w is both, one after the other."""

    num_ws = 1

    def __init__(
        self, nodes: Sequence[Node], image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> None:
        super().__init__()
        self.z_dim, self.label_dim, self.w_dim = z_dim, label_dim, z_dim + label_dim
        steps = check_graph(nodes, z_dim, label_dim)
        if steps[-1].shape != tuple(image_shape):
            raise ConfigError(
                f"the graph ends in shape {steps[-1].shape}, but the pictures are {tuple(image_shape)}"
            )
        self.layers = nn.ModuleDict({step.node.name: MODULES[step.node.op](step) for step in steps})
        self.wiring = [(step.node.name, step.node.inputs) for step in steps]
        self.concats = {step.node.name for step in steps if step.node.op == "concat"}
        last = {name: place for place, (_, inputs) in enumerate(self.wiring) for name in inputs}
        self.finished: list[list[str]] = [[] for _ in steps]  # values that no later node needs
        for name, place in last.items():
            self.finished[place].append(name)

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return z, followed by the labels, as ``N,1,w_dim``."""
        if self.label_dim:
            given = z.new_zeros(len(z), self.label_dim) if labels is None else labels.to(z.dtype)
            z = torch.cat([z, given], 1)
        return z.unsqueeze(1)

    def synthesize(self, w: Tensor, noise: str = "const") -> Tensor:
        """Return images; noise is a constant here, if there is any."""
        values: dict[str, Any] = {"z": w[:, 0, : self.z_dim], "labels": w[:, 0, self.z_dim :]}
        for (name, inputs), finished in zip(self.wiring, self.finished, strict=True):
            given = [values[key] for key in inputs]
            if name in self.concats:  # constants have a batch of 1
                given = [x.expand(w.shape[0], *x.shape[1:]) for x in given]
            values[name] = self.layers[name](*given)
            for key in finished:
                del values[key]
        images: Tensor = values[self.wiring[-1][0]]
        return images.expand(w.shape[0], *images.shape[1:])
