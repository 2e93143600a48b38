"""The networks of the family ``fast``: most of the work where a CPU does it best.

Convolutions run at 8 to 32 px on many channels; pictures enter and leave by pixel shuffling, so that
no layer works at full resolution (Shi et al. 2016, section 3). Each stage of the generator takes the
latent vector once more, as scale and shift of its channels (Karras et al. 2019, equation 1, without
the mapping network). Labels reach the dense layer and every style beside the latent, and are projected
on what the discriminator's last layer sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from facegan import distributed
from facegan.families.fast.config import DiscriminatorConfig, GeneratorConfig
from facegan.families.fast.projected import ProjectedHeads
from facegan.layers.feedforward import MinibatchStd
from facegan.layers.labels import LabelledLatent, LabelProjection
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


def _conv(cin: int, cout: int, kernel: int = 3, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    conv = nn.Conv2d(cin, cout, kernel, stride, (kernel - 1) // 2, bias=bias)
    nn.init.kaiming_normal_(conv.weight, 0.2)
    if bias:
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class Stage(nn.Module):
    """Doubles the resolution; convolution, batch norm, the latent's scale and shift, leaky ReLU."""

    def __init__(
        self, cin: int, cout: int, w_dim: int, *, up: bool, blocks: int, style: bool, upsample: str
    ) -> None:
        super().__init__()
        self.up = upsample if up else ""
        if self.up == "convT":
            self.conv: nn.Module = nn.ConvTranspose2d(cin, cout, 4, 2, 1, bias=False)
            nn.init.normal_(self.conv.weight, std=math.sqrt(2 / (1.04 * 4 * cin)))
        else:
            self.conv = _conv(cin, cout * 4 if self.up == "shuffle" else cout, bias=False)
        self.norm = distributed.BatchNorm2d(cout, affine=not style)
        self.style = nn.Linear(w_dim, 2 * cout) if style else None
        if self.style is not None:
            nn.init.normal_(self.style.weight, std=0.5 / math.sqrt(w_dim))
            nn.init.zeros_(self.style.bias)
        self.blocks = nn.ModuleList(Residual(cout) for _ in range(blocks))

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        if self.up == "nearest":
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = self.conv(x)
        if self.up == "shuffle":
            x = F.pixel_shuffle(x, 2)
        x = self.norm(x)
        if self.style is not None:
            scale, shift = self.style(z)[:, :, None, None].chunk(2, 1)
            x = torch.addcmul(shift.to(x.dtype), x, 1 + scale.to(x.dtype))
        x = F.leaky_relu(x, 0.2)
        for block in self.blocks:
            x = block(x)
        return x


