"""The parts of a generator as modules that a tracer follows, and what an exported file says of itself."""

from __future__ import annotations

import copy
import json
import warnings
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from facegan.generator import Generator
from facegan.layers.network import GeneratorNetwork
from facegan.layers.spectral import fold
from facegan.version import __version__

PARTS = ("all", "map", "synthesize")
_MAX_BATCH = 2**31 - 1  # without a bound, PyTorch 2.6 refuses a free batch
_PICTURES = "float N,{},{},{} in [-1, 1]; the picture is clip(round((x + 1) * 127.5), 0, 255)"


class Part(nn.Module):
    """One part of a network: the ``forward`` of the subclasses names the inputs of the exported graph."""

    def __init__(self, network: GeneratorNetwork) -> None:
        super().__init__()
        self.network = network


class Whole(Part):
    """z (and labels) -> picture."""

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.network.synthesize(self.network.map(z, labels))


class Map(Part):
    """z (and labels) -> w."""

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.network.map(z, labels)


class Synthesize(Part):
    """w -> picture."""

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return self.network.synthesize(w)


class Affine(nn.Module):
    """What a batch norm is in sampling: one scale and shift for each channel."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.running_mean is not None and norm.running_var is not None
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight.double()
        shift = -norm.running_mean.double() * scale
        shift = shift if norm.bias is None else shift + norm.bias.double()
        self.register_buffer("scale", scale.float())
        self.register_buffer("shift", shift.float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (1, -1, *[1] * (x.ndim - 2))
        return x * self.scale.reshape(shape) + self.shift.reshape(shape)


def _without_batch_norms(module: nn.Module) -> None:
    """Replace batch norms, which exporters fold into rounded weights, or (PyTorch 2.6) cannot write."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            module.add_module(name, Affine(child))
        else:
            _without_batch_norms(child)


def inputs_of(model: Generator, part: str) -> list[str]:
    """Return the names of a part's inputs, in order."""
    return ["w"] if part == "synthesize" else ["z", "labels"] if model.labels else ["z"]


def part_of(model: Generator, part: str) -> tuple[Part, dict[str, torch.Tensor]]:
    """Return a part of the model as a module on the CPU, and its inputs for the seeds 0 and 1.

    Two of them, because a batch of one would be traced as a constant.
    """
    network = copy.deepcopy(model.network).cpu()
    fold(network)
    _without_batch_norms(network)
    if network.levels:  # Python reads how far it has grown; a tracer knows no values of buffers
        level = float(network.get_buffer("level"))
        del network.level
        network.level = level  # type: ignore[assignment]
    inputs = {"z": model.latent.sample([0, 1])}
    if (labels := model.labels_of([0, 1])) is not None:
        inputs["labels"] = labels.clone()
    if part == "synthesize":
        return Synthesize(network), {"w": network.map(**inputs).contiguous()}
    return (Map if part == "map" else Whole)(network), inputs


class _WithoutAddcmul(TorchFunctionMode):
    """Writes ``addcmul`` as a product and a sum: PyTorch 2.6 cannot convert it where the batch is free."""

    def __torch_function__(  # noqa: PLR0917
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.addcmul:
            return args[0] + args[1] * args[2]
        return func(*args, **(kwargs or {}))


def traced(model: Generator, part: str) -> torch.export.ExportedProgram:
    """Return a part of the model as PyTorch's program, with a free batch and no word about this machine."""
    return traced_module(*part_of(model, part))


def traced_module(module: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.export.ExportedProgram:
    """Return a module as PyTorch's program; its ``inputs`` are examples of two, by the arguments' names."""
    batch = torch.export.Dim("batch", max=_MAX_BATCH)
    shapes = {name: {0: batch} for name in inputs}
    with torch.no_grad(), _WithoutAddcmul(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they tell users nothing
        program = torch.export.export(module, tuple(inputs.values()), dynamic_shapes=shapes, strict=False)
    for graph in (m.graph for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule)):
        graph.eliminate_dead_code()  # PyTorch 2.6 notes questions about types, which it cannot load again
        for node in graph.nodes:
            node.meta.pop("stack_trace", None)  # lines of source code, with their paths
    return program


def described(model: Generator, part: str) -> dict[str, str]:
    """Return what an exported file says of itself: texts, of which lists and numbers are JSON.

    ``w_mean`` is the average towards which truncation draws w, ``num_ws,w_dim``, or ``w_dim`` if it is the
    same in all layers; for a conditional model it is that of ``default_labels``.
    """
    mean = model.w_average()
    if mean.ndim == 2 and bool((mean == mean[0]).all()):
        mean = mean[0]
    facts = {
        "facegan": __version__,
        "family": model.meta["family"],
        "model_hash": model.hash,
        "licence": model.meta.get("licence", "unknown"),
        "part": part,
        "latent": {k: model.meta["latent"][k] for k in ("kind", "dim", "mean", "std")},
        "num_ws": model.num_ws,
        "w_dim": model.w_dim,
        "w_mean": mean.cpu().double().numpy().round(7).tolist(),
        "truncates": model.truncates,
        "image_shape": list(model.image_shape),
        "picture": _PICTURES.format(*model.image_shape),
    }
    if model.label_row is not None:
        facts |= {"labels": list(model.labels), "default_labels": model.label_row.tolist()}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()}


def axes(model: Generator) -> dict[str, str]:
    """Return what each input and output of the parts is."""
    dim, layers = model.latent.dim, f"N,{model.num_ws},{model.w_dim}"
    found = {
        "z": f"float N,{dim}: draws from the prior 'latent'",
        "w": f"float {layers}: one row for each layer that takes w",
        "images": _PICTURES.format(*model.image_shape),
    }
    if model.labels:
        found["labels"] = f"float N,{len(model.labels)}, each 0 or 1: {', '.join(model.labels)}"
    return found
