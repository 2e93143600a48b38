"""Layers whose weight is divided by its largest singular value (Miyato et al. 2018, section 2.1).

The singular value comes from one power iteration, which begins at the vector ``u`` that the layer keeps. A
forward pass changes nothing: :func:`iterate` moves ``u`` on, once for each step of the optimiser. So it does
not matter in how many pieces or processes a batch passes, or how often pictures are drawn meanwhile.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from facegan.devices import full_precision

Tensor = torch.Tensor
SETTLED = 30  # iterations after which u fits weights that it has not followed


def largest_singular_value(weight: Tensor, u: Tensor) -> Tensor:
    """Return an estimate of the largest singular value of ``weight``, ``out,...``, from ``u``, ``out``.

    With v = W^T u / |W^T u| it is |W v| = u' W v, whose derivative at fixed vectors is u' v^T (equation 12).
    """
    matrix = weight.flatten(1)
    with torch.no_grad():
        v = F.normalize(matrix.T.mv(u), dim=0)
    estimate: Tensor = torch.linalg.vector_norm(matrix.mv(v))
    return estimate


class _Normalised(nn.Module):
    """What both layers share: the vector ``u``, None for a layer that takes its weight as it is."""

    weight: Tensor
    u: Tensor | None

    def prepare(self, normalised: bool) -> None:
        """Draw the first weights: orthogonal (Saxe et al. 2014), which any ``u`` fits; biases 0."""
        nn.init.orthogonal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)  # type: ignore[arg-type]
        self.register_buffer("u", torch.randn(len(self.weight)) if normalised else None)

    def effective_weight(self) -> Tensor:
        """Return the weight that the layer applies."""
        if self.u is None:
            return self.weight
        with full_precision(self.weight.device):
            return self.weight / largest_singular_value(self.weight, self.u)


class SpectralConv2d(nn.Conv2d, _Normalised):
    """Convolution of stride 1 with "same" padding."""

    def __init__(
        self, cin: int, cout: int, kernel: int, *, bias: bool = True, normalised: bool = True
    ) -> None:
        super().__init__(cin, cout, kernel, padding=kernel // 2, bias=bias)
        self.prepare(normalised)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.effective_weight(), self.bias, padding=self.padding)


class SpectralLinear(nn.Linear, _Normalised):
    """Linear layer."""

    def __init__(self, cin: int, cout: int, *, bias: bool = True, normalised: bool = True) -> None:
        super().__init__(cin, cout, bias=bias)
        self.prepare(normalised)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.effective_weight(), self.bias)


def _layers(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, _Normalised) and m.u is not None]


@torch.no_grad()
def iterate(network: nn.Module, count: int = 1) -> None:
    """Move the vectors of all such layers on by ``count`` power iterations (algorithm 1)."""
    for layer in _layers(network):
        matrix = layer.weight.flatten(1)
        for _ in range(count):
            v = F.normalize(matrix.T.mv(layer.u), dim=0)
            layer.u.copy_(F.normalize(matrix.mv(v), dim=0))


@torch.no_grad()
def fold(network: nn.Module) -> None:
    """Replace each weight by the one that its layer applies, and forget the vectors."""
    for layer in _layers(network):
        layer.weight.copy_(layer.effective_weight())
        layer.u = None
