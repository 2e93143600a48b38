"""A generator for small machines: a residual U-Net that works at low resolutions.

Pictures enter and leave by pixel shuffling (Shi et al. 2016, section 3), so that no layer works at full
resolution. There are no norms, and hence no statistics: branches begin as zero, as in Fixup (Zhang et al.
2019), and the encoder's maps are mixed into the decoder's by convolutions 1x1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from facegan.errors import ConfigError
from facegan.families.translator_config import GeneratorConfig, check_halvings
from facegan.layers.network import TranslatorNetwork


def _he(conv: nn.Conv2d | nn.ConvTranspose2d, inputs: float) -> nn.Module:
    """Draw the weights of a layer that sums ``inputs`` values, and follows a leaky ReLU (He et al. 2015)."""
    nn.init.normal_(conv.weight, 0.0, (2 / (1.04 * inputs)) ** 0.5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def _conv(a: int, b: int, kernel: int, *, stride: int = 1) -> nn.Module:
    return _he(nn.Conv2d(a, b, kernel, stride, (kernel - 1) // 2), a * kernel**2)


class Residual(nn.Module):
    """Adds a branch, which begins as zero, to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(width, width, 3), _conv(width, width, 3)
        nn.init.zeros_(self.conv2.weight)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.conv2(F.leaky_relu(self.conv1(F.leaky_relu(x, 0.2)), 0.2)))


class Light(TranslatorNetwork):
    """A generator whose ``widths`` are the channels at each resolution, from the highest downwards."""

    def __init__(self, config: GeneratorConfig, image_shape: Sequence[int]) -> None:
        super().__init__()
        if config.norm != "none" or config.dropout:
            raise ConfigError("--generator.layout light has neither norms nor dropout: --generator.norm none")
        widths, channels, stem = config.widths, image_shape[0], config.stem
        check_halvings("--generator.widths", image_shape, stem * 2 ** (len(widths) - 1))
        self.stem, self.residual = stem, config.residual
        self.first = _conv(channels * stem**2, widths[0], 3)
        pairs = list(pairwise(widths))
        self.downs = nn.ModuleList(_conv(a, b, 4, stride=2) for a, b in pairs)
        self.blocks = nn.ModuleList(Residual(widths[-1]) for _ in range(config.blocks))
        self.ups = nn.ModuleList(_he(nn.ConvTranspose2d(b, a, 4, 2, 1), 4 * b) for a, b in pairs[::-1])
        self.mixes = nn.ModuleList(_conv(2 * a, a, 1) for a, _ in pairs[::-1])
        self.last = Residual(widths[0])
        self.out = _conv(widths[0], channels * stem**2, 3)
        with torch.no_grad():
            # Pixels that are shuffled out of one place begin alike: without a grid (Aitken et al. 2017).
            alike = self.out.weight[:: stem**2].repeat_interleave(stem**2, 0)  # type: ignore[index]
            self.out.weight.copy_(alike * (0.1 if config.residual else 0.5))  # type: ignore[operator]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.pixel_unshuffle(images, self.stem) if self.stem > 1 else images
        x = self.first(x)
        maps = []
        for down in self.downs:
            maps.append(x)
            x = down(F.leaky_relu(x, 0.2))
        for block in self.blocks:
            x = block(x)
        for up, mix in zip(self.ups, self.mixes, strict=True):
            x = mix(F.leaky_relu(torch.cat([maps.pop(), up(F.leaky_relu(x, 0.2))], 1), 0.2))
        x = self.out(F.leaky_relu(self.last(x), 0.2))
        x = F.pixel_shuffle(x, self.stem) if self.stem > 1 else x
        return torch.add(x, images) if self.residual else x.tanh()
