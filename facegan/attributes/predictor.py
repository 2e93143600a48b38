"""Predict which yes/no attributes a picture shows, with calibrated probabilities.

The features before its last layer measure how alike faces are. One file holds a network and its metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan.attributes.networks import (
    FORMAT,
    KEY,
    MEASURED,
    AttributeNet,
    bundled,
    bundled_names,
    fit,
    pooled,
    restored,
)
from facegan.images import to_float
from facegan.tensor_files import half, read_tensors, write_tensors


@dataclass
class AttributePredictor:
    """Predict attribute probabilities; the accuracies are from held-out pictures.

    ``shape`` is the (C, H, W) that the network takes: other pictures are brought to it. ``scale`` and
    ``shift`` (one for each name) turn the network's logits into calibrated ones (Platt 1999);
    ``mirror`` says that a picture and its mirror image are judged together. Features have mean 0 and
    standard deviation 1 over the pictures that ``measure_features`` was given; ``map_std`` is that of each
    channel of the maps before their means are taken.
    """

    names: tuple[str, ...]
    network: AttributeNet
    shape: tuple[int, int, int]
    architecture: str
    width: int
    accuracy: dict[str, float] = field(default_factory=dict)
    balanced_accuracy: dict[str, float] = field(default_factory=dict)
    scale: np.ndarray = field(default_factory=lambda: np.ones(0))
    shift: np.ndarray = field(default_factory=lambda: np.zeros(0))
    mirror: bool = False
    feature_mean: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    feature_std: np.ndarray = field(default_factory=lambda: np.ones(0, np.float32))
    map_std: np.ndarray = field(default_factory=lambda: np.ones(0, np.float32))
    metadata: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        h, w = self.shape[1:]
        return f"<AttributePredictor {self.architecture}: {len(self.names)} attributes of {w}x{h} px>"

    def __post_init__(self) -> None:
        if not len(self.scale):
            self.scale, self.shift = np.ones(len(self.names)), np.zeros(len(self.names))

    def predict(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return probabilities, float32 ``N,K`` in [0, 1], of uint8 ``N,H,W,C``."""
        logits = self.raw_logits(images, batch) * self.scale + self.shift
        return (1 / (1 + np.exp(-logits))).astype(np.float32)

    @torch.inference_mode()
    def raw_logits(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return logits before calibration, float32 ``N,K``, of uint8 ``N,H,W,C``."""
        self.network.eval()
        parts = []
        for x in self._batches(images, batch):
            logits = self.network(x)
            parts.append((logits + self.network(x.flip(3))) / 2 if self.mirror else logits)
        return torch.cat(parts).numpy() if parts else np.empty((0, len(self.names)), np.float32)

    def features_of(self, x: torch.Tensor) -> torch.Tensor:
        """Return features ``N,F`` of ``N,C,H,W`` in [-1, 1] of any size; differentiable."""
        found = self.network.features(fit(x, self.shape))
        if not len(self.feature_mean):
            return found
        mean, std = (torch.from_numpy(v).to(found.device) for v in (self.feature_mean, self.feature_std))
        return (found - mean) / std

    @torch.inference_mode()
    def features(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Return features, float32 ``N,F``, of uint8 ``N,H,W,C``."""
        self.network.eval()
        parts = [self.features_of(to_float(images[i : i + batch])) for i in range(0, len(images), batch)]
        return torch.cat(parts).numpy()

    @torch.inference_mode()
    def measure_features(self, images: np.ndarray) -> None:
        """Set the means and standard deviations of features and maps from these pictures."""
        self.network.eval()
        means, squares = [], []
        for x in self._batches(images, 64):
            maps = self.network.maps(x)
            means.append(pooled(maps))
            squares.append(pooled([m.square() for m in maps]))
        found, mean_square = torch.cat(means).numpy(), torch.cat(squares).mean(0).numpy()
        self.feature_mean, self.feature_std = found.mean(0), _floored(found.std(0))
        self.map_std = _floored(np.sqrt(np.maximum(mean_square - np.square(self.feature_mean), 0)))

    def _batches(self, images: np.ndarray, batch: int) -> Iterator[torch.Tensor]:
        return (fit(to_float(images[i : i + batch]), self.shape) for i in range(0, len(images), batch))

    def column(self, name: str) -> int:
        return self.names.index(name)

    def round_to_half(self) -> None:
        """Round the weights to the file's precision, so that measurements apply to the loaded network."""
        for tensor in self.network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())

    def save(self, path: str | Path) -> None:
        """Write one ``.safetensors`` file in half precision, with the metadata in its header."""
        header = {
            "format": FORMAT,
            "names": self.names,
            "shape": self.shape,
            "architecture": self.architecture,
            "width": self.width,
            "mirror": self.mirror,
            "scale": self.scale.tolist(),
            "shift": self.shift.tolist(),
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "papers": self.metadata,
        }
        measured = {name: torch.from_numpy(getattr(self, name)) for name in MEASURED}
        write_tensors(path, KEY, header, tensors=half(self.network.state_dict()) | measured)

    @classmethod
    def load(cls, path: str | Path) -> AttributePredictor:
        """Load a file of :meth:`save` or a bundled network by name; raise ModelError in one line."""
        file = bundled(str(path)) or path
        absent = f"file; bundled attribute networks: {', '.join(bundled_names())}"
        with read_tensors(file, KEY, FORMAT, what="attribute network", absent=absent) as (head, tensors):
            network, names = restored(head, tensors), tuple(map(str, head["names"]))
            c, h, w = (int(v) for v in head["shape"])
            scale, shift = (np.array(head[k], float).reshape(len(names)) for k in ("scale", "shift"))
            feature_mean, feature_std = (tensors[f"feature_{k}"].numpy() for k in ("mean", "std"))
            map_std = tensors.get("map_std", torch.ones(0)).numpy()
            return cls(
                names,
                network,
                (c, h, w),
                head["architecture"],
                head["width"],
                dict(head["accuracy"]),
                dict(head["balanced_accuracy"]),
                scale,
                shift,
                bool(head["mirror"]),
                feature_mean,
                feature_std,
                map_std,
                dict(head["papers"]),
            )


def _floored(spread: np.ndarray) -> np.ndarray:
    """Return deviations to divide by, with a floor, so that rarely active channels are not amplified."""
    return np.maximum(spread, 0.05 * spread.mean() + 1e-12).astype(np.float32)
