"""The parts of a generator as modules that a tracer follows, and what an exported file says of itself."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from facegan import __version__
from facegan.generator import Generator
from facegan.layers.network import GeneratorNetwork

PARTS = ("all", "map", "synthesize")
_PICTURES = "float N,{},{},{} in [-1, 1]; the picture is clip(round((x + 1) * 127.5), 0, 255)"


class Part(nn.Module):
    """One part of a network: the ``forward`` of the subclasses names the inputs of the exported graph."""

    def __init__(self, network: GeneratorNetwork) -> None:
        super().__init__()
        self.network = network


class Whole(Part):
    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.network.synthesize(self.network.map(z, labels))


class Map(Part):
    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.network.map(z, labels)


class Synthesize(Part):
    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return self.network.synthesize(w)


def part_of(model: Generator, part: str) -> tuple[Part, dict[str, torch.Tensor]]:
    """Return a part of the model as a module on the CPU, and its inputs for the seeds 0 and 1.

    Two of them, because a batch of one would be traced as a constant.
    """
    network = copy.deepcopy(model.network).cpu()
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


def free_batch(inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the dynamic shapes that leave the first axis of every input free."""
    batch = torch.export.Dim("batch")
    return {name: {0: batch} for name in inputs}


@contextmanager
def quiet_tracing() -> Iterator[None]:
    """Without gradients, and without the tracers' warnings, which tell users nothing."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


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
