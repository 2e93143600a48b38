"""The U-Net (Isola et al. 2017, appendix 6.1.1; Ronneberger et al. 2015).

Encoder C64-C128-C256-C512-C512-C512-C512-C512, decoder CD512-CD512-CD512-C512-C256-C128-C64, where Ck is
convolution 4x4 of stride 2, batch norm and (leaky) ReLU, and CD has dropout. As in the authors' code,
neither the first layer nor the bottleneck is normalised, batch norm leaves all biases but the last out, and
the activation comes before the next convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from facegan.errors import ConfigError
from facegan.families.translator_config import GeneratorConfig, check_halvings
from facegan.layers.network import TranslatorNetwork
from facegan.layers.picture_norm import PictureDropout, initialise, norm_layer

DROPPING = 3  # blocks of the decoder, from the bottleneck, that have dropout


class UNet(TranslatorNetwork):
    """A U-Net whose ``widths`` are the encoder's channels, each at half the resolution before."""

    def __init__(self, config: GeneratorConfig, image_shape: Sequence[int]) -> None:
        super().__init__()
        widths, channels = config.widths, image_shape[0]
        if len(widths) < 2:
            raise ConfigError("--generator.widths needs at least two numbers")
        check_halvings("--generator.widths", image_shape, 2 ** len(widths))
        bias = config.norm != "batch"
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        last = len(widths) - 1
        for i, (a, b) in enumerate(zip([channels, *widths], widths, strict=False)):
            plain = i in (0, last)
            layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if i else []
            layers.append(nn.Conv2d(a, b, 4, 2, 1, bias=bias))
            self.downs.append(nn.Sequential(*layers, *([] if plain else norm_layer(config.norm, b))))
        for i in range(last, 0, -1):  # from the bottleneck up; all but the first see the encoder's maps, too
            layers = [
                nn.ReLU(),
                nn.ConvTranspose2d(widths[i] * (1 if i == last else 2), widths[i - 1], 4, 2, 1, bias=bias),
                *norm_layer(config.norm, widths[i - 1]),
            ]
            if config.dropout and i > last - DROPPING:
                layers.append(PictureDropout(config.dropout, i))
            self.ups.append(nn.Sequential(*layers))
        self.out = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * widths[0], channels, 4, 2, 1), nn.Tanh())
        initialise(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps, x = [], images
        for down in self.downs:
            x = down(x)
            maps.append(x)
        maps.pop()
        for up in self.ups:
            x = torch.cat([maps.pop(), up(x)], 1)
        result: torch.Tensor = self.out(x)
        return result
