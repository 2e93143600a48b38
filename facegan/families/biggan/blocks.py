"""BigGAN's residual blocks (Brock et al. 2019, figures 15 and 16)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from facegan import distributed
from facegan.families.biggan.config import GeneratorConfig
from facegan.layers.spectral import SpectralConv2d, SpectralLinear

Tensor = torch.Tensor


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


class ConditionalBlock(nn.Module):
    """What the generator's blocks share: batch norms with gain and shift that are linear in w ``N,w_dim``.

    Dumoulin et al. 2017, equation 5: with w = 0, a gain of 1 and a shift of 0. Norms are numbered from 1 on.
    """

    def __init__(self, widths: list[int], w_dim: int, settings: GeneratorConfig) -> None:
        super().__init__()
        for i, width in enumerate(widths, 1):
            norm = distributed.BatchNorm2d(width, settings.bn_eps, settings.bn_momentum, affine=False)
            self.add_module(f"norm{i}", norm)
            for part in ("gain", "shift"):
                linear = SpectralLinear(w_dim, width, bias=False, normalised=settings.spectral_norm)
                self.add_module(f"{part}{i}", linear)

    def activated(self, i: int, x: Tensor, w: Tensor) -> Tensor:
        """Return relu(gain * normalised + shift) by the norm of that number."""
        norm, gain, shift = (self.get_submodule(f"{part}{i}") for part in ("norm", "gain", "shift"))
        y = norm(x)
        scale, offset = (layer(w).to(y.dtype)[:, :, None, None] for layer in (gain, shift))
        return F.relu(torch.addcmul(offset, y, 1 + scale))


class GeneratorBlock(ConditionalBlock):
    """Doubles the map: norm, double, 3 x 3, norm, 3 x 3, beside a 1 x 1 convolution (figure 15b)."""

    def __init__(self, cin: int, cout: int, w_dim: int, *, settings: GeneratorConfig) -> None:
        super().__init__([cin, cout], w_dim, settings)
        normalised = settings.spectral_norm
        self.conv1 = SpectralConv2d(cin, cout, 3, normalised=normalised)
        self.conv2 = SpectralConv2d(cout, cout, 3, normalised=normalised)
        self.skip = SpectralConv2d(cin, cout, 1, normalised=normalised)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = self.conv1(_double(self.activated(1, x, w)))
        y = self.conv2(self.activated(2, y, w))
        return torch.add(y, _double(self.skip(x)))  # a 1 x 1 convolution and doubling change places


class DeepGeneratorBlock(ConditionalBlock):
    """Four norms and convolutions with a bottleneck, beside the first ``cout`` channels of x (figure 16b)."""

    def __init__(self, cin: int, cout: int, w_dim: int, *, up: bool, settings: GeneratorConfig) -> None:
        inner = max(1, cin // 4)
        super().__init__([cin, inner, inner, inner], w_dim, settings)
        normalised = settings.spectral_norm
        self.cout, self.up = cout, up
        self.conv1 = SpectralConv2d(cin, inner, 1, normalised=normalised)
        self.conv2 = SpectralConv2d(inner, inner, 3, normalised=normalised)
        self.conv3 = SpectralConv2d(inner, inner, 3, normalised=normalised)
        self.conv4 = SpectralConv2d(inner, cout, 1, normalised=normalised)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = self.activated(2, self.conv1(self.activated(1, x, w)), w)
        y = self.conv2(_double(y) if self.up else y)
        y = self.conv3(self.activated(3, y, w))
        y = self.conv4(self.activated(4, y, w))
        x = x[:, : self.cout]
        return torch.add(y, _double(x) if self.up else x)


class DiscriminatorBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 one (figure 15c); the ``first`` block begins without a relu."""

    def __init__(self, cin: int, cout: int, *, first: bool, down: bool, normalised: bool) -> None:
        super().__init__()
        self.first, self.down = first, down
        self.conv1 = SpectralConv2d(cin, cout, 3, normalised=normalised)
        self.conv2 = SpectralConv2d(cout, cout, 3, normalised=normalised)
        changes = down or cin != cout
        self.skip = SpectralConv2d(cin, cout, 1, normalised=normalised) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.down:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        return torch.add(y, x if self.skip is None else self.skip(x))


class DeepDiscriminatorBlock(nn.Module):
    """Four convolutions with a bottleneck, beside x; a 1 x 1 convolution adds channels to it (figure 16c)."""

    def __init__(self, cin: int, cout: int, *, down: bool, normalised: bool) -> None:
        super().__init__()
        inner = max(1, cout // 4)
        self.down = down
        self.conv1 = SpectralConv2d(cin, inner, 1, normalised=normalised)
        self.conv2 = SpectralConv2d(inner, inner, 3, normalised=normalised)
        self.conv3 = SpectralConv2d(inner, inner, 3, normalised=normalised)
        self.conv4 = SpectralConv2d(inner, cout, 1, normalised=normalised)
        self.cout = cout
        self.skip = SpectralConv2d(cin, cout - cin, 1, normalised=normalised) if cout > cin else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(F.relu(x))))
        y = F.relu(self.conv3(F.relu(y)))
        if self.down:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        x = x[:, : self.cout] if self.skip is None else torch.cat([x, self.skip(x)], 1)
        return torch.add(self.conv4(y), x)
