"""How networks take labels ``N,label_dim``: joined with the latent, and projected in a discriminator.

A yes/no attribute is one number of 0 or 1, a class among K is one of K numbers.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from facegan.devices import full_precision

LABEL_SCALE = 0.2
"""Of the labels' embedding beside z. At 1, early training learns one picture a class and forgets z: on MNIST
(`digits-dcgan-28-plus`) the pixels' deviation within a class was 0.017 at 1 after 40 kimg, but 0.081 at 0.3,
0.135 at 0.2 and 0.146 at 0.1 after 25 kimg. Real digits have 0.152."""


class LabelledLatent(nn.Module):
    """Joins z ``N,z_dim`` with an embedding of labels: ``N,2 z_dim`` (Mirza and Osindero 2014, section 3).

    The embedding has a root mean square of ``LABEL_SCALE``, however many of the attributes are true, and its
    bias gives a picture with none of them an embedding, too. ``normalised`` brings z to 1, for networks that
    see only the direction of what they are given, so that the labels' share of it is always the same.
    """

    def __init__(self, z_dim: int, label_dim: int, *, normalised: bool) -> None:
        super().__init__()
        self.normalised = normalised
        self.gain = math.sqrt((1 + LABEL_SCALE**2) / 2) if normalised else 1.0
        """What a weight for z alone is multiplied by where z and the embedding are normalised together."""
        self.weight = nn.Parameter(torch.randn(z_dim, label_dim))
        self.bias = nn.Parameter(torch.randn(z_dim))

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return z beside the labels' embedding; labels of None are zeros."""
        with full_precision(self.weight.device):  # it is cheap, and the whole picture hangs on it
            if labels is None:
                labels = z.new_zeros(len(z), self.weight.shape[1])
            embedding = LABEL_SCALE * _unit(F.linear(labels.to(self.weight.dtype), self.weight, self.bias))
            z = _unit(z) if self.normalised else z
            return torch.cat([z, embedding.to(z.dtype)], 1)


class LabelProjection(nn.Module):
    """What labels add to a logit: the product of V y and the features (Miyato and Koyama 2018, equation 4).

    The features are all that the last layer sees, with their places in the picture, where the paper sums
    over the places. ``equalized`` keeps the weights at N(0, 1), times their constant at run time.
    """

    def __init__(self, label_dim: int, features: int, *, equalized: bool = False) -> None:
        super().__init__()
        scale = 1 / math.sqrt(features)
        self.gain = scale if equalized else 1.0
        self.weight = nn.Parameter(torch.randn(features, label_dim) * (1.0 if equalized else scale))

    def forward(self, features: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Return ``N`` of features ``N,F``."""
        if labels is None:
            raise ValueError("a discriminator of labelled pictures needs their labels")
        with full_precision(features.device):
            wide = features.to(torch.promote_types(features.dtype, torch.float32))
            embedded = F.linear(labels.to(self.weight.dtype), self.weight)
            return torch.mul(wide, embedded.to(wide.dtype)).sum(1) * self.gain


def _unit(x: torch.Tensor) -> torch.Tensor:
    """Return vectors with a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
