"""StyleGAN2's networks (Karras et al. 2020), with the paper's numbers unless stated otherwise.

Shapes: z ``N,z_dim``, labels ``N,label_dim``, w ``N,num_ws,w_dim``, images ``N,C,H,W``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from facegan import distributed
from facegan.devices import full_precision
from facegan.layers.feedforward import MinibatchStd, PixelNorm
from facegan.layers.halving import resolutions
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork, Mix
from facegan.layers.ops import EqualizedConv2d, EqualizedLinear, upsample2d
from facegan.layers.styled import FILTER, StyledConv, ToRGB

if TYPE_CHECKING:
    from facegan.families.stylegan2.config import DiscriminatorConfig, GeneratorConfig


# --- geometry ----------------------------------------------------------------------------------------


def channels(config: GeneratorConfig | DiscriminatorConfig, level: tuple[int, int]) -> int:
    """Return channel_base / the longer side, in eights if that is no power of two, channel_max at most."""
    wide = config.channel_base // max(level)
    return max(1, min(config.channel_max, wide // 8 * 8 if wide > 8 else wide))


# --- mapping -----------------------------------------------------------------------------------------


class Mapping(nn.Module):
    """Maps z and labels to w ``N,w_dim`` (Karras et al. 2019, section 2; labels: Karras et al. 2020b, code).

    Both are normalised to unit mean square; for the discriminator, without ``z_dim``, it maps labels alone.
    """

    def __init__(self, z_dim: int, label_dim: int, w_dim: int, *, layers: int, lr_multiplier: float) -> None:
        super().__init__()
        self.label_dim = label_dim
        self.norm = PixelNorm()
        self.embed = EqualizedLinear(label_dim, w_dim) if label_dim else None
        if self.embed is not None and self.embed.bias is not None:
            # Labels may all be 0 (no smile, no glasses), and a vector of 0 has no direction to normalise.
            nn.init.normal_(self.embed.bias)
        widths = [z_dim + (w_dim if label_dim else 0), *[w_dim] * layers]
        self.layers = nn.Sequential(
            *(
                EqualizedLinear(a, b, lr_multiplier=lr_multiplier, activation="lrelu")
                for a, b in itertools.pairwise(widths)
            )
        )

    def forward(self, z: torch.Tensor | None, labels: torch.Tensor | None = None) -> torch.Tensor:
        weight = cast(EqualizedLinear, self.layers[0]).weight
        with full_precision(weight.device):  # cheap, and all of a picture hangs on it
            parts = [] if z is None else [self.norm(z.to(weight.dtype))]
            if self.embed is not None:
                assert labels is not None
                parts.append(self.norm(self.embed(labels.to(weight.dtype))))
            w: torch.Tensor = self.layers(torch.cat(parts, 1) if len(parts) > 1 else parts[0])
            return w


# --- synthesis ---------------------------------------------------------------------------------------


class SynthesisBlock(nn.Module):
    """One level of the skip generator (figure 7b): convolutions, and the image so far made larger."""

    def __init__(
        self,
        cin: int,
        cout: int,
        image_channels: int,
        *,
        w_dim: int,
        size: tuple[int, int],
        first: bool,
        clamp: float,
    ) -> None:
        super().__init__()
        self.conv0 = None if first else StyledConv(cin, cout, w_dim, size=size, up=2, clamp=clamp)
        self.conv1 = StyledConv(cin if first else cout, cout, w_dim, size=size, clamp=clamp)
        self.rgb = ToRGB(cout, image_channels, w_dim, clamp=clamp)

    def forward(
        self, x: torch.Tensor, image: torch.Tensor | None, ws: Sequence[torch.Tensor], *, noise: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.conv0 is not None:
            x = self.conv0(x, ws[0], noise)
        x = self.conv1(x, ws[-2], noise)
        rgb = self.rgb(x, ws[-1])
        return x, rgb if image is None else upsample2d(image, FILTER) + rgb


class Generator(GeneratorNetwork):
    """Makes images of z, around [-1, 1]: the last layer is linear, so that some values lie beyond.

    A convolution takes one w each; the layer to the image shares that of the next convolution.
    """

    def __init__(
        self, config: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        levels = resolutions(height, width)
        self.z_dim, self.w_dim, self.label_dim = z_dim, config.w_dim, label_dim
        self.num_ws = 2 * len(levels)
        self.style_mixing, self.w_avg_beta = config.style_mixing, config.w_avg_beta
        self.mapping = Mapping(
            z_dim,
            label_dim,
            config.w_dim,
            layers=config.mapping_layers,
            lr_multiplier=config.mapping_lr_multiplier,
        )
        widths = [channels(config, level) for level in levels]
        self.const = nn.Parameter(torch.randn(1, widths[0], *levels[0]))
        self.blocks = nn.ModuleList(
            SynthesisBlock(
                widths[max(i - 1, 0)],
                widths[i],
                image_channels,
                w_dim=config.w_dim,
                size=level,
                first=i == 0,
                clamp=config.clamp,
            )
            for i, level in enumerate(levels)
        )
        if label_dim:  # an equalised layer with more inputs has a smaller constant
            self.with_labels = {"mapping.layers.0.weight": math.sqrt((z_dim + config.w_dim) / z_dim)}
        self.w_avg: torch.Tensor
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    @property
    def average_w(self) -> torch.Tensor:
        return self.w_avg

    @property
    def draws_noise(self) -> bool:
        return True

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return w ``N,num_ws,w_dim``, the same for each layer; truncation is left to the caller.

        ``labels`` None are zeros where the network takes some.
        """
        if labels is None and self.label_dim:
            labels = z.new_zeros(z.shape[0], self.label_dim)
        w: torch.Tensor = self.mapping(z, labels)
        return w.unsqueeze(1).expand(-1, self.num_ws, -1)

    def styles(
        self, z: torch.Tensor, labels: torch.Tensor | None = None, mix: Mix | None = None
    ) -> torch.Tensor:
        """Return w ``N,num_ws,w_dim`` of a training batch, mix styles, and let the average of w follow.

        Mixing (Karras et al. 2019, section 3.1): an image with u[0] < style_mixing takes w of its second
        latent from layer 1 + floor(u[1] (num_ws - 1)) on.
        """
        w = self.map(z, labels)
        if self.training:
            with torch.no_grad():
                mean = distributed.mean(w[:, 0].mean(0)).to(self.w_avg.dtype)
                self.w_avg.lerp_(mean, 1.0 - self.w_avg_beta ** (1 / self.pieces))
        if mix is None:
            return w
        z2, u = mix
        start = 1 + (u[:, 1] * (self.num_ws - 1)).long().clamp(max=self.num_ws - 2)
        start = torch.where(u[:, 0] < self.style_mixing, start, self.num_ws)
        second = torch.arange(self.num_ws, device=start.device) >= start[:, None]
        return torch.where(second.to(w.device)[:, :, None], self.map(z2, labels), w)

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        """Return images of w ``N,num_ws,w_dim``; ``noise`` is const (fixed), random or none."""
        ws = w.unbind(1)
        x = self.const.expand(w.shape[0], -1, -1, -1)
        x, image = self.blocks[0](x, None, ws[:2], noise=noise)
        for i, block in enumerate(self.blocks[1:]):
            x, image = block(x, image, ws[2 * i + 1 : 2 * i + 4], noise=noise)
        return cast(torch.Tensor, image)


