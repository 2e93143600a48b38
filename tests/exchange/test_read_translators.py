"""Generators of pix2pix and CycleGAN in the layout of their authors' code, built here of plain PyTorch."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import facegan
from facegan.cli.main import main
from facegan.errors import FaceganError
from facegan.images import to_float, to_uint8
from facegan.translator import Translator

NORMS = {
    "batch": lambda c: nn.BatchNorm2d(c),
    "instance": lambda c: nn.InstanceNorm2d(c),
    "instance of 2018": lambda c: nn.InstanceNorm2d(c, track_running_stats=True),
}


class Level(nn.Module):
    """A level of the nested U-Net: what comes in, beside what the inner levels make of it."""

    def __init__(self, *layers: nn.Module, outermost: bool = False) -> None:
        super().__init__()
        self.outermost, self.model = outermost, nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Named(nn.Module):
    """The outer class, whose only attribute is ``model``."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def unet(norm: str, widths: tuple[int, ...] = (6, 8, 10, 12), channels: int = 3) -> nn.Module:
    make, bias = NORMS[norm], norm != "batch"

    def down(a: int, b: int) -> nn.Conv2d:
        return nn.Conv2d(a, b, 4, 2, 1, bias=bias)

    def up(a: int, b: int) -> nn.ConvTranspose2d:
        return nn.ConvTranspose2d(a, b, 4, 2, 1, bias=bias)

    *_, outer, inner = widths
    level = Level(nn.LeakyReLU(0.2), down(outer, inner), nn.ReLU(), up(inner, outer), make(outer))
    for a, b in list(pairwise(widths[:-1]))[::-1]:
        level = Level(
            nn.LeakyReLU(0.2), down(a, b), make(b), level, nn.ReLU(), up(2 * b, a), make(a), nn.Dropout(0.5)
        )
    first, last = down(channels, widths[0]), nn.ConvTranspose2d(2 * widths[0], channels, 4, 2, 1)
    return Named(Level(first, level, nn.ReLU(), last, nn.Tanh(), outermost=True))


class Block(nn.Module):
    def __init__(self, width: int, norm: str, dropout: bool) -> None:
        super().__init__()
        make, bias = NORMS[norm], norm != "batch"
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), make(width), nn.ReLU()
        ]  # fmt: skip
        layers += [nn.Dropout(0.5)] * dropout
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), make(width)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


def resnet(norm: str, blocks: int = 2, dropout: bool = False, channels: int = 3) -> nn.Module:
    make, bias = NORMS[norm], norm != "batch"
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3), nn.Conv2d(channels, 6, 7, bias=bias), make(6), nn.ReLU()
    ]  # fmt: skip
    for a, b in ((6, 8), (8, 10)):
        layers += [nn.Conv2d(a, b, 3, 2, 1, bias=bias), make(b), nn.ReLU()]
    layers += [Block(10, norm, dropout) for _ in range(blocks)]
    for a, b in ((10, 8), (8, 6)):
        layers += [nn.ConvTranspose2d(a, b, 3, 2, 1, 1, bias=bias), make(b), nn.ReLU()]
    return Named(nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(6, channels, 7), nn.Tanh()))


def trained(net: nn.Module) -> nn.Module:
    """The network with contrast, statistics of its own, and as the authors' test.py runs it."""
    torch.manual_seed(1)
    for name, tensor in net.state_dict().items():
        if tensor.ndim > 1:
            tensor.copy_(torch.randn(tensor.shape) * (2 / tensor[0].numel()) ** 0.5)
        elif name.endswith(("running_var", "weight")):
            tensor.copy_(torch.rand(tensor.shape) + 0.5)
        elif tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape) * 0.2)
    net.eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()  # of one picture: its own statistics
        if isinstance(module, nn.InstanceNorm2d):
            module.track_running_stats = False  # those of 2018 are stored and dropped by their authors
            module.running_mean = module.running_var = None
    return net


