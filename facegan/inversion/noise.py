"""The network's own noise as something to be sought, too (Karras et al. 2020, section 5).

Each picture has its own; it must stay noise: normal, and not correlated at any scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from facegan.generator import Generator

Tensor = torch.Tensor


def noise_names(model: Generator) -> list[str]:
    """Return the buffers of the network that hold noise, see docs/conventions.md."""
    return [name for name, _ in model.network.named_buffers() if name.rpartition(".")[2] == "noise_const"]


class _Synthesis(nn.Module):
    """``synthesize`` as a module's forward, for functional calls."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, w: Tensor) -> Tensor:
        found: Tensor = self.network.synthesize(w, noise="const")  # type: ignore[operator]
        return found


def synthesize_with(model: Generator, w: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """Return images of w with some of the network's tensors (by name) in place of its own; differentiable."""
    if not tensors:
        return model.synthesize(w)
    replaced = {f"network.{name}": tensor for name, tensor in tensors.items()}
    found: Tensor = torch.func.functional_call(_Synthesis(model.network), replaced, (w,))
    return found


def start_noise(model: Generator, count: int) -> dict[str, Tensor]:
    """Return ``count,H,W`` for each buffer: the network's own noise, once for each picture."""
    buffers = dict(model.network.named_buffers())
    return {n: buffers[n].detach().expand(count, -1, -1).clone() for n in noise_names(model)}


def noise_penalty(noise: Mapping[str, Tensor]) -> Tensor:
    """Return ``N``: squared mean products of neighbours, at every scale down to 8 px (equation 5)."""
    total: Tensor | None = None
    for maps in noise.values():
        x = maps[:, None]
        while True:
            each = torch.stack([(x * x.roll(1, dims=axis)).mean((1, 2, 3)).square() for axis in (2, 3)]).sum(
                0
            )
            total = each if total is None else total + each
            if min(x.shape[2:]) <= 8:
                break
            x = F.avg_pool2d(x, 2) * 2
    assert total is not None
    return total


@torch.no_grad()
def renormalise(noise: Mapping[str, Tensor]) -> None:
    """Bring each map to mean 0 and standard deviation 1, in place."""
    for maps in noise.values():
        maps -= maps.mean((1, 2), keepdim=True)
        maps *= maps.square().mean((1, 2), keepdim=True).clamp_min(1e-12).rsqrt()
