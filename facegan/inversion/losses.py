"""What is made small: losses between pictures, a table with weights, as ``mse=1,faces=0.05``.

A loss sees a picture through ``embed`` (the target once) and compares two such views, picture by picture.
All take ``N,C,H,W`` in [-1, 1]; one unit is the mean over what is compared, so that weights hold at any size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from facegan.attributes.predictor import AttributePredictor
from facegan.errors import InputError
from facegan.metrics.lpips_network import lpips_network, vgg_weights

Tensor = torch.Tensor
Views = list[Tensor]


@dataclass(frozen=True)
class Loss:
    """``embed`` turns ``N,C,H,W`` into tensors of N rows; ``compare`` two of them into ``N``."""

    embed: Callable[[Tensor], Views]
    compare: Callable[[Views, Views], Tensor]


def mean_square(a: Views, b: Views) -> Tensor:
    """Return the mean squared difference of each picture's views."""
    return torch.stack([(x - y).square().flatten(1).mean(1) for x, y in zip(a, b, strict=True)]).mean(0)


def mean_absolute(a: Views, b: Views) -> Tensor:
    """Return the mean absolute difference of each picture's views."""
    return torch.stack([(x - y).abs().flatten(1).mean(1) for x, y in zip(a, b, strict=True)]).mean(0)


def _mae(device: str) -> Loss:
    """Return the mean absolute difference of pixels."""
    return Loss(lambda x: [x], mean_absolute)


def _mse(device: str) -> Loss:
    """Return the mean squared difference of pixels."""
    return Loss(lambda x: [x], mean_square)


def pyramid(x: Tensor) -> Views:
    """Return the bands of the Laplacian pyramid (Burt, Adelson 1983), fine first, and the rest below 8 px."""
    kernel = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=x.device, dtype=x.dtype) / 16
    c = x.shape[1]
    rows, columns = (kernel.view(s).expand(c, 1, *s[2:]) for s in ((1, 1, 5, 1), (1, 1, 1, 5)))
    bands = []
    while min(x.shape[2:]) >= 8:
        blurred = F.conv2d(F.pad(x, (0, 0, 2, 2), "reflect"), rows, groups=c)
        small = F.conv2d(F.pad(blurred, (2, 2, 0, 0), "reflect"), columns, groups=c)[:, :, ::2, ::2]
        bands.append(x - F.interpolate(small, x.shape[2:], mode="bilinear", align_corners=False))
        x = small
    return [*bands, x]


def _pyramid(device: str) -> Loss:
    """Return the mean absolute difference of a pyramid's bands, each alike (Bojanowski et al. 2018)."""
    return Loss(pyramid, mean_absolute)


def _faces(device: str) -> Loss:
    """Return the mean squared difference of the bundled face network's standardised features."""
    predictor = AttributePredictor.load("faces")
    predictor.network.to(device).eval()
    return Loss(lambda x: [predictor.features_of(x)], mean_square)


VGG_TAPS = (3, 8, 15, 22)  # relu1_2, relu2_2, relu3_3, relu4_3 (Johnson et al. 2016)


def _vgg(device: str) -> Loss:
    """Return the mean squared difference of VGG16's features at four depths, each position of length 1."""
    weights = vgg_weights("--loss vgg")
    from torchvision.models.vgg import cfgs, make_layers

    network = make_layers(cfgs["D"])
    network.load_state_dict(weights)
    layers = network[: VGG_TAPS[-1] + 1].to(device).eval().requires_grad_(False)
    mean = torch.tensor([0.485, 0.456, 0.406], device=device).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], device=device).view(3, 1, 1)

    def embed(x: Tensor) -> Views:
        x, found = ((x + 1) / 2 - mean) / std, []
        for i, layer in enumerate(layers):
            x = layer(x)
            if i in VGG_TAPS:
                found.append(F.normalize(x, dim=1) * x.shape[1] ** 0.5)
        return found

    return Loss(embed, mean_square)


def _lpips(device: str) -> Loss:
    """Return LPIPS with VGG16 (Zhang et al. 2018), by the package lpips and its weights."""
    network = lpips_network("--loss lpips", device)
    return Loss(lambda x: [x], lambda a, b: network(a[0], b[0]).flatten(1).mean(1))


LOSSES: dict[str, Callable[[str], Loss]] = {
    "mae": _mae,
    "mse": _mse,
    "pyramid": _pyramid,
    "faces": _faces,
    "vgg": _vgg,
    "lpips": _lpips,
}


@functools.lru_cache(maxsize=8)
def get_loss(name: str, device: str) -> Loss:
    """Return the loss of that name, its network loaded once."""
    return LOSSES[name](device)


def parse_losses(text: str, option: str = "--loss") -> dict[str, float]:
    """Return losses with their weights, of a text such as ``mse=1,faces=0.05`` (a name alone weighs 1)."""
    found: dict[str, float] = {}
    for part in (p.strip() for p in text.split(",")):
        name, equals, value = (s.strip() for s in part.partition("="))
        if name not in LOSSES:
            raise InputError(f"{option} {text}: '{name}' is unknown (known: {', '.join(LOSSES)})")
        try:
            weight = float(value) if equals else 1.0
        except ValueError:
            weight = math.nan
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"{option} {text}: '{value}' is not a weight above 0")
        found[name] = weight
    return found


class Objective:
    """The weighted sum of some losses against fixed targets ``N,C,H,W``."""

    def __init__(self, weights: Mapping[str, float], targets: Tensor) -> None:
        device = str(targets.device)
        self.weights = dict(weights)
        self.losses = {name: get_loss(name, device) for name in weights}
        with torch.no_grad():
            self.targets = {name: loss.embed(targets) for name, loss in self.losses.items()}

    def __call__(self, images: Tensor, rows: Tensor) -> Tensor:
        """Return ``M``: the loss of each picture against the target of that row."""
        total = torch.zeros(len(images), device=images.device)
        for name, loss in self.losses.items():
            wanted = [view[rows] for view in self.targets[name]]
            total = total + self.weights[name] * loss.compare(loss.embed(images), wanted)
        return total


def distances(
    images: Tensor, targets: Tensor, names: Sequence[str] = ("mae", "mse", "faces")
) -> dict[str, Tensor]:
    """Return these losses, unweighted, for each pair of pictures."""
    with torch.no_grad():
        rows = torch.arange(len(images), device=images.device)
        return {name: Objective({name: 1.0}, targets)(images, rows) for name in names}
