"""Classifiers whose best attacks can be written down."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from facegan.pixels import Classifier


class Linear(nn.Module):
    """logits = W x + b of pictures in [0, 1]; rows of W have the shape 3,H,W."""

    def __init__(self, weights: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weights, self.bias = nn.Parameter(weights), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weights.flatten(1).T + self.bias


def linear(margin: float = 1.0, side: int = 12, seed: int = 0) -> tuple[Classifier, np.ndarray, Tensor]:
    """A classifier of two classes, a mid-grey photo that is class 0 by ``margin`` logits, and w_1 - w_0."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(2, 3, side, side, generator=generator)
    photo = torch.randint(118, 138, (side, side, 3), generator=generator).to(torch.uint8).numpy()
    x = torch.from_numpy(photo).permute(2, 0, 1).float() / 255
    w = weights[1] - weights[0]
    bias = torch.tensor([float((w * x).sum()) + margin, 0.0])
    module = Linear(weights, bias).eval()
    return (
        Classifier("linear", module, (side, side), mean=(0.0,) * 3, std=(1.0,) * 3, labels=("left", "right")),
        photo,
        w,
    )
