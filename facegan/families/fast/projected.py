"""Heads that judge by a frozen network's feature maps (Sauer et al. 2021, section 3).

The frozen network is a bundled one that knows the attributes of faces, so that what a head learns are
judgements of hair, eyes and mouths from the first update on. Only the heads are trained or stored.
Each head projects the labels on its own 4x4 features (Miyato and Koyama 2018, equation 4), so that the frozen
maps, in which attributes can be told apart, judge from the beginning whether a picture is what was asked.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.nn.utils.parametrizations import spectral_norm

from facegan.attributes.networks import FORMAT, KEY, bundled, bundled_names, fit, restored
from facegan.layers.network import Heads
from facegan.tensor_files import read_tensors

JUDGES = {"faces", "evaluator"}


def networks() -> list[str]:
    """Return the names that :class:`ProjectedHeads` takes: networks that judge results never train."""
    return [name for name in bundled_names() if name not in JUDGES]


class ProjectedHeads(Heads):
    """Makes logits ``N,K`` of images, one for each map of the frozen network ``name``.

    Each head halves its map to 4x4 and ends in one number; spectral norms keep it from running away
    (Miyato et al. 2018), so that it needs no gradient penalty. ``width`` is the heads' channels. With
    ``label_dim``, a spectrally normalised embedding of the labels is projected on what its last layer sees.
    """

    def __init__(self, name: str, width: int, label_dim: int = 0) -> None:
        super().__init__()
        self.label_dim = label_dim
        # In a list, lest it become part of the state: checkpoints name it, but do not repeat it.
        self._frozen = [FrozenMaps(name)]
        self.shape = self._frozen[0].shape
        with torch.no_grad():
            maps = self.frozen(torch.zeros(1, *self.shape))
        self.heads = nn.ModuleList(_head(m.shape[1], m.shape[2], width) for m in maps)
        self.embeddings: nn.ModuleList | None = None
        if label_dim:
            features = [math.prod(head[-1].weight.shape[1:]) for head in self.heads]  # type: ignore[index]
            self.embeddings = nn.ModuleList(
                spectral_norm(nn.Linear(label_dim, count, bias=False)) for count in features
            )

    @property
    def frozen(self) -> nn.Module:
        """The network that makes the maps which the heads see, of images of the shape ``self.shape``."""
        return self._frozen[0]

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.frozen._apply(fn, recurse)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        maps = self.frozen(fit(images, self.shape))
        if self.embeddings is None:
            return torch.cat([head(m).flatten(1) for head, m in zip(self.heads, maps, strict=True)], 1)
        if labels is None:
            raise ValueError("heads that judge labelled pictures need their labels")
        logits = []
        for head, m, embed in zip(self.heads, maps, self.embeddings, strict=True):
            features = head[:-1](m)  # type: ignore[index]
            told = torch.mul(features.flatten(1), embed(labels.to(features.dtype))).sum(1, keepdim=True)
            logits.append(head[-1](features).flatten(1) + told)  # type: ignore[index]
        return torch.cat(logits, 1)


class FrozenMaps(nn.Module):
    """A bundled network's maps of images of its ``shape``, scaled to deviation 1 over photos."""

    def __init__(self, name: str) -> None:
        super().__init__()
        with read_tensors(bundled(name) or name, KEY, FORMAT, what="attribute network") as (head, tensors):
            self.shape: tuple[int, int, int] = tuple(head["shape"])
            self.network = restored(head, tensors)
            self.network.body = folded(self.network.body)
            self.register_buffer("std", tensors["map_std"])
        self.network.to(memory_format=torch.channels_last)
        self.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = self.network.maps(x)
        scales = self.std.split([m.shape[1] for m in maps])  # type: ignore[operator]
        return [m / s[:, None, None].to(m.dtype) for m, s in zip(maps, scales, strict=True)]


def _head(channels: int, side: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    while side > 4:
        layers += [spectral_norm(nn.Conv2d(channels, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        channels, side = width, side // 2
    layers += [spectral_norm(nn.Conv2d(channels, width, 3, 1, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, side)))


def folded(module: Any) -> Any:
    """Return a module that does the same in evaluation mode, with batch norms folded into convolutions."""
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
