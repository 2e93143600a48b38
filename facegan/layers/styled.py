"""Layers that a style modulates (Karras et al. 2020, figure 2)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from facegan import distributed
from facegan.layers.ops import EqualizedLinear, limited, modulated_conv2d, setup_filter

FILTER = setup_filter((1, 3, 3, 1))


class StyledConv(nn.Module):
    """Modulated 3 x 3 convolution, noise of learned strength, bias, leaky ReLU (figure 2c).

    ``clamp`` limits the output's magnitude, unless it is 0.
    """

    def __init__(
        self, cin: int, cout: int, w_dim: int, *, size: tuple[int, int], up: int = 1, clamp: float = 0.0
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.size, self.up = cin, cout, size, up
        self.clamp = clamp
        self.affine = EqualizedLinear(w_dim, cin, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(cout, cin, 3, 3))
        self.bias = nn.Parameter(torch.zeros(cout))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.noise_const: torch.Tensor
        self.register_buffer("noise_const", torch.randn(size))

    def forward(self, x: torch.Tensor, w: torch.Tensor, noise: str) -> torch.Tensor:
        # The activation's gain goes in before it, where there is a multiplication anyway.
        gain = math.sqrt(2)
        bias = (self.bias * gain)[None, :, None, None]
        drawn: torch.Tensor | None = None
        if noise != "none":
            drawn = self.noise_const.reshape(-1, 1, *self.size) if noise == "const" else self._draw(x)
            drawn = drawn * (self.noise_strength * gain)
        offset = bias if drawn is None else drawn
        x = modulated_conv2d(x, self.weight, self.affine(w), up=self.up, f=FILTER, gain=gain, offset=offset)
        return limited(F.leaky_relu(x if drawn is None else x + bias.to(x.dtype), 0.2), self.clamp)

    def _draw(self, x: torch.Tensor) -> torch.Tensor:
        dtype = torch.promote_types(x.dtype, torch.float32)  # the same numbers at any precision of training
        return distributed.shared_randn((x.shape[0], 1, *self.size), x.device, dtype)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, size={self.size}, up={self.up}"


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to an image, without demodulation."""

    up = 1

    def __init__(self, cin: int, cout: int, w_dim: int, *, clamp: float = 0.0) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.clamp = cin, cout, clamp
        self.affine = EqualizedLinear(w_dim, cin, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(cout, cin, 1, 1))
        self.bias = nn.Parameter(torch.zeros(cout))
        self.gain = 1.0 / math.sqrt(cin)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        x = modulated_conv2d(x, self.weight, self.affine(w), demodulate=False, gain=self.gain)
        # Images of all levels are summed in full precision.
        x = x.to(torch.promote_types(x.dtype, torch.float32)) + self.bias[None, :, None, None]
        return limited(x, self.clamp)
