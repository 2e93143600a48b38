"""The residual generator (Zhu et al. 2017, section 7.2; Johnson et al. 2016).

c7s1-64, d128, d256, R256 x 9, u128, u64, c7s1-3: convolution 7x7, halving, residual blocks, doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from facegan.errors import ConfigError
from facegan.families.translator_config import GeneratorConfig, check_halvings
from facegan.layers.network import TranslatorNetwork
from facegan.layers.picture_norm import initialise, norm_layer


class Residual(nn.Module):
    """Two convolutions 3x3 with reflected borders, added to their input."""

    def __init__(self, width: int, norm: str) -> None:
        super().__init__()
        bias = norm != "batch"
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            *norm_layer(norm, width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            *norm_layer(norm, width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.layers(x))


class ResNet(TranslatorNetwork):
    """A generator whose ``widths`` are the channels at each resolution, from the picture's downwards."""

    def __init__(self, config: GeneratorConfig, image_shape: Sequence[int]) -> None:
        super().__init__()
        widths, channels, norm = config.widths, image_shape[0], config.norm
        whole = 2 ** (len(widths) - 1)
        check_halvings("--generator.widths", image_shape, whole)
        if min(image_shape[1:]) < max(2 * whole, 4):
            raise ConfigError(
                f"--generator.widths: this layout needs sides of {max(2 * whole, 4)} px or more"
            )
        bias = norm != "batch"
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, widths[0], 7, bias=bias)]
        layers += [*norm_layer(norm, widths[0]), nn.ReLU()]
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 3, 2, 1, bias=bias), *norm_layer(norm, b), nn.ReLU()]
        layers += [Residual(widths[-1], norm) for _ in range(config.blocks)]
        for a, b in pairwise(widths[::-1]):
            layers += [
                nn.ConvTranspose2d(a, b, 3, 2, 1, output_padding=1, bias=bias),
                *norm_layer(norm, b),
                nn.ReLU(),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(widths[0], channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layers(images)
        return result
