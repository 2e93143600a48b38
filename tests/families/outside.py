"""A family, a loss and an augmentation as someone outside the package writes them.

    python outside.py DATASET OUT KIMG [KILL_AFTER]

trains with all three; the process kills itself once so many images have been seen.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

import facegan
from facegan.families import DiscriminatorNetwork, Family, GeneratorNetwork, OptimizerConfig
from facegan.losses import Loss
from facegan.recipes.config import LatentConfig, TrainConfig
from facegan.runs.callbacks import Listener, StepStats


@dataclass(frozen=True)
class Side(OptimizerConfig):
    """Settings of either network."""

    neurons: int = 16
    """Hidden neurons."""


@dataclass(frozen=True)
class ToyConfig:
    """Two networks with one hidden layer each."""

    generator: Side = field(default_factory=Side)
    discriminator: Side = field(default_factory=Side)


class ToyGenerator(GeneratorNetwork):
    num_ws = 1

    def __init__(self, image_shape: Sequence[int], z_dim: int, neurons: int) -> None:
        super().__init__()
        self.shape, self.z_dim, self.w_dim = tuple(image_shape), z_dim, neurons
        self.mapping = nn.Sequential(nn.Linear(z_dim, neurons), nn.Tanh())
        self.image = nn.Linear(neurons, math.prod(image_shape))
        self.register_buffer("seen", torch.zeros(()))

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.mapping(z)[:, None]

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        return self.image(w[:, 0]).tanh().view(-1, *self.shape)


class ToyDiscriminator(DiscriminatorNetwork):
    def __init__(self, image_shape: Sequence[int], neurons: int) -> None:
        super().__init__()
        pixels = math.prod(image_shape)
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, neurons), nn.SiLU(), nn.Linear(neurons, 1)
        )

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.layers(images)[:, 0]


class Toy(Family):
    config = ToyConfig
    any_shape = True
    width_setting = "neurons"

    def build_generator(
        self, settings: Side, image_shape: Sequence[int], z_dim: int, label_dim: int = 0
    ) -> GeneratorNetwork:
        self.check("generator", settings, label_dim)
        return ToyGenerator(image_shape, z_dim, settings.neurons)

    def build_discriminator(
        self, settings: Side, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        self.check("discriminator", settings, label_dim)
        return ToyDiscriminator(image_shape, settings.neurons)

    def begin_update(self, model: Any, generator: Any, discriminator: Any, images_seen: int) -> bool:
        generator.seen.fill_(images_seen)
        return images_seen == 48  # in the middle of the run the optimisers begin again


TOY_LOSS = Loss(lambda f, _: -f.mean(), lambda r: (r - 1).square().mean(), lambda f: (f + 1).square().mean())


def dim(images: torch.Tensor, p: torch.Tensor | float, draw: Any) -> torch.Tensor:
    """Half the contrast, with probability p."""
    hit = (draw("toy", 1) < p).to(images.device)
    return torch.where(hit[:, :, None, None], images / 2, images)


def register() -> None:
    facegan.register_family("toy", Toy())
    facegan.register_loss("toy-loss", TOY_LOSS)
    facegan.register_augmentation("toy-dim", dim)


def config(kimg: float) -> TrainConfig:
    model = ToyConfig(generator=replace(Side(), lr=1e-3))
    return TrainConfig(
        family="toy",
        model=model,
        loss="toy-loss",
        augment="toy-dim",
        augment_p=0.5,
        augment_target=0.0,
        latent=LatentConfig(dim=8),
        batch=8,
        kimg=kimg,
        checkpoint_kimg=0.032,
        grid_kimg=0.032,
        grid_count=4,
        quality_count=0,
        precision="float32",
    )


class Killer(Listener):
    def __init__(self, after: int) -> None:
        self.after = after

    def on_stats(self, stats: StepStats) -> None:
        if stats.images_seen >= self.after:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    register()
    dataset, out, kimg, *kill = sys.argv[1:]
    listeners = [Killer(int(kill[0]))] if kill else [Listener()]
    facegan.train(dataset, config(float(kimg)), out, listeners=listeners)
