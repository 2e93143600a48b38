"""ProGAN's networks (Karras et al. 2018, table 2), which know how far they have grown.

The buffer ``level`` is 0 at the smallest resolution; between whole numbers the layers of the next one
fade in (figure 2). It travels with the weights, so that a model saved at any moment draws as it trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from facegan.errors import ConfigError
from facegan.families.progan.config import DiscriminatorConfig, GeneratorConfig, NetworkConfig
from facegan.layers.feedforward import MinibatchStd, PixelNorm
from facegan.layers.halving import halve
from facegan.layers.labels import LabelledLatent, LabelProjection
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork, Network
from facegan.layers.ops import EqualizedConv2d, EqualizedLinear


def resolutions(height: int, width: int) -> list[tuple[int, int]]:
    """Return (height, width) of each level, from one whose shorter side is 4 to 7 px."""
    found = halve(height, width)
    if min(found[0]) >= 8:
        raise ConfigError(
            f"progressive growing halves {width}x{height} px down to 4 to 7 px, which does not go "
            "evenly; prepare with --size 32, 64, 128 or 256"
        )
    if min(found[0]) < 4 or len(found) < 2:
        raise ConfigError(f"progressive growing needs pictures of 8x8 px or more, not {width}x{height}")
    return found


def _widths(config: NetworkConfig, levels: int) -> list[int]:
    """Return the channels at each level; the paper's sizes are square and begin at 4 px."""
    return [max(1, min(config.channel_max, config.channel_base // (4 * 2**i))) for i in range(levels)]


def _conv(cin: int, cout: int, kernel: int = 3) -> EqualizedConv2d:
    return EqualizedConv2d(cin, cout, kernel, activation="lrelu")


class Growing(Network):
    """A network that grows, with its level in a buffer."""

    level: torch.Tensor

    def __init__(self, image_shape: Sequence[int]) -> None:
        super().__init__()
        self.channels, *size = image_shape
        self.sizes = resolutions(*size)
        self.levels = len(self.sizes)
        self.register_buffer("level", torch.zeros(()))

    def _apply(self, fn: Any, recurse: bool = True) -> Growing:
        """Move all but the level, which stays where it can be read without waiting for a device."""
        level = self.level
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.level = level
        return self

    def stage(self) -> tuple[int, float]:
        """Return the highest level in use, and how far it has faded in (1 is wholly)."""
        level = float(self.level)
        top = math.ceil(level)
        return top, 1.0 if level == top else level % 1


class Generator(Growing, GeneratorNetwork):
    """Makes images of z: at the level's resolution in training, enlarged to the full one in sampling.

    With labels, w is z and their embedding.
    """

    ignores_length = True

    def __init__(
        self, config: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> None:
        super().__init__(image_shape)
        widths = _widths(config, len(self.sizes))
        self.z_dim, self.label_dim = z_dim, label_dim
        self.w_dim = 2 * z_dim if label_dim else z_dim
        self.num_ws = 1
        self.base = (widths[0], *self.sizes[0])
        self.norm = PixelNorm()
        self.dense = EqualizedLinear(self.w_dim, math.prod(self.base))
        # The authors' gain for the first layer is sqrt(2) / 4.
        self.dense.weight_gain *= math.sqrt(2) / 4
        self.blocks = nn.ModuleList(
            nn.ModuleList([_conv(b, b)] if i == 0 else [_conv(a, b), _conv(b, b)])
            for i, (a, b) in enumerate(zip([widths[0], *widths], widths, strict=False))
        )
        self.to_rgb = nn.ModuleList(EqualizedConv2d(width, self.channels, 1) for width in widths)
        self.joined: LabelledLatent | None = None
        if label_dim:
            self.joined = LabelledLatent(z_dim, label_dim, normalised=True)
            # Twice the inputs have a smaller constant.
            self.with_labels = {"dense.weight": math.sqrt(2) * self.joined.gain}

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return (z if self.joined is None else self.joined(z, labels))[:, None]

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        top, faded = self.stage()
        z = w[:, 0]
        x = self.dense(z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()).reshape(-1, *self.base)
        x = self.norm(F.leaky_relu(x, 0.2))
        below = x
        for i, block in enumerate(self.blocks[: top + 1]):
            below = x
            x = F.interpolate(x, scale_factor=2, mode="nearest") if i else x
            for conv in block:  # type: ignore[attr-defined]
                x = self.norm(conv(x))
        image: torch.Tensor = self.to_rgb[top](x)
        if faded < 1.0:
            old = F.interpolate(self.to_rgb[top - 1](below), scale_factor=2, mode="nearest")
            image = torch.lerp(old, image, faded)
        if self.training or top == self.levels - 1:
            return image
        return F.interpolate(image, size=self.sizes[-1], mode="nearest")


class Discriminator(Growing, DiscriminatorNetwork):
    """Makes logits ``N`` of images of the level's resolution; larger ones are averaged down to it.

    Labels are projected on the features of its last layer.
    """

    def __init__(self, config: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0) -> None:
        super().__init__(image_shape)
        self.label_dim = label_dim
        widths = _widths(config, len(self.sizes))
        self.from_rgb = nn.ModuleList(_conv(self.channels, width, 1) for width in widths)
        # Of level i, from its resolution down to the one below.
        self.blocks = nn.ModuleList(
            nn.ModuleList([_conv(b, b), _conv(b, a)])
            for a, b in zip([widths[0], *widths[:-1]], widths, strict=True)
        )
        self.mbstd = MinibatchStd(config.mbstd_group)
        self.blocks[0] = nn.ModuleList([_conv(widths[0] + 1, widths[0])])
        self.dense = EqualizedLinear(widths[0] * math.prod(self.sizes[0]), widths[0], activation="lrelu")
        self.out = EqualizedLinear(widths[0], 1)
        self.projection: LabelProjection | None = None
        if label_dim:
            self.projection = LabelProjection(label_dim, widths[0], equalized=True)

    def layers_from_image(self) -> list[nn.Module]:
        """Return the layers at full size, in the order in which an image meets them."""
        found = [self.from_rgb[-1]]
        for i in range(self.levels - 1, -1, -1):
            found += [m for m in self.blocks[i].children()]
        return [*found, self.dense, self.out]

    def prepare_real(self, images: torch.Tensor) -> torch.Tensor:
        """Return real images at the level's resolution; while a level fades in, their detail does, too."""
        top, faded = self.stage()
        images = self._shrunk(images, top)
        if faded == 1.0:
            return images
        coarse = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="nearest")
        return torch.lerp(coarse, images, faded)

    def _shrunk(self, images: torch.Tensor, level: int) -> torch.Tensor:
        factor = images.shape[2] // self.sizes[level][0]
        return F.avg_pool2d(images, factor) if factor > 1 else images

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        top, faded = self.stage()
        images = self._shrunk(images, top)
        x = self.from_rgb[top](images)
        for i in range(top, -1, -1):
            if i == 0:
                x = self.mbstd(x)
            for conv in self.blocks[i]:  # type: ignore[attr-defined]
                x = conv(x)
            if i:
                x = F.avg_pool2d(x, 2)
            if i == top and faded < 1.0:
                x = torch.lerp(self.from_rgb[top - 1](F.avg_pool2d(images, 2)), x, faded)
        x = self.dense(x.flatten(1))
        logits: torch.Tensor = self.out(x)[:, 0]
        return logits if self.projection is None else logits + self.projection(x, labels).to(logits.dtype)
