"""A small classifier with random weights for the tests of this folder."""

from __future__ import annotations

import torch
from torch import nn

from facegan.pixels import Classifier


class Small(nn.Module):
    """Two poolings, so strides 1, 2 and 4; each convolution sees 3x3. ``act`` may be smooth."""

    def __init__(self, smooth: bool = False) -> None:
        super().__init__()
        act = nn.Softplus if smooth else nn.ReLU
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            act(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1),
            act(),
            nn.AvgPool2d(2),
            nn.Conv2d(8, 10, 3, padding=1),
            act(),
        )
        self.head = nn.Linear(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


def small(smooth: bool = False, dtype: torch.dtype = torch.float64) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Small(smooth)
    made = Classifier(
        "small",
        network,
        (32, 32),
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.25, 0.3),
        labels=["cat", "dog", "owl", "fox"],
    )
    made._probe()
    made.module.to(dtype)
    made._shift, made._scale = made._shift.to(dtype), made._scale.to(dtype)
    made.layer_names = lambda: list(made._layers)  # type: ignore[method-assign]  # it probes in float32
    return made


def picture(height: int, width: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)