# --- discriminator -----------------------------------------------------------------------------------


class ResidualBlock(nn.Module):
    """Halves the size (figure 7c). The sum of both ways is divided by sqrt(2)."""

    def __init__(self, cin: int, cout: int, clamp: float) -> None:
        super().__init__()
        half = math.sqrt(0.5)
        self.conv0 = EqualizedConv2d(cin, cin, 3, activation="lrelu", clamp=clamp)
        # sqrt(2) of the activation and sqrt(1/2) of the sum cancel.
        self.conv1 = EqualizedConv2d(
            cin, cout, 3, down=2, f=FILTER, activation="lrelu", gain=1.0, clamp=clamp * half
        )
        self.skip = EqualizedConv2d(cin, cout, 1, down=2, f=FILTER, bias=False, gain=half)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(self.conv1(self.conv0(x)), self.skip(x))


class Discriminator(DiscriminatorNetwork):
    """Makes logits ``N`` of images.

    Labels are mapped (Karras et al. 2020b, code) and projected on (Miyato and Koyama 2018, equation 4).
    """

    def __init__(self, config: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0) -> None:
        super().__init__()
        image_channels, height, width = image_shape
        levels = resolutions(height, width)[::-1]
        widths = [channels(config, level) for level in levels]
        self.label_dim = label_dim
        clamp = config.clamp
        self.from_rgb = EqualizedConv2d(image_channels, widths[0], 1, activation="lrelu", clamp=clamp)
        self.blocks = nn.Sequential(*(ResidualBlock(a, b, clamp) for a, b in itertools.pairwise(widths)))
        last = widths[-1]
        self.mbstd = MinibatchStd(config.mbstd_group) if config.mbstd_group else None
        self.conv = EqualizedConv2d(last + bool(config.mbstd_group), last, 3, activation="lrelu", clamp=clamp)
        self.dense = EqualizedLinear(last * math.prod(levels[-1]), last, activation="lrelu")
        self.out = EqualizedLinear(last, last if label_dim else 1)
        self.mapping = None
        if label_dim:
            self.mapping = Mapping(
                0, label_dim, last, layers=config.mapping_layers, lr_multiplier=config.mapping_lr_multiplier
            )

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x: torch.Tensor = self.blocks(self.from_rgb(images))
        with full_precision(x.device):  # the last few layers in full precision
            x = x.to(torch.promote_types(x.dtype, torch.float32))
            x = x if self.mbstd is None else self.mbstd(x)
            x = self.out(self.dense(self.conv(x).flatten(1)))
        if self.mapping is None:
            return x.squeeze(1)
        if labels is None:
            labels = x.new_zeros(x.shape[0], self.label_dim)
        return torch.mul(x, self.mapping(None, labels)).sum(1) / math.sqrt(x.shape[1])
