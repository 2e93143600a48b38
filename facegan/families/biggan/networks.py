"""BigGAN's networks (Brock et al. 2019, appendix B), wide as in tables 4 to 6 or deep as in tables 7 to 9.

w has a row for the first layer and one for each block: a chunk of z (hierarchical latents, section 3), or
all of it with ``deep``, and beside that the embedding of the labels, which all blocks share. Without labels,
its chunk alone controls a block (Chen et al. 2019, self-modulation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from facegan import distributed
from facegan.devices import full_precision
from facegan.families.biggan.blocks import (
    DeepDiscriminatorBlock,
    DeepGeneratorBlock,
    DiscriminatorBlock,
    GeneratorBlock,
)
from facegan.families.biggan.config import (
    DEPTH,
    DiscriminatorConfig,
    GeneratorConfig,
    Plan,
    chunk_of,
    slots_of,
)
from facegan.layers.attention import SelfAttention
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork
from facegan.layers.spectral import SpectralConv2d, SpectralLinear

Tensor = torch.Tensor


class Embedding(nn.Module):
    """The embedding ``N,dim`` of labels ``N,label_dim``: a row for a class, a sum of rows for attributes."""

    def __init__(self, label_dim: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(label_dim, dim))
        nn.init.orthogonal_(self.weight)

    def forward(self, labels: Tensor) -> Tensor:
        with full_precision(self.weight.device):
            return labels.to(self.weight.dtype) @ self.weight


class Generator(GeneratorNetwork):
    """Makes images of latents and labels ``N,label_dim``, one-hot classes or yes/no attributes."""

    renews_statistics = True

    def __init__(
        self, settings: GeneratorConfig, plan: Plan, *, channels: int, z_dim: int, label_dim: int
    ) -> None:
        super().__init__()
        stages, normalised = len(plan.sizes), settings.spectral_norm
        self.z_dim, self.label_dim, self.deep = z_dim, label_dim, settings.deep
        self.num_ws = slots_of(settings, stages)
        self.chunk = chunk_of(settings, stages, z_dim)
        self.w_dim = self.chunk + (settings.shared_dim if label_dim else 0)
        self.embed = Embedding(label_dim, settings.shared_dim) if label_dim else None
        self.base, first = plan.sizes[0], plan.channels[0]
        # The wide network's first layer takes its chunk alone (figure 15a), the deep one's the labels, too.
        self.first_takes = self.w_dim if settings.deep else self.chunk
        features = first * self.base[0] * self.base[1]
        self.first = SpectralLinear(self.first_takes, features, normalised=normalised)
        self.blocks = nn.ModuleList(self._blocks(settings, plan))
        self.attention_after, self.attention = -1, None  # type: tuple[int, SelfAttention | None]
        if settings.attention:
            stage = plan.stage_of(settings.attention)
            self.attention_after = stage * (DEPTH if settings.deep else 1) - 1
            self.attention = SelfAttention(plan.channels[stage], normalised=normalised)
        last = plan.channels[-1]
        self.norm = distributed.BatchNorm2d(last, settings.bn_eps, settings.bn_momentum)
        self.to_image = SpectralConv2d(last, channels, 3, normalised=normalised)
        if label_dim:
            names = [
                name for name, _ in self.named_parameters() if name.split(".")[-2][:-1] in ("gain", "shift")
            ]
            self.with_labels = dict.fromkeys([*names, *["first.weight"] * settings.deep], 1.0)
            self.embeddings = frozenset({"embed.weight"})

    def _blocks(self, settings: GeneratorConfig, plan: Plan) -> Iterator[nn.Module]:
        for cin, cout in pairwise(plan.channels):
            if settings.deep:
                yield DeepGeneratorBlock(cin, cin, self.w_dim, up=False, settings=settings)
                yield DeepGeneratorBlock(cin, cout, self.w_dim, up=True, settings=settings)
            else:
                yield GeneratorBlock(cin, cout, self.w_dim, settings=settings)

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.deep:
            w = z[:, None].expand(-1, self.num_ws, -1)
        else:
            w = z.unflatten(1, (self.num_ws, self.chunk))
        if self.embed is None:
            return w
        labels = z.new_zeros(len(z), self.label_dim) if labels is None else labels
        told = self.embed(labels).to(z.dtype)
        return torch.cat([w, told[:, None].expand(-1, self.num_ws, -1)], 2)

    def synthesize(self, w: Tensor, noise: str = "const") -> Tensor:
        x = self.first(w[:, 0, : self.first_takes]).unflatten(1, (-1, *self.base))
        for i, block in enumerate(self.blocks):
            x = block(x, w[:, i + 1])
            if self.attention is not None and i == self.attention_after:
                x = self.attention(x)
        return torch.tanh(self.to_image(F.relu(self.norm(x))))


class Discriminator(DiscriminatorNetwork):
    """Makes logits ``N`` of images: a linear function of the features, and their product with V y.

    The features are sums over the last map's places. V is the embedding of the projection (Miyato and Koyama
    2018, equation 4), spectrally normalised.
    """

    def __init__(self, settings: DiscriminatorConfig, plan: Plan, *, channels: int, label_dim: int) -> None:
        super().__init__()
        normalised = settings.spectral_norm
        self.label_dim = label_dim
        widths = plan.channels
        self.from_image = (
            SpectralConv2d(channels, widths[0], 3, normalised=normalised) if settings.deep else None
        )
        self.blocks = nn.ModuleList(_judges(settings, widths, channels))
        self.attention_after, self.attention = -1, None  # type: tuple[int, SelfAttention | None]
        if settings.attention:
            halvings = len(plan.sizes) - 1 - plan.stage_of(settings.attention)
            self.attention_after = halvings * (DEPTH if settings.deep else 1) - 1
            width = widths[halvings if settings.deep else halvings - 1]
            self.attention = SelfAttention(width, normalised=normalised)
        self.linear = SpectralLinear(widths[-1], 1, normalised=normalised)
        self.embed: SpectralLinear | None = None
        if label_dim:
            self.embed = SpectralLinear(label_dim, widths[-1], bias=False, normalised=normalised)

    def layers_from_image(self) -> Iterable[nn.Module]:
        after = self.attention_after + 1
        stem = [] if self.from_image is None else [self.from_image]
        attention = [] if self.attention is None else [self.attention]
        parts = [*stem, *self.blocks[:after], *attention, *self.blocks[after:], self.linear]
        parts += [] if self.embed is None else [self.embed]
        return (layer for part in parts for layer in part.modules())

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        x = images if self.from_image is None else self.from_image(images)
        for i, block in enumerate(self.blocks):
            x = block(x)
            if self.attention is not None and i == self.attention_after:
                x = self.attention(x)
        if self.embed is not None and labels is None:
            raise ValueError("a discriminator of labelled pictures needs their labels")
        with full_precision(x.device):  # a logit is a sum of many numbers
            wide = torch.promote_types(x.dtype, torch.float32)
            features = F.relu(x).to(wide).sum((2, 3))
            logits = cast(Tensor, self.linear(features))[:, 0]
            if self.embed is None or labels is None:
                return logits
            return logits + torch.mul(features, self.embed(labels.to(features.dtype))).sum(1)


def _judges(settings: DiscriminatorConfig, widths: tuple[int, ...], channels: int) -> Iterator[nn.Module]:
    """Return the blocks in the order in which an image meets them."""
    normalised = settings.spectral_norm
    if settings.deep:
        for cin, cout in pairwise(widths):
            yield DeepDiscriminatorBlock(cin, cout, down=True, normalised=normalised)
            yield DeepDiscriminatorBlock(cout, cout, down=False, normalised=normalised)
        return
    for i, (cin, cout) in enumerate(zip((channels, *widths), widths, strict=False)):
        down = i < len(widths) - 1
        yield DiscriminatorBlock(cin, cout, first=i == 0, down=down, normalised=normalised)
