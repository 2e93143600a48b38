"""The generator of lightweight-gan.

It is FastGAN's (Liu et al. 2021) with other resampling, excitation and attention.

Shapes: z ``N,z_dim``, images ``N,C,H,W``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from facegan.errors import ConfigError
from facegan.families.lightweight_gan.config import GeneratorConfig
from facegan.layers.attention import ChannelNorm, LinearAttention, blur
from facegan.layers.network import GeneratorNetwork

Tensor = torch.Tensor
GATED = {3: 7, 4: 8, 5: 9, 6: 10}
"""log2 of a resolution -> that whose channels it gates, counted before they are made larger."""


class Excitation(nn.Module):
    """Gates ``N,cout,1,1`` between 0 and 1, of a weighted mean of the map's pixels.

    With a ``size``, their weights are fixed waves, one for each channel (Qin et al. 2021).
    """

    def __init__(self, cin: int, cout: int, size: int) -> None:
        super().__init__()
        self.key = None if size else nn.Conv2d(cin, 1, 1)
        self.waves: Tensor | None
        self.register_buffer("waves", torch.zeros(1, cin, size, size) if size else None)
        inner = max(3, cout // (4 if size else 2))
        self.net = nn.Sequential(
            nn.Conv2d(cin, inner, 1), nn.LeakyReLU(0.1), nn.Conv2d(inner, cout, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = self.waves
        if weights is None:
            assert self.key is not None
            weights = self.key(x).flatten(2).softmax(2).reshape(-1, 1, *x.shape[2:])
        gate: Tensor = self.net((x * weights).sum((2, 3), keepdim=True))
        return gate


class Layer(nn.Module):
    """Doubles the resolution: pixel shuffling, blur, convolution, noise, batch norm, gated linear unit."""

    def __init__(self, cin: int, cout: int, *, size: int, attention: bool) -> None:
        super().__init__()
        self.attention = (
            nn.Sequential(ChannelNorm(cin), LinearAttention(cin, window=3)) if attention else None
        )
        self.up = nn.Conv2d(cin, 4 * cin, 1)
        self.conv = nn.Conv2d(cin, 2 * cout, 4)
        self.strength = nn.Parameter(torch.zeros(()))
        self.norm = nn.BatchNorm2d(2 * cout)
        self.noise_const: Tensor
        self.register_buffer("noise_const", torch.zeros(size, size))

    def forward(self, x: Tensor, noise: str) -> Tensor:
        if self.attention is not None:
            x = x + self.attention(x)
        x = blur(F.pixel_shuffle(F.silu(self.up(x)), 2))
        x = self.conv(F.pad(x, (2, 1, 2, 1)))
        if noise != "none":
            plane = self.noise_const.reshape(-1, 1, *x.shape[2:])
            x = x + (torch.randn_like(x[:, :1]) if noise == "random" else plane) * self.strength
        return F.glu(self.norm(x), 1)


class Generator(GeneratorNetwork):
    """Makes images of z, around [-1, 1]; the library's own are around [0, 1]."""

    num_ws = 1

    def __init__(self, config: GeneratorConfig, image_shape: Sequence[int], z_dim: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        widths = config.widths
        if not widths or (height, width) != (4 << len(widths),) * 2:
            raise ConfigError("lightweight-gan: widths needs one number for each resolution from 8x8 on")
        self.z_dim = self.w_dim = z_dim
        self.first = nn.Sequential(
            nn.ConvTranspose2d(z_dim, 2 * z_dim, 4), nn.BatchNorm2d(2 * z_dim), nn.GLU(1)
        )
        self.layers = nn.ModuleList(
            Layer(a, b, size=8 << i, attention=i in config.attention)
            for i, (a, b) in enumerate(zip((z_dim, *widths), widths, strict=False))
        )
        top = len(widths) + 2
        self.gates = nn.ModuleDict(
            {
                str(low - 2): Excitation(
                    widths[low - 2], widths[high - 3], 2 << low if config.frequencies else 0
                )
                for low, high in GATED.items()
                if high <= top
            }
        )
        self.out = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return z[:, None]

    def synthesize(self, w: Tensor, noise: str = "const") -> Tensor:
        x = F.normalize(self.first(w[:, 0, :, None, None]), dim=1)
        gates: dict[int, Tensor] = {}
        for i, layer in enumerate(self.layers):
            x = layer(x, noise)
            if str(i) in self.gates:
                gates[GATED[i + 2]] = self.gates[str(i)](x)
            if i + 3 in gates:
                x = x * gates[i + 3]
        return torch.mul(self.out(x), 2) - 1
