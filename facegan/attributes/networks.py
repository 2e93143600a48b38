"""Define networks that predict yes/no attributes; their layers' outputs serve as features."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from facegan.files import tell_twice
from facegan.layers.unfilled import Unfilled

FORMAT, KEY = 1, "facegan-attributes"
MEASURED = ("feature_mean", "feature_std", "map_std")  # what lies beside the weights
ASSETS = Path(__file__).parent.parent / "assets" / "attributes"


class AttributeNet(nn.Module):
    """Compute logits ``N,K`` of pictures ``N,C,H,W`` in [-1, 1] with ``body`` and ``head``.

    ``taps`` are the layers of the body whose channels' means are the features.
    """

    def __init__(self, body: nn.Sequential, head: nn.Module, taps: Sequence[int]) -> None:
        super().__init__()
        self.body, self.head, self.taps = body, head, tuple(taps)

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the tapped layers' outputs, from texture to meaning: mostly ``N,C,h,w``."""
        found = []
        for i, layer in enumerate(self.body[: max(self.taps) + 1]):
            x = layer(x)
            if i in self.taps:
                found.append(x)
        return found

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``N,F``: the mean over positions of each channel of the maps."""
        return pooled(self.maps(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.head(self.body(x)))


def pooled(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return ``N,F``: the mean over positions of each channel of all maps."""
    return torch.cat([m.mean((2, 3)) if m.ndim == 4 else m for m in maps], 1)


