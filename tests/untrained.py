"""Untrained models of every family, for tests of what is exported."""

from __future__ import annotations

from typing import Any

import torch
from narrow import at_32

from facegan.families.dcgan.config import Config
from facegan.families.feedforward import NetworkConfig
from facegan.generator import Generator, Latent, build_network, describe

LABELS = ("smiling", "male")
ROWS = {"rows": [[0, 1], [1, 0], [1, 1]], "counts": [3, 2, 1]}


def model_of(
    family: str, labelled: bool = False, latent: Latent | None = None, channels: int = 3
) -> Generator:
    """Return an untrained model whose pictures have contrast, with statistics and noise of its own."""
    config = at_32(family)
    if latent is None:
        latent = Latent(config.latent.kind, config.latent.dim, config.latent.mean, config.latent.std)
    more = {"label_rows": ROWS} if labelled else {}
    labels = LABELS if labelled else ()
    meta = describe(
        family, config.model, latent, image_shape=(channels, 32, 32), labels=labels, licence="CC0-1.0", **more
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network(meta)
        fill(network)
    return Generator(network, meta)


def fill(network: torch.nn.Module) -> None:
    """Give a network weights by which pictures have contrast."""
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.ndim > 1 and tensor.std() < 0.3:  # all but the weights of equalised layers
                fan = tensor[0].numel() if tensor.ndim == 2 else tensor.numel() / max(tensor.shape[:2])
                tensor.normal_(std=(2 / fan) ** 0.5)
            elif name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name == "level":
                tensor.fill_(2.25)  # a level that fades in
            elif tensor.ndim < 2 and tensor.is_floating_point():
                tensor.add_(0.1 * torch.randn_like(tensor))


def notation_model(layers: str, latent: Latent | None = None, **settings: Any) -> Generator:
    """Return an untrained ``dcgan`` of 16 px, with statistics of its own, from layers in the notation."""
    config = Config(NetworkConfig(layers=layers, **settings))
    meta = describe(
        "dcgan", config, latent or Latent("normal", 17), image_shape=(3, 16, 16), licence="CC0-1.0"
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network(meta)
        fill(network)
    return Generator(network, meta)
