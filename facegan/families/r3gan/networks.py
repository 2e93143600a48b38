"""R3GAN's networks (Huang et al. 2024, section 3.4): residual, symmetric, without normalisation.

One stage a resolution: a transition (bilinear resampling, and a 1 x 1 convolution where the width
changes) and residual blocks, each 1 x 1 -> leaky ReLU -> grouped 3 x 3 -> leaky ReLU -> 1 x 1. The paper
gives no bias to a block's last convolution and is silent about the others outside of blocks: none has one,
which agrees with the parameter counts of its table 9.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from facegan.devices import full_precision
from facegan.families.r3gan.config import Stages
from facegan.layers.convolution import Conv2d
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork

Tensor = torch.Tensor
SLOPE = 0.2
GAIN = math.sqrt(2.0 / (1.0 + SLOPE**2))


def _normal(weight: Tensor, gain: float = 1.0) -> None:
    """Draw from N(0, gain^2 / fan-in) (He et al. 2015, equations 14 and 15)."""
    nn.init.normal_(weight, 0.0, gain / math.sqrt(weight[0].numel()))


class ResidualBlock(nn.Module):
    """Add f(x) to x: f is ``expansion`` times wider inside, its 3 x 3 in groups of ``group_size`` channels.

    Fix-up (Zhang et al. 2019, as in Huang et al. 2024, section 3.4): the last convolution begins at 0, the
    other two are drawn smaller by L^(-1/4), L the number of residual blocks in the network.
    """

    def __init__(self, width: int, expansion: int, group_size: int, *, kernel: int, blocks: int) -> None:
        super().__init__()
        inner = width * expansion
        groups = inner // group_size
        self.expand = Conv2d(width, inner, 1)
        self.grouped = Conv2d(inner, inner, kernel, padding=kernel // 2, groups=groups)
        self.project = Conv2d(inner, width, 1, bias=False)
        for conv in (self.expand, self.grouped):
            _normal(conv.weight, GAIN * blocks**-0.25)
            nn.init.zeros_(cast(Tensor, conv.bias))
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.expand(x), SLOPE, inplace=True)
        y = F.leaky_relu(self.grouped(y), SLOPE, inplace=True)
        return torch.add(x, self.project(y))


def _resample(x: Tensor, kernel: Tensor, up: bool) -> Tensor:
    channels = x.shape[1]
    kernel = kernel.to(x.dtype).expand(channels, 1, 4, 4)
    operator = F.conv_transpose2d if up else F.conv2d
    return operator(x, kernel, stride=2, padding=1, groups=channels)


class _Resample(torch.autograd.Function):
    """Resampling by a function whose derivatives are resampling, too: PyTorch's walk through the channels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, up: bool) -> Tensor:  # noqa: PLR0917
        ctx.kernel, ctx.up = kernel, up
        return _resample(x, kernel, up)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _Resample.apply(g, ctx.kernel, not ctx.up), None, None


class Resample(nn.Module):
    """Bilinear resampling to twice (``up``) or half the size, with zeros around the picture.

    [1, 2, 1] over repeated pixels, or before pairs are averaged, is [1, 3, 3, 1] at a stride of 2 (Huang et
    al. 2024, appendix E).
    """

    kernel: Tensor

    def __init__(self, up: bool) -> None:
        super().__init__()
        self.up = up
        row = [tap / (4 if up else 8) for tap in (1.0, 3.0, 3.0, 1.0)]
        kernel = torch.tensor([[[[a * b for b in row] for a in row]]])
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() and x.requires_grad:
            return cast(Tensor, _Resample.apply(x, self.kernel, self.up))
        return _resample(x, self.kernel, self.up)

    def extra_repr(self) -> str:
        return "up" if self.up else "down"


def _plain(cin: int, cout: int) -> Conv2d:
    conv = Conv2d(cin, cout, 1, bias=False)
    _normal(conv.weight)
    return conv


def _transition(up: bool, cin: int, cout: int) -> list[nn.Module]:
    """Return resampling and a change of width, which takes place where there are fewer pixels."""
    change: list[nn.Module] = [_plain(cin, cout)] if cin != cout else []
    return [*change, Resample(up)] if up else [Resample(up), *change]