def _conv(cin: int, cout: int, side: int = 3, *, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(cin, cout, side, stride, side // 2, bias=False), nn.BatchNorm2d(cout)]


class _Residual(nn.Module):
    """Return x + scale(x) * f(x), f of two convolutions (He et al. 2016).

    Squeeze and excitation scales (Hu et al. 2018); ``drop`` is the chance that training leaves f of a picture
    out (Huang et al. 2016).
    """

    def __init__(self, width: int, drop: float) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(width, width), nn.ReLU(), *_conv(width, width))
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, width // 8, 1),
            nn.ReLU(),
            nn.Conv2d(width // 8, width, 1),
            nn.Sigmoid(),
        )
        self.drop = drop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        f = self.body(x)
        f = f * self.gate(f)
        if self.training and self.drop:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
            f = f * kept / (1 - self.drop)
        return torch.relu(x + f)


def _residual(channels: int, outputs: int, width: int) -> AttributeNet:
    """Return residual blocks at 32, 16, 8 and 4 px for about 64 px, 1.8 M parameters at width 24."""
    widths = [width, width * 5 // 3, width * 10 // 3, width * 16 // 3, width * 8]
    layers, taps = [*_conv(channels, width), nn.ReLU()], []
    for cin, cout, blocks in zip(widths, widths[1:], (1, 1, 2, 1), strict=False):
        layers += [*_conv(cin, cout, stride=2), nn.ReLU(), *(_Residual(cout, 0.1) for _ in range(blocks))]
        taps.append(len(layers) - 1)
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return AttributeNet(body, nn.Sequential(nn.Dropout(0.3), nn.Linear(widths[-1], outputs)), taps[-3:])


class _BothPools(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)


def _convolutional(channels: int, outputs: int, width: int) -> AttributeNet:
    """Return a plain network for about 64 px, after Simonyan and Zisserman (2015).

    It ends in mean and maximum, and has 1.4 M parameters at width 24.
    """
    widths = [width, width * 2, width * 4, width * 20 // 3, width * 8]
    layers: list[nn.Module] = [*_conv(channels, width, 5), nn.SiLU(), nn.MaxPool2d(2)]
    taps: list[int] = []
    for cin, cout in itertools.pairwise(widths):
        layers += [*_conv(cin, cout), nn.SiLU(), *_conv(cout, cout), nn.SiLU()]
        taps.append(len(layers) - 1)
        layers += [nn.MaxPool2d(2)] if cout != widths[-1] else []
    body = nn.Sequential(*layers, _BothPools())
    return AttributeNet(body, nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * widths[-1], outputs)), taps[-3:])


def _strided(channels: int, outputs: int, width: int) -> AttributeNet:
    """Return a cheap network for about 64 px: residual blocks at 16, 8 and 4 px (He et al. 2016).

    It has 1.4 M parameters at width 32.
    """
    layers, taps = [*_conv(channels, width, 5, stride=2), nn.ReLU()], []
    for cin, cout in itertools.pairwise([width, width * 2, width * 4, width * 6]):
        layers += [*_conv(cin, cout, stride=2), nn.ReLU(), _PlainResidual(cout)]
        taps.append(len(layers) - 1)
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return AttributeNet(body, nn.Sequential(nn.Dropout(0.3), nn.Linear(width * 6, outputs)), taps)


class _PlainResidual(nn.Module):
    """Return x + f(x), f of two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_conv(width, width), nn.ReLU(), *_conv(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.body(x))


def _plain(channels: int, outputs: int, width: int) -> AttributeNet:
    """Return a small network of three strided convolutions."""
    parts: list[nn.Module] = []
    for cin, cout in ((channels, width), (width, 2 * width), (2 * width, 4 * width)):
        parts += [*_conv(cin, cout, stride=2), nn.ReLU()]
    body = nn.Sequential(*parts, nn.Flatten())
    return AttributeNet(body, nn.Sequential(nn.Dropout(0.2), nn.LazyLinear(outputs)), [len(body) - 2])


def _pooled(channels: int, outputs: int, width: int) -> AttributeNet:
    """Return a small network of three convolutions with max pooling and a dense layer."""
    parts: list[nn.Module] = []
    for cin, cout in ((channels, width), (width, 2 * width), (2 * width, 2 * width)):
        parts += [*_conv(cin, cout, 5), nn.SiLU(), nn.MaxPool2d(2)]
    body = nn.Sequential(*parts, nn.Flatten(), nn.LazyLinear(64), nn.SiLU())
    return AttributeNet(body, nn.Linear(64, outputs), [len(body) - 1])


ARCHITECTURES: dict[str, Callable[[int, int, int], AttributeNet]] = {
    "plain": _plain,
    "pooled": _pooled,
    "residual": _residual,
    "convolutional": _convolutional,
    "strided": _strided,
}


def build(architecture: str, shape: tuple[int, int, int], outputs: int, *, width: int) -> AttributeNet:
    """Build the network of that name for pictures of ``shape`` (C, H, W), with its lazy layers sized."""
    network = ARCHITECTURES[architecture](shape[0], outputs, width)
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, *shape))
    return network


def restored(head: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> AttributeNet:
    """Return the frozen network of an attribute file; raise ValueError or similar if it is invalid."""
    shape, outputs, width = tuple(map(int, head["shape"])), len(head["names"]), head["width"]
    if len(shape) != 3 or max(shape) > 1024 or outputs > 10_000 or width > 1024:
        raise ValueError("sizes out of range")
    with Unfilled():
        network = build(head["architecture"], shape, outputs, width=width)
    weights = {k: v for k, v in tensors.items() if k not in MEASURED}
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    return network.eval().requires_grad_(False)


def bundled_names() -> list[str]:
    """Return the names of the bundled attribute networks."""
    return sorted(p.stem for p in ASSETS.glob("*.safetensors"))


def bundled(name: str) -> Path | None:
    """Return the bundled file of that name, which precedes a local file, or None."""
    if name not in bundled_names():
        return None
    tell_twice(name, "attribute network", folders=False)  # a folder "faces" is no network
    return ASSETS / f"{name}.safetensors"


def digest(network: str) -> str:
    """Return twelve digits that name an attribute network's file, bundled or not."""
    return file_digest(bundled(network) or Path(network))


def file_digest(file: Path | None) -> str:
    """Return twelve digits that name a file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if file else "unknown"


def fit(x: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Convert ``N,c,h,w`` in [-1, 1] to ``N,C,H,W``: repeat grey or average colours, resize antialiased."""
    channels, height, width = shape
    if x.shape[1] != channels:
        x = x.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    if tuple(x.shape[2:]) != (height, width):
        x = F.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return x
