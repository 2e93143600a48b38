"""Networks from the layer notation (:mod:`facegan.layers.notation`), for generators and discriminators."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from facegan import distributed
from facegan.errors import ConfigError
from facegan.layers.labels import LabelledLatent, LabelProjection
from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork
from facegan.layers.notation import Layer


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many pixels before and after make ``ceil(size / stride)`` come out (Keras's "same")."""
    total = max(kernel - (size % stride or stride), 0)
    return total // 2, total - total // 2


class SameConv(nn.Conv2d):
    """Convolution with Keras's "same" padding for inputs of height and width ``size``."""

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: str = "same",
        size: tuple[int, int] = (0, 0),
    ) -> None:
        pads = [same_padding(n, kernel, stride) if padding == "same" else (0, 0) for n in size]
        even = all(before == after for before, after in pads)
        super().__init__(cin, cout, kernel, stride, padding=(pads[0][0], pads[1][0]) if even else 0)
        self.uneven = None if even else [*pads[1], *pads[0]]  # F.pad starts with the last axis

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(F.pad(x, self.uneven) if self.uneven else x)


class SameConvTranspose(nn.ConvTranspose2d):
    """Transposed convolution to ``stride`` times the size; the larger half is cropped after, as in Keras."""

    def __init__(self, cin: int, cout: int, kernel: int, *, stride: int = 1) -> None:
        if kernel < stride:
            raise ConfigError(f"convT: a kernel of {kernel} is smaller than its stride {stride}")
        crop = kernel - stride
        super().__init__(cin, cout, kernel, stride, padding=crop // 2)
        self.excess = crop % 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        out = super().forward(x)
        return out[..., : -self.excess, : -self.excess] if self.excess else out


class Reshape(nn.Module):
    """``N,C*H*W`` to ``N,C,H,W``."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], *self.shape)


class PixelNorm(nn.Module):
    """Unit mean square over channels at each pixel (Karras et al. 2018, section 4.2)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MinibatchStd(nn.Module):
    """One more channel: the standard deviation over groups of samples, averaged (ProGAN, section 3)."""

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        group = math.gcd(n, self.group)
        # Neighbours form a group, so that the pieces of a batch have the groups of the whole.
        y = x.reshape(n // group, group, c, h, w)
        # var() along an axis between others is many times slower than its definition.
        variance = (y - y.mean(1, keepdim=True)).square().mean(1)
        std = (variance + 1e-8).sqrt().mean((1, 2, 3))
        return torch.cat([x, std.repeat_interleave(group).reshape(n, 1, 1, 1).expand(n, 1, h, w)], 1)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a (1 x 1) shortcut, divided by sqrt(2) to keep the variance."""

    def __init__(
        self,
        cin: int,
        cout: int,
        resample: str,
        *,
        ops: Sequence[str],
        make_op: Callable[[str, int, bool], nn.Module],
    ) -> None:
        super().__init__()
        self.resample = resample
        acts = [op for op in ops if op != "bn"] or ["lrelu"]
        norm = "bn" in ops
        self.conv1, self.conv2 = SameConv(cin, cout, 3), SameConv(cout, cout, 3)
        self.norm1 = make_op("bn", cout, False) if norm else nn.Identity()
        self.norm2 = make_op("bn", cout, False) if norm else nn.Identity()
        self.act = make_op(acts[0], cout, False)
        self.skip = nn.Conv2d(cin, cout, 1, bias=False) if cin != cout else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        if self.resample == "up":
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            y = F.interpolate(self.skip(y), scale_factor=2, mode="nearest")
        h = self.act(self.norm1(self.conv1(x)))
        h = self.conv2(h)
        if self.resample == "down":
            h, y = F.avg_pool2d(h, 2), F.avg_pool2d(y, 2)
        if self.resample != "up":
            y = self.skip(y)
        out: torch.Tensor = self.act(self.norm2(h + y) * math.sqrt(0.5))
        return out


OPS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
    "pixelnorm": PixelNorm,
}


class Builder:
    """Turns layers into modules while following the shape.

    ``bn_momentum`` is PyTorch's (the weight of the new batch). ``init`` is a key of ``INITS``.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        bn_eps: float = 1e-5,
        bn_momentum: float = 0.1,
        *,
        option: str = "layers",
    ) -> None:
        self.image_shape, self.option = tuple(image_shape), option
        self.bn_eps, self.bn_momentum = bn_eps, bn_momentum

    def op(self, name: str, channels: int, flat: bool) -> nn.Module:
        if name == "bn":
            kind = distributed.BatchNorm1d if flat else distributed.BatchNorm2d
            return kind(channels, eps=self.bn_eps, momentum=self.bn_momentum)
        if name.startswith("lrelu"):
            return nn.LeakyReLU(float(name[5:] or 0.2), inplace=False)
        return OPS[name]()

    def build(self, layers: Sequence[Layer], shape: tuple[int, ...]) -> tuple[nn.Sequential, tuple[int, ...]]:
        """Return modules for an input of ``shape``, (features,) or (C, H, W), and the output's shape."""
        modules: list[nn.Module] = []
        for layer in layers:
            new, shape = self._layer(layer, shape)
            modules += new
        return nn.Sequential(*modules), shape

    def _layer(self, layer: Layer, shape: tuple[int, ...]) -> tuple[list[nn.Module], tuple[int, ...]]:
        if layer.kind == "dense":
            return self._dense(layer, shape)
        if layer.kind in ("apply", "drop"):
            first: list[nn.Module] = [distributed.Dropout(layer.rate)] if layer.kind == "drop" else []
            return first + [self.op(op, shape[0], len(shape) == 1) for op in layer.then], shape
        if len(shape) == 1:
            raise ConfigError(f"{self.option}: '{layer.kind}' needs an image; put 'dense HxWxC' before it")
        c, h, w = shape
        ops = layer.then
        modules: list[nn.Module]
        if layer.kind in ("conv", "convT"):
            cout = self.image_shape[0] if layer.out == "image" else int(layer.out)  # type: ignore[arg-type]
            if layer.kind == "conv":
                modules = [
                    SameConv(c, cout, layer.kernel, stride=layer.stride, padding=layer.padding, size=(h, w))
                ]
                cut = layer.kernel - 1 if layer.padding == "valid" else 0
                h, w = (-(-(size - cut) // layer.stride) for size in (h, w))
            else:
                modules = [SameConvTranspose(c, cout, layer.kernel, stride=layer.stride)]
                h, w = h * layer.stride, w * layer.stride
        elif layer.kind == "res":
            cout = self.image_shape[0] if layer.out == "image" else int(layer.out)  # type: ignore[arg-type]
            modules, ops = [ResidualBlock(c, cout, layer.resample, ops=ops, make_op=self.op)], ()
            h, w = {"up": (2 * h, 2 * w), "down": (h // 2, w // 2), "": (h, w)}[layer.resample]
        else:
            cout = c + 1 if layer.kind == "mbstd" else c
            table = {
                "up": (nn.Upsample(scale_factor=2, mode="nearest"), 2 * h, 2 * w),
                "down": (nn.AvgPool2d(2), h // 2, w // 2),
                "pool": (nn.MaxPool2d(2), h // 2, w // 2),
                "mbstd": (MinibatchStd(), h, w),
            }
            module, h, w = table[layer.kind]
            modules = [module]
        if h < 1 or w < 1:
            raise ConfigError(
                f"{self.option}: the picture shrinks to nothing at '{layer.kind}'; use fewer layers"
            )
        return modules + [self.op(op, cout, False) for op in ops], (cout, h, w)

    def _dense(self, layer: Layer, shape: tuple[int, ...]) -> tuple[list[nn.Module], tuple[int, ...]]:
        modules: list[nn.Module] = [nn.Flatten()] if len(shape) > 1 else []
        target: tuple[int, ...]
        if layer.out == "image":
            target = self.image_shape
        elif isinstance(layer.out, tuple):
            target = (layer.out[2], layer.out[0], layer.out[1])
        else:
            target = (int(layer.out),)
        features = math.prod(target)
        modules.append(nn.Linear(math.prod(shape), features))
        modules += [self.op(op, features, True) for op in layer.then]
        return modules + ([Reshape(target)] if len(target) > 1 else []), target


# Keras's Glorot uniform; N(0, 0.02) of Radford et al. 2015; He
INITS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "glorot": nn.init.xavier_uniform_,
    "dcgan": lambda weight: nn.init.normal_(weight, 0.0, 0.02),
    "he": lambda weight: nn.init.kaiming_normal_(weight, a=0.2),
}


def initialise(module: nn.Module, init: str) -> None:
    """Draw the weights by ``INITS[init]``, and set the biases to 0."""
    for m in module.modules():
        if isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            INITS[init](m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)


class FeedForwardGenerator(GeneratorNetwork):
    """Makes images of z, with the identity as its mapping network; with labels, w is z and their embedding.

    ``unit_range`` says that the layers end in [0, 1] (a sigmoid), as some tutorials have it.
    """

    num_ws = 1

    def __init__(
        self,
        layers: Sequence[Layer],
        z_dim: int,
        builder: Builder,
        *,
        unit_range: bool,
        init: str,
        label_dim: int = 0,
    ) -> None:
        super().__init__()
        self.z_dim, self.label_dim = z_dim, label_dim
        self.w_dim = 2 * z_dim if label_dim else z_dim
        self.unit_range = unit_range
        self.layers, shape = builder.build(layers, (self.w_dim,))
        self.ignores_length = isinstance(self.layers[0], PixelNorm)
        if shape != builder.image_shape:
            c, h, w = builder.image_shape
            raise ConfigError(
                f"{builder.option}: the layers end in shape {shape}, but the pictures are {(c, h, w)} "
                "(channels, height, width); choose layers or a recipe for that size"
            )
        initialise(self, init)
        self.joined: LabelledLatent | None = None
        if label_dim:
            self.joined = LabelledLatent(z_dim, label_dim, normalised=self.ignores_length)
            first = next((i for i, m in enumerate(self.layers) if isinstance(m, nn.Linear)), 0)
            self.with_labels = {f"layers.{first}.weight": self.joined.gain}

    def map(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return z, or z and the labels' embedding, as ``N,1,w_dim``."""
        return (z if self.joined is None else self.joined(z, labels)).unsqueeze(1)

    def synthesize(self, w: torch.Tensor, noise: str = "const") -> torch.Tensor:
        """Return images; these networks take no noise."""
        out: torch.Tensor = self.layers(w[:, 0])
        return out * 2 - 1 if self.unit_range else out


class FeedForwardDiscriminator(DiscriminatorNetwork):
    """Makes logits ``N`` of images; with ``unit_range`` its layers see values in [0, 1].

    Labels are projected on what the last dense layer sees.
    """

    def __init__(
        self, layers: Sequence[Layer], builder: Builder, unit_range: bool, *, init: str, label_dim: int = 0
    ) -> None:
        super().__init__()
        self.unit_range, self.label_dim = unit_range, label_dim
        self.layers, shape = builder.build(layers, builder.image_shape)
        if shape != (1,):
            raise ConfigError(f"{builder.option}: the layers end in shape {shape}; end them with 'dense 1'")
        initialise(self, init)
        self.projection: LabelProjection | None = None
        if label_dim:  # only a dense layer ends in one number
            self.last = max(i for i, m in enumerate(self.layers) if isinstance(m, nn.Linear))
            features = self.layers[self.last].in_features
            self.projection = LabelProjection(label_dim, features)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        x = (x + 1) / 2 if self.unit_range else x
        if self.projection is None:
            logits: torch.Tensor = self.layers(x)
            return logits.squeeze(1)
        for layer in self.layers[: self.last]:
            x = layer(x)
        logits = self.layers[self.last](x)
        logits = logits + self.projection(x, labels)[:, None].to(logits.dtype)
        for layer in self.layers[self.last + 1 :]:
            logits = layer(logits)
        return logits.squeeze(1)