class Basis(nn.Module):
    """Learned feature maps ``1,C,h,w``, each times a linear function of the latent.

    Four axes let their layout in memory, channels-last in training, be that of everything after them.
    """

    def __init__(self, inputs: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(1, width, *size))
        self.scale = nn.Linear(inputs, width, bias=False)
        _normal(self.scale.weight)

    def forward(self, z: Tensor) -> Tensor:
        return torch.mul(self.maps, self.scale(z)[:, :, None, None])


class Head(nn.Module):
    """Turns ``N,C,h,w`` into ``N,outputs``: weighted sums over each channel's pixels, then a linear layer."""

    def __init__(self, width: int, size: tuple[int, int], outputs: int) -> None:
        super().__init__()
        self.basis = Conv2d(width, width, size, groups=width, bias=False)
        self.linear = nn.Linear(width, outputs, bias=False)
        _normal(self.basis.weight)
        _normal(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.linear(self.basis(x).flatten(1)))


def _blocks(stages: Stages, stage: int) -> list[nn.Module]:
    width = stages.widths[stage]
    group = stages.group_size or width * stages.expansion
    more = {"group_size": group, "kernel": stages.kernel, "blocks": sum(stages.blocks)}
    return [ResidualBlock(width, stages.expansion, **more) for _ in range(stages.blocks[stage])]


class Generator(GeneratorNetwork):
    """Makes images of latents. It ends linearly, as in the paper, and sampling clips to [-1, 1].

    With labels (``N,label_dim``, one-hot or yes/no attributes) w is the latent and an embedding of as many
    numbers (appendix D); None stands for none of the labels, whose embedding is 0.
    """

    num_ws = 1

    def __init__(
        self, stages: Stages, base: tuple[int, int], *, channels: int, z_dim: int, label_dim: int
    ) -> None:
        super().__init__()
        self.z_dim, self.label_dim = z_dim, label_dim
        self.w_dim = 2 * z_dim if label_dim else z_dim
        self.embed: nn.Linear | None = None
        if label_dim:
            self.embed = nn.Linear(label_dim, z_dim, bias=False)
            _normal(self.embed.weight)
            self.with_labels = {"body.0.scale.weight": 1.0}
        first = stages.widths[0]
        layers: list[nn.Module] = [Basis(self.w_dim, first, base)]
        for i, width in enumerate(stages.widths):
            if i:
                layers += _transition(True, stages.widths[i - 1], width)
            layers += _blocks(stages, i)
        self.body = nn.Sequential(*layers)
        self.to_image = _plain(stages.widths[-1], channels)

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.embed is not None:
            if labels is None:
                labels = z.new_zeros(len(z), self.label_dim)
            z = torch.cat([z, self.embed(labels.to(z.dtype)).to(z.dtype)], 1)
        return z[:, None]

    def synthesize(self, w: Tensor, noise: str = "const") -> Tensor:
        return cast(Tensor, self.to_image(self.body(w[:, 0])))


class Discriminator(DiscriminatorNetwork):
    """Makes logits ``N`` of images.

    With labels it projects the features on the labels' embedding (Miyato and Koyama 2018; appendix D).
    Deviation: the embedding has a bias, without which every picture with none of the attributes would have
    the logit 0. For classes the bias is the unconditional term that the paper leaves out.
    """

    def __init__(self, stages: Stages, base: tuple[int, int], *, channels: int, label_dim: int) -> None:
        super().__init__()
        self.label_dim = label_dim
        first = stages.widths[0]
        layers: list[nn.Module] = [_plain(channels, stages.widths[-1])]
        for i in reversed(range(len(stages.widths))):
            layers += _blocks(stages, i)
            if i:
                layers += _transition(False, stages.widths[i], stages.widths[i - 1])
        self.body = nn.Sequential(*layers)
        self.head = Head(first, base, first if label_dim else 1)
        self.embed: nn.Linear | None = None
        if label_dim:
            self.embed = nn.Linear(label_dim, first)
            for p in self.embed.parameters():
                nn.init.normal_(p, 0.0, 1.0 / math.sqrt(first))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.body(images)
        if self.embed is not None and labels is None:
            raise ValueError("a discriminator of labelled pictures needs their labels")
        # Nothing holds the logits near 0, and the loss is of their small differences: in full precision.
        with full_precision(x.device):
            features = self.head(x.to(torch.promote_types(x.dtype, torch.float32)))
            if self.embed is None or labels is None:
                return cast(Tensor, features[:, 0])
            return torch.mul(features, self.embed(labels.to(features.dtype))).sum(1)
