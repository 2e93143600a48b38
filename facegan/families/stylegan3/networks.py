"""StyleGAN3's generator (Karras et al. 2021, section 3 and appendix C of the paper).

Its filters, frequencies and magnitudes are buffers, which come with the weights.
Shapes: z ``N,z_dim``, labels ``N,label_dim``, w ``N,num_ws,w_dim``, images ``N,C,H,W``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from facegan.errors import ConfigError
from facegan.families.stylegan2.networks import Mapping
from facegan.families.stylegan3.config import GeneratorConfig
from facegan.layers.network import GeneratorNetwork
from facegan.layers.ops import EqualizedLinear, demodulation, limited

Tensor = torch.Tensor
MOST_RESAMPLING = 32


def _filter(x: Tensor, taps: Tensor, padding: tuple[int, int], *, up: int = 1, down: int = 1) -> Tensor:
    """Filter maps at ``up`` times their rate, padded with zeros, and keep each ``down``-th sample.

    ``taps`` are ``T``, for both axes in turn, or ``T,T``; they are symmetric.
    """
    if taps.ndim == 1:
        x = _filter_plane(x, taps[None], columns=padding, up=(1, up), down=(1, down))
        return _filter_plane(x, taps[:, None], rows=padding, up=(up, 1), down=(down, 1))
    return _filter_plane(x, taps, rows=padding, columns=padding, up=(up, up), down=(down, down))


def _filter_plane(
    x: Tensor,
    taps: Tensor,
    *,
    rows: tuple[int, int] = (0, 0),
    columns: tuple[int, int] = (0, 0),
    up: tuple[int, int],
    down: tuple[int, int],
) -> Tensor:
    kh, kw = taps.shape
    channels = x.shape[1]
    kernel = taps.expand(channels, 1, kh, kw)
    if up == (1, 1):
        return F.conv2d(F.pad(x, (*columns, *rows)), kernel, stride=down, groups=channels)
    # A transposed convolution is the full convolution of the enlarged map, but for the zeros at its end.
    y = F.conv_transpose2d(x, kernel, stride=up, groups=channels)
    grow = (columns[0] + 1 - kw, columns[1] + up[1] - kw, rows[0] + 1 - kh, rows[1] + up[0] - kh)
    return F.pad(y, grow)[:, :, :: down[0], :: down[1]]


class FourierFeatures(nn.Module):
    """Waves of fixed frequencies, moved and turned by w, and mixed (section 3.2 and appendix F)."""

    def __init__(self, channels: int, size: int, rate: int, *, w_dim: int, bandwidth: float) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        self.affine = EqualizedLinear(w_dim, 4)
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.freqs: Tensor
        self.phases: Tensor
        self.transform: Tensor
        self.register_buffer("freqs", torch.zeros(channels, 2))
        self.register_buffer("phases", torch.zeros(channels))
        self.register_buffer("transform", torch.zeros(3, 3))

    def forward(self, w: Tensor) -> Tensor:
        t = self.affine(w)
        cos, sin, dx, dy = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        turn = torch.stack([cos, -sin, sin, cos], 1).reshape(-1, 2, 2)
        shift = torch.stack([-dx, -dy], 1)[:, :, None]
        # The user's transform, then the shift, then the rotation.
        linear = turn @ self.transform[:2, :2]
        offset = turn @ (self.transform[:2, 2:] + shift)
        freqs = self.freqs @ linear  # N,C,2
        phases = self.phases + (self.freqs @ offset).squeeze(2)
        room = self.rate / 2 - self.bandwidth
        amplitudes = (1 - (freqs.norm(dim=2) - self.bandwidth) / room).clamp(0, 1)
        steps = torch.arange(self.size, device=w.device, dtype=w.dtype)
        places = (steps + 0.5 - self.size / 2) / self.rate  # of the samples, around the picture's centre
        angles = (
            freqs[:, :, :1, None] * places  # N,C,1,W
            + freqs[:, :, 1:, None] * places[:, None]  # N,C,H,1
            + phases[:, :, None, None]
        )
        x = torch.sin(angles * (2 * math.pi)) * amplitudes[:, :, None, None]
        return F.conv2d(x, self.weight[:, :, None, None] / math.sqrt(len(self.weight)))


class SynthesisLayer(nn.Module):
    """Modulated convolution, then leaky ReLU between two filters at a higher rate (figure 4b).

    The last one, to the image, has neither demodulation nor leaky ReLU.
    """

    def __init__(self, config: GeneratorConfig, index: int) -> None:
        super().__init__()
        cin, cout = config.channels[index - 1], config.channels[index]
        (size_in, size_out), (rate_in, rate_out) = (
            v[index - 1 : index + 1] for v in (config.sizes, config.rates)
        )
        self.to_image = index == len(config.channels) - 1
        self.kernel, self.clamp = 1 if self.to_image else config.kernel, config.clamp
        rate = max(rate_in, rate_out) * (1 if self.to_image else config.oversampling)
        self.up, self.down = rate // rate_in, rate // rate_out
        if max(self.up, self.down) > MOST_RESAMPLING:
            raise ConfigError(f"stylegan3: a layer resamples by {max(self.up, self.down)}")
        self.affine = EqualizedLinear(config.w_dim, cin, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(cout, cin, self.kernel, self.kernel))
        self.bias = nn.Parameter(torch.zeros(cout))
        self.magnitude_ema: Tensor
        self.register_buffer("magnitude_ema", torch.ones(()))
        taps = [1 if n == 1 or self.to_image else n * config.filter_taps for n in (self.up, self.down)]
        self.up_filter: Tensor | None
        self.down_filter: Tensor | None
        self.register_buffer("up_filter", torch.zeros(taps[0]) if taps[0] > 1 else None)
        square = bool(config.radial) and config.radial[index]
        shape = (taps[1], taps[1]) if square else (taps[1],)
        self.register_buffer("down_filter", torch.zeros(shape) if taps[1] > 1 else None)
        # The samples stay around the picture's centre (appendix C.3).
        total = (size_out - 1) * self.down + 1 - (size_in + self.kernel - 1) * self.up + sum(taps) - 2
        before = (total + self.up) // 2
        self.padding = (before, total - before)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        styles, gain = self.affine(w), self.magnitude_ema.rsqrt()
        if self.to_image:
            styles = styles * (gain / math.sqrt(self.weight.shape[1]))
            x = F.conv2d(x * styles[:, :, None, None], self.weight)
        else:
            weight = self.weight * self.weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
            styles = styles * styles.square().mean(1, keepdim=True).rsqrt()
            x = F.conv2d(x * styles[:, :, None, None], weight, padding=self.kernel - 1)
            x = x * (demodulation(weight, styles) * gain)[:, :, None, None]
        x = x + self.bias[None, :, None, None]
        one = x.new_ones(1)
        up_filter = one if self.up_filter is None else self.up_filter
        x = _filter(x, up_filter * (self.up**2 if up_filter.ndim > 1 else self.up), self.padding, up=self.up)
        if not self.to_image:
            x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        x = limited(x, self.clamp)
        return _filter(x, one if self.down_filter is None else self.down_filter, (0, 0), down=self.down)


class Generator(GeneratorNetwork):
    """Makes images of z, around [-1, 1]: the last layer is linear. There is no noise."""

    def __init__(
        self, config: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> None:
        super().__init__()
        channels, sizes, rates = config.channels, config.sizes, config.rates
        if not 2 <= len(channels) == len(sizes) == len(rates):
            raise ConfigError("stylegan3: channels, sizes and rates are lists of the same length, 2 or more")
        if (channels[-1], sizes[-1], sizes[-1]) != tuple(image_shape) or len(config.radial) not in (
            0,
            len(sizes),
        ):
            raise ConfigError("stylegan3: the lists end with another shape than that of the pictures")
        self.z_dim, self.w_dim, self.label_dim = z_dim, config.w_dim, label_dim
        self.num_ws, self.output_scale = len(channels), config.output_scale
        self.mapping = Mapping(
            z_dim,
            label_dim,
            config.w_dim,
            layers=config.mapping_layers,
            lr_multiplier=config.mapping_lr_multiplier,
        )
        self.input = FourierFeatures(
            channels[0], sizes[0], rates[0], w_dim=config.w_dim, bandwidth=config.bandwidth
        )
        self.layers = nn.ModuleList(SynthesisLayer(config, i) for i in range(1, len(channels)))
        self.w_avg: Tensor
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    @property
    def average_w(self) -> Tensor:
        return self.w_avg

    def map(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None and self.label_dim:
            labels = z.new_zeros(z.shape[0], self.label_dim)
        w: Tensor = self.mapping(z, labels)
        return w.unsqueeze(1).expand(-1, self.num_ws, -1)

    def synthesize(self, w: Tensor, noise: str = "const") -> Tensor:
        first, *ws = w.unbind(1)
        x: Tensor = self.input(first)
        for layer, style in zip(self.layers, ws, strict=True):
            x = layer(x, style)
        return x * self.output_scale