CASES: dict[str, tuple[nn.Module, dict[str, Any]]] = {
    "U-Net": (unet("batch"), {"size": 32}),
    "U-Net, instance norm": (unet("instance"), {"size": 32}),
    "U-Net, grey, of its least size": (unet("batch", channels=1), {}),
    "U-Net of eight levels": (unet("batch", (4, 4, 6, 6, 6, 6, 6, 6)), {}),
    "ResNet": (resnet("instance"), {"size": 32}),
    "ResNet, batch norm, dropout": (resnet("batch", 3, dropout=True), {"size": 32}),
    "ResNet of 2018": (resnet("instance of 2018"), {"size": 32}),
}


def photos(side: int, channels: int) -> np.ndarray:
    small = np.random.default_rng(0).integers(0, 256, (3, 8, 8, channels), np.uint8)
    return small.repeat(side // 8, 1).repeat(side // 8, 2)


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_the_same(name: str, tmp_path: Path) -> None:
    net, options = CASES[name]
    state = net.state_dict()
    net = trained(net)
    torch.save(state, tmp_path / "latest_net_G.pth")
    made = facegan.import_model(tmp_path / "latest_net_G.pth", tmp_path / "T.safetensors", **options)
    assert made.format == "translators"
    model = facegan.load(tmp_path / "T.safetensors")
    assert isinstance(model, Translator) and model.directions == ("forward",)
    c, side, _ = model.image_shape
    assert side == options.get("size", 256 if "eight" in name else 16)
    images = photos(side, c)
    with torch.no_grad():
        expected = np.concatenate([to_uint8(net(to_float(image[None]))) for image in images])
    found = model.translate(images)
    assert np.abs(found.astype(int) - expected).max() <= 1 and expected.std() > 20


def test_the_command_with_parallel_data_and_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    state = {f"module.{k}": v for k, v in resnet("instance of 2018").state_dict().items()}
    torch.save(state, "latest_net_G_A.pth", _use_new_zipfile_serialization=False)
    assert main(["import", "latest_net_G_A.pth", "--out", "T.safetensors", "--size", "64"]) == 0
    out = capsys.readouterr().out
    for said in (
        "latest_net_G_A.pth (translators) -> T.safetensors",
        "makes pictures of 64x64 px, colour, of such pictures",
        "took: a ResNet of 2 blocks, norm instance:",
        "left out: 27 statistics that nothing uses",
        "next: facegan translate T.safetensors PHOTO",
    ):
        assert said in out, out
    assert main(["translate", "T.safetensors", "sample:astronaut", "--no-align", "--out", "a.png"]) == 0
    assert main(["import", "latest_net_G_A.pth", "--networks", "n.safetensors"]) == 2
    assert "holds a translator without its discriminator" in capsys.readouterr().err
    assert not Path("n.safetensors").exists()


WRONG: dict[str, tuple[Any, str]] = {
    "four channels": (lambda: unet("batch", channels=4).state_dict(), "makes pictures of 4 channels from 4"),
    "a missing layer": (
        lambda: {
            k: v for k, v in resnet("batch").state_dict().items() if "model.4.bias" not in k and "13" not in k
        },
        "is missing on one side|is no convolution",
    ),
    "one more": (
        lambda: {**resnet("batch").state_dict(), "model.30.weight": torch.ones(3)},
        "it has a tensor 'model.30.weight' that these networks do not have",
    ),
    "a wrong shape": (
        lambda: {**unet("batch").state_dict(), "model.model.1.model.2.weight": torch.ones(3)},
        "has the shape 3",
    ),
    "not finite": (
        lambda: {**unet("batch").state_dict(), "model.model.3.bias": torch.full((3,), torch.inf)},
        "not finite",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_other_networks_are_one_line(name: str, tmp_path: Path) -> None:
    make, said = WRONG[name]
    torch.save(make(), tmp_path / "g.pth")
    with pytest.raises(FaceganError, match=said) as caught:
        facegan.import_model(tmp_path / "g.pth", tmp_path / "T.safetensors")
    assert "\n" not in str(caught.value) and not (tmp_path / "T.safetensors").exists()


def test_a_size_that_the_network_cannot_have(tmp_path: Path) -> None:
    torch.save(unet("batch").state_dict(), tmp_path / "g.pth")
    with pytest.raises(FaceganError, match="size=40: this network needs sides that are multiples of 16 px"):
        facegan.import_model(tmp_path / "g.pth", tmp_path / "T.safetensors", size=40)
