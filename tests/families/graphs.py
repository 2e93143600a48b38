"""A small generator written as a graph, for what every family promises."""

from __future__ import annotations

import torch

from facegan.exchange.graph import Graph
from facegan.families import get_family
from facegan.generator import Generator, describe
from facegan.prior import Latent


def small_graph(labels: tuple[str, ...] = (), kind: str = "uniform") -> Generator:
    """Return a generator of 32 px pictures with random weights that takes uniform latents of 16 numbers."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw) * (2 / max(1, torch.Size(shape[1:]).numel())) ** 0.5

    graph = Graph(16, len(labels))
    x = graph.add("linear", graph.z, weights={"weight": normal(128, 16), "bias": normal(128)}, out=128)
    if labels:
        y = graph.add(
            "linear", graph.labels, weights={"weight": normal(128, len(labels))}, out=128, bias=False
        )
        x = graph.add("add", x, y)
    x = graph.add("reshape", x, shape=(8, 4, 4))
    for width in (8, 8, 8):
        statistics = {"running_mean": normal(8), "running_var": normal(8).square() + 0.5}
        x = graph.add("batch_norm", x, weights={"weight": normal(8) + 1, "bias": normal(8), **statistics})
        x = graph.add("leaky_relu", x, slope=0.2)
        kernel = {"weight": normal(8, width, 5, 5) * 0.3}
        x = graph.add(
            "conv_transpose", x, weights=kernel, out=width, kernel=(5, 5), stride=(2, 2), crops=(1, 2, 1, 2),
            bias=False,
        )  # fmt: skip
    x = graph.add(
        "conv", x, weights={"weight": normal(3, 8, 3, 3)}, out=3, kernel=(3, 3), pads=(1,) * 4, bias=False
    )
    config, state, shape = graph.finish(graph.add("tanh", x))
    network = get_family("graph").build_generator(config.generator, shape, 16, label_dim=len(labels))
    network.load_state_dict(state)
    rows = (
        {"label_rows": {"rows": [[0] * len(labels), [1] * len(labels)], "counts": [3, 2]}} if labels else {}
    )
    latent = Latent(kind, 16, std=3**-0.5 if kind == "uniform" else 1.0)
    return Generator(network, describe("graph", config, latent, image_shape=shape, labels=labels, **rows))
