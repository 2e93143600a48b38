"""The discriminator of patches (Isola et al. 2017, appendix 6.1.2).

C64-C128-C256-C512 and one more convolution make a logit of each patch of 70x70 px: the first three halve the
resolution, and the first has no norm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from facegan.errors import ConfigError
from facegan.families.fast.projected import ProjectedHeads
from facegan.families.translator_config import DiscriminatorConfig
from facegan.layers.network import DiscriminatorNetwork
from facegan.layers.picture_norm import initialise, norm_layer


class PatchDiscriminator(DiscriminatorNetwork):
    """Makes logits ``N,1,h,w``; ``sees_input`` doubles the channels, for an input beside each picture."""

    def __init__(
        self, config: DiscriminatorConfig, image_shape: Sequence[int], *, sees_input: bool = False
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        widths, self.stem = config.widths, config.stem
        side = min(height, width) // self.stem
        for _ in widths[1:]:
            side = side // 2
        if height % self.stem or width % self.stem or side < 3:
            raise ConfigError(
                f"--discriminator.widths: {len(widths)} layers have no patch in {width}x{height} px; "
                "give fewer"
            )
        layers: list[nn.Module] = []
        cin = channels * (2 if sees_input else 1) * self.stem**2
        for i, cout in enumerate(widths):
            bias = i == 0 or config.norm != "batch"
            layers.append(nn.Conv2d(cin, cout, 4, 1 if i == len(widths) - 1 else 2, 1, bias=bias))
            layers += [*(norm_layer(config.norm, cout) if i else []), nn.LeakyReLU(0.2)]
            cin = cout
        self.layers = nn.Sequential(*layers, nn.Conv2d(cin, 1, 4, 1, 1))
        initialise(self)
        if config.projected:
            self.projected = ProjectedHeads(config.projected, config.projected_width)
            self.projected_weight = config.projected_weight

    def layers_from_image(self) -> Iterator[nn.Module]:
        """Return all layers but those of the heads on another network, which are no part of the trunk."""
        return (m for name, m in self.named_modules() if not name.startswith("projected"))

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        logits: torch.Tensor = self.layers(F.pixel_unshuffle(images, self.stem) if self.stem > 1 else images)
        return logits
