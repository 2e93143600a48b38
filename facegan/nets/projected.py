"""Heads that judge by a frozen network's feature maps (Sauer et al. 2021, section 3).

The frozen network is a bundled one that knows the attributes of faces, so that what a head learns are
judgements of hair, eyes and mouths from the first update on. Only the heads are trained or stored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import spectral_norm

from facegan.nets.attribute_nets import AttributeNet, build, fit
from facegan.nets.unfilled import Unfilled

JUDGES = {"faces", "evaluator"}
ASSETS = Path(__file__).parent.parent / "assets" / "attributes"


def networks() -> list[str]:
    """Names that :class:`ProjectedHeads` takes: those that judge results never train."""
    return sorted({p.stem for p in ASSETS.glob("*.safetensors")} - JUDGES)


class ProjectedHeads(nn.Module):
    """``N,C,H,W`` in [-1, 1] to logits ``N,K``, one for each map of the frozen network ``name``.

    Each head halves its map to 4x4 and ends in one number; spectral norms keep it from running away
    (Miyato et al. 2018), so that it needs no gradient penalty. ``width`` is the heads' channels.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        shape, network, std = _load(name)
        # In a list, lest it become part of the state: checkpoints name it, but do not repeat it.
        self._frozen, self.shape = [_Maps(network, std)], shape
        with torch.no_grad():
            maps = self.frozen(torch.zeros(1, *shape))
        self.heads = nn.ModuleList(_head(m.shape[1], m.shape[2], width) for m in maps)

    @property
    def frozen(self) -> nn.Module:
        """Pictures of the shape ``self.shape`` to the maps that the heads see."""
        return self._frozen[0]

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.frozen._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.frozen(fit(images, self.shape))
        return torch.cat([head(m).flatten(1) for head, m in zip(self.heads, maps, strict=True)], 1)


def _load(name: str) -> tuple[tuple[int, int, int], AttributeNet, torch.Tensor]:
    """The bundled network, the ``C,H,W`` that it takes, and the deviation of each channel of its maps."""
    from safetensors import safe_open

    with safe_open(str(ASSETS / f"{name}.safetensors"), framework="pt") as handle:
        head = json.loads(handle.metadata()["facegan-attributes"])
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    shape: tuple[int, int, int] = tuple(head["shape"])
    with Unfilled():
        network = build(head["architecture"], shape, len(head["names"]), head["width"])
    std = tensors.pop("map_std")
    del tensors["feature_mean"], tensors["feature_std"]
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    return shape, network, std


class _Maps(nn.Module):
    """The tapped layers' outputs, each channel with a standard deviation of 1 over photos."""

    def __init__(self, network: AttributeNet, std: torch.Tensor) -> None:
        super().__init__()
        last = max(network.taps)
        self.body, self.taps = nn.ModuleList(folded(network.body[: last + 1])), network.taps
        self.body.to(memory_format=torch.channels_last)
        self.requires_grad_(False).eval()
        self.register_buffer("std", std)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for i, layer in enumerate(self.body):
            x = layer(x)
            if i in self.taps:
                found.append(x)
        scales = self.std.split([m.shape[1] for m in found])  # type: ignore[operator]
        return [m / s[:, None, None].to(m.dtype) for m, s in zip(found, scales, strict=True)]


def _head(channels: int, side: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    while side > 4:
        layers += [spectral_norm(nn.Conv2d(channels, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        channels, side = width, side // 2
    layers += [spectral_norm(nn.Conv2d(channels, width, 3, 1, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, side)))


def folded(module: Any) -> Any:
    """What does the same in evaluation mode, each batch norm folded into the convolution before it."""
    if isinstance(module, nn.Sequential):
        layers: list[nn.Module] = []
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
                # What stood there keeps its place, so that taps still count the same layers.
                layers[-1:] = [fuse_conv_bn_eval(layers[-1].eval(), layer.eval()), nn.Identity()]
            else:
                layers.append(folded(layer))
        return nn.Sequential(*layers)
    for name, child in module.named_children():
        setattr(module, name, folded(child))
    return module
