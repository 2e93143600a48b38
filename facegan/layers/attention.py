"""Attention over the pixels of a map: of all to all, and linear as in lucidrains' networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from facegan.layers.spectral import SpectralConv2d

Tensor = torch.Tensor


def blur(x: Tensor) -> Tensor:
    """Filter maps with [1, 2, 1] / 4 along both axes, mirrored at the border."""
    row = x.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(row, row).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])


class ChannelNorm(nn.Module):
    """Brings the channels of each pixel to mean 0 and deviation 1, then scales and shifts them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(1, keepdim=True)
        return x * (x.square().mean(1, keepdim=True) + 1e-5).rsqrt() * self.scale + self.shift


class LinearAttention(nn.Module):
    """Each pixel takes from a summary of all, whose size does not depend on their number (Shen et al. 2021).

    With ``window`` it also takes from its neighbours in a square of that side, by common attention. Heads
    have 64 channels.
    """

    def __init__(self, channels: int, heads: int = 8, window: int = 0) -> None:
        super().__init__()
        inner = heads * 64
        self.heads, self.window = heads, window
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key_value = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, 2 * inner, 1, bias=False),
        )
        self.near_query = nn.Conv2d(channels, inner, 1, bias=False) if window else None
        self.near_key_value = nn.Conv2d(channels, 2 * inner, 1, bias=False) if window else None
        self.out = nn.Conv2d(inner * (2 if window else 1), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        q, k, v = (
            part.reshape(n, self.heads, 64, h * w) for part in (self.query(x), *self.key_value(x).chunk(2, 1))
        )
        summary = torch.einsum("nhdp,nhep->nhde", k.softmax(3), v)
        found = torch.einsum("nhdp,nhde->nhep", q.softmax(2) / 8, summary)
        found = F.gelu(found.reshape(n, -1, h, w))
        out: Tensor = self.out(torch.cat([found, self._near(x)], 1) if self.window else found)
        return out

    def _near(self, x: Tensor) -> Tensor:
        """Return what each pixel takes from its neighbours; zeros stand beyond the border."""
        assert self.near_query is not None and self.near_key_value is not None
        n, _, h, w = x.shape
        q = self.near_query(x).reshape(n, self.heads, 64, 1, h * w) / 8
        k, v = (
            F.unfold(part, self.window, padding=self.window // 2).reshape(n, self.heads, 64, -1, h * w)
            for part in self.near_key_value(x).chunk(2, 1)
        )
        weights = (q * k).sum(2, keepdim=True).softmax(3)
        return torch.mul(weights, v).sum(3).reshape(n, -1, h, w)


class SelfAttention(nn.Module):
    """Each pixel takes from all others by their likeness (Zhang et al. 2019, equations 1 to 3).

    As in BigGAN's code, keys and values are those of 2 x 2 px, the largest of each. Queries and keys have an
    eighth of the channels, values half. ``scale``, gamma in the paper, begins at 0: maps pass as they are.
    """

    def __init__(self, channels: int, *, normalised: bool = True) -> None:
        super().__init__()
        few, half = max(1, channels // 8), max(1, channels // 2)
        more: dict[str, bool] = {"bias": False, "normalised": normalised}
        self.query = SpectralConv2d(channels, few, 1, **more)
        self.key = SpectralConv2d(channels, few, 1, **more)
        self.value = SpectralConv2d(channels, half, 1, **more)
        self.out = SpectralConv2d(half, channels, 1, **more)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)
        key, value = (F.max_pool2d(part(x), 2).flatten(2) for part in (self.key, self.value))
        weights = torch.bmm(query.transpose(1, 2), key).softmax(2)
        found = torch.bmm(value, weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return torch.add(x, self.scale * self.out(found))
