"""The generator of stylegan2-pytorch: StyleGAN2's, with other resampling, noise, gains and mapping.

Shapes: z ``N,z_dim``, w ``N,num_ws,z_dim``, images ``N,C,H,W``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from facegan.errors import ConfigError
from facegan.families.stylegan2_pytorch.config import GeneratorConfig
from facegan.layers.attention import ChannelNorm, LinearAttention, blur
from facegan.layers.network import GeneratorNetwork
from facegan.layers.ops import modulated_conv2d

Tensor = torch.Tensor


class Attention(nn.Module):
    """Linear attention, then two convolutions, each added to what it was given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(ChannelNorm(width), LinearAttention(width))
        self.forward_layers = nn.Sequential(
            ChannelNorm(width),
            nn.Conv2d(width, 2 * width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(x)
        return torch.add(x, self.forward_layers(x))


class Modulated(nn.Module):
    """Convolution modulated by 1 + a linear function of w.

    With ``noise``, a plane of numbers is added and a leaky ReLU follows.
    """

    def __init__(self, cin: int, cout: int, w_dim: int, *, noise: bool) -> None:
        super().__init__()
        self.style = nn.Linear(w_dim, cin)
        self.noise = nn.Linear(1, cout) if noise else None
        self.weight = nn.Parameter(torch.randn(cout, cin, *((3, 3) if noise else (1, 1))))

    def forward(self, x: Tensor, w: Tensor, plane: Tensor) -> Tensor:
        demodulate = self.noise is not None
        x = modulated_conv2d(x, self.weight, self.style(w) + 1, demodulate=demodulate)
        if self.noise is None:
            return x
        drawn = self.noise(plane[:, : x.shape[2], : x.shape[3], None]).permute(0, 3, 1, 2)
        return F.leaky_relu(x + drawn, 0.2)


class Block(nn.Module):
    """One resolution: two convolutions, and what they add to the picture."""

    def __init__(self, cin: int, cout: int, channels: int, *, w_dim: int, attention: bool) -> None:
        super().__init__()
        self.attention = Attention(cin) if attention else None
        self.conv1 = Modulated(cin, cout, w_dim, noise=True)
        self.conv2 = Modulated(cout, cout, w_dim, noise=True)
        self.rgb = Modulated(cout, channels, w_dim, noise=False)


class Generator(GeneratorNetwork):
    """Makes images of z, around [-1, 1]; the library's own are around [0, 1].

    Each resolution takes one w. All noise of a picture is one plane of numbers between 0 and 1, of which
    each layer takes a corner.
    """

    ignores_length = False

    def __init__(self, config: GeneratorConfig, image_shape: Sequence[int], z_dim: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        widths = config.widths
        if not widths or (height, width) != (4 << len(widths) - 1,) * 2:
            raise ConfigError("stylegan2-pytorch: widths needs one number for each resolution from 4x4 on")
        self.z_dim = self.w_dim = z_dim
        self.num_ws = len(widths)
        self.mapping = nn.ModuleList(nn.Linear(z_dim, z_dim) for _ in range(config.mapping_layers))
        first = widths[0]
        self.const = nn.Parameter(torch.randn(1, first, 4, 4)) if config.const else None
        self.from_w = None if config.const else nn.ConvTranspose2d(z_dim, first, 4, bias=False)
        self.conv = nn.Conv2d(first, first, 3, padding=1)
        self.blocks = nn.ModuleList(
            Block(a, b, channels, w_dim=z_dim, attention=i in config.attention)
            for i, (a, b) in enumerate(zip((first, *widths), widths, strict=False))
        )
        self.noise_const: Tensor
        self.w_avg: Tensor
        self.register_buffer("noise_const", torch.zeros(height, width))
        self.register_buffer("w_avg", torch.zeros(z_dim))

    @property
    def average_w(self) -> Tensor:
        return self.w_avg

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = F.normalize(z, dim=1)
        for layer in self.mapping:
            x = F.leaky_relu(layer(x), 0.2)
        return x[:, None].expand(-1, self.num_ws, -1)

    def synthesize(self, w: Tensor, noise: str = "const") -> Tensor:
        plane = self.noise_const.reshape(-1, *self.noise_const.shape[-2:])
        if noise == "random":
            plane = torch.rand(w.shape[0], *plane.shape[1:], device=w.device, dtype=w.dtype)
        elif noise == "none":  # its mean
            plane = torch.full_like(plane, 0.5)
        if self.const is not None:
            x = self.const.expand(w.shape[0], -1, -1, -1)
        else:
            assert self.from_w is not None
            x = self.from_w(w.mean(1)[:, :, None, None])
        x, image = self.conv(x), None
        for i, (block, style) in enumerate(zip(self.blocks, w.unbind(1), strict=True)):
            assert isinstance(block, Block)
            if block.attention is not None:
                x = block.attention(x)
            if i:
                x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = block.conv2(block.conv1(x, style, plane), style, plane)
            rgb = block.rgb(x, style, plane)
            if image is not None:
                rgb = rgb + blur(F.interpolate(image, scale_factor=2, mode="bilinear"))
            image = rgb
        assert image is not None
        return torch.mul(image, 2) - 1