class Residual(nn.Module):
    """Adds a branch, which begins as zero, to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(width, width, bias=False), _conv(width, width)
        self.norm = distributed.BatchNorm2d(width)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.conv2(F.leaky_relu(self.norm(self.conv1(x)), 0.2)))


class Excitation(nn.Module):
    """Skip-layer excitation: channels at high resolution, gated by what is seen at low (Liu et al. 2021)."""

    def __init__(self, low: int, high: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(low, high, 4),
            nn.LeakyReLU(0.1),
            nn.Conv2d(high, high, 1),
            nn.Sigmoid(),
        )

    def forward(self, high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
        return torch.mul(high, self.gate(low))


class FastGenerator(GeneratorNetwork):
    """A generator whose ``widths`` are the channels at each resolution, from the smallest upwards.

    w is the latent once for each place that takes it: the dense layer, then the style of each stage.
    """

    ignores_length = True

    def __init__(
        self, config: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> None:
        super().__init__()
        c, h, w = image_shape
        w_dim = 2 * z_dim if label_dim else z_dim
        widths, blocks, style, head = config.widths, config.blocks, config.style, config.head
        f = 2 ** (len(widths) - 1) * head
        self.z_dim, self.w_dim, self.label_dim = z_dim, w_dim, label_dim
        self.num_ws, self.head, self.tanh = 1 + len(widths) * style, head, config.tanh
        self.base, self.widths = (widths[0], h // f, w // f), tuple(widths)
        self.dense = nn.Linear(w_dim, math.prod(self.base))
        nn.init.normal_(self.dense.weight, std=1 / math.sqrt(w_dim))
        self.first = Stage(
            widths[0], widths[0], w_dim, up=False, blocks=blocks[0], style=style, upsample=config.upsample
        )
        self.stages = nn.ModuleList(
            Stage(a, b, w_dim, up=True, blocks=n, style=style, upsample=config.upsample)
            for a, b, n in zip(widths, widths[1:], blocks[1:], strict=False)
        )
        self.excite = Excitation(widths[0], widths[-1]) if config.excite else None
        self.out = _conv(widths[-1], c * head * head)
        with torch.no_grad():
            self.out.weight *= 0.5
        self.joined: LabelledLatent | None = None
        if label_dim:
            self.joined = LabelledLatent(z_dim, label_dim, normalised=True)
            taking = ["first.style", *(f"stages.{i}.style" for i in range(len(self.stages)))] if style else []
            self.with_labels = {f"{name}.weight": self.joined.gain for name in ["dense", *taking]}

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        w = z if self.joined is None else self.joined(z, labels)
        return w[:, None].expand(-1, self.num_ws, -1)

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        first, *styles = (w * (w.square().mean(2, keepdim=True) + 1e-8).rsqrt()).unbind(1)
        x = self.dense(first).reshape(-1, *self.base).contiguous(memory_format=torch.channels_last)
        taken = iter(styles or [first] * len(self.widths))
        low = x = self.first(x, next(taken))
        for stage in self.stages:
            x = stage(x, next(taken))
        if self.excite is not None:
            x = self.excite(x, low)
        image: torch.Tensor = self.out(x)
        if self.head > 1:
            image = F.pixel_shuffle(image, self.head)
        return image.tanh() if self.tanh else image


class Down(nn.Module):
    """Halves the resolution by a strided 4x4 convolution, or by a residual one with averaging."""

    def __init__(self, cin: int, cout: int, kind: str, *, blocks: int) -> None:
        super().__init__()
        self.kind = kind
        self.blocks = nn.ModuleList(PlainResidual(cin) for _ in range(blocks))
        if kind == "conv4":
            self.conv = _conv(cin, cout, 4, stride=2)
        elif kind == "shuffle":
            self.conv = _conv(cin * 4, cout)
        else:
            self.conv1, self.conv2 = _conv(cin, cin), _conv(cin, cout)
            self.skip = _conv(cin, cout, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        if self.kind == "conv4":
            return F.leaky_relu(self.conv(x), 0.2)
        if self.kind == "shuffle":
            return F.leaky_relu(self.conv(F.pixel_unshuffle(x, 2)), 0.2)
        y = F.leaky_relu(self.conv2(F.avg_pool2d(F.leaky_relu(self.conv1(x), 0.2), 2)), 0.2)
        return torch.add(y, self.skip(F.avg_pool2d(x, 2))) * math.sqrt(0.5)


class PlainResidual(nn.Module):
    """Adds a branch without norms to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(width, width), _conv(width, width)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.add(x, self.conv2(F.leaky_relu(self.conv1(F.leaky_relu(x, 0.2)), 0.2)))


class FastDiscriminator(DiscriminatorNetwork):
    """A discriminator whose ``widths`` are the channels from its highest resolution to its lowest.

    Labels are projected on the features of its last layer, and on those of each head.
    """

    def __init__(self, config: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0) -> None:
        super().__init__()
        c, h, w = image_shape
        self.label_dim = label_dim
        widths, stem = config.widths, config.stem
        f = stem * 2 ** (len(widths) - 1)
        self.stem = stem
        self.first = _conv(c * stem * stem, widths[0])
        self.downs = nn.ModuleList(
            Down(a, b, config.down, blocks=n)
            for a, b, n in zip(widths, widths[1:], config.blocks, strict=False)
        )
        self.mbstd = MinibatchStd() if config.mbstd else None
        self.last = _conv(widths[-1] + config.mbstd, widths[-1])
        self.dense = nn.Linear(widths[-1] * (h // f) * (w // f), 1)
        nn.init.normal_(self.dense.weight, std=1 / math.sqrt(self.dense.in_features))
        if config.projected:
            self.projected = ProjectedHeads(config.projected, config.projected_width, label_dim)
            self.projected_weight = config.projected_weight
        self.projection: LabelProjection | None = None
        if label_dim:
            self.projection = LabelProjection(label_dim, self.dense.in_features)

    def layers_from_image(self) -> Iterator[nn.Module]:
        """Return all layers but those of the heads on another network, which are no part of the trunk."""
        return (m for name, m in self.named_modules() if not name.startswith("project"))

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x = F.pixel_unshuffle(images, self.stem) if self.stem > 1 else images
        x = F.leaky_relu(self.first(x), 0.2)
        for down in self.downs:
            x = down(x)
        if self.mbstd is not None:
            x = self.mbstd(x)
        x = F.leaky_relu(self.last(x), 0.2)
        x = x.flatten(1)
        logits: torch.Tensor = self.dense(x)[:, 0]
        return logits if self.projection is None else logits + self.projection(x, labels).to(logits.dtype)
