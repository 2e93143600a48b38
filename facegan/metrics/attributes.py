"""A small attribute predictor: which of a dataset's yes/no attributes a picture shows.

Two sizes, so that one network may choose members and another, trained on other pictures, may judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from facegan import rng
from facegan.errors import DatasetError
from facegan.images import to_float


@dataclass
class AttributePredictor:
    """``predict`` gives probabilities; the accuracies are those on pictures that it never saw."""

    names: tuple[str, ...]
    network: nn.Module
    accuracy: dict[str, float] = field(default_factory=dict)
    balanced_accuracy: dict[str, float] = field(default_factory=dict)

    @torch.inference_mode()
    def predict(self, images: np.ndarray, batch: int = 256) -> np.ndarray:
        """uint8 ``N,H,W,C`` to float32 ``N,K`` in [0, 1]."""
        parts = [
            self.network(to_float(images[i : i + batch])).sigmoid() for i in range(0, len(images), batch)
        ]
        return torch.cat(parts).numpy() if parts else np.empty((0, len(self.names)), np.float32)

    def column(self, name: str) -> int:
        return self.names.index(name)


def _plain(channels: int, outputs: int, width: int) -> nn.Module:
    def block(cin: int, cout: int) -> list[nn.Module]:
        return [nn.Conv2d(cin, cout, 3, 2, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]

    return nn.Sequential(
        *block(channels, width), *block(width, 2 * width), *block(2 * width, 4 * width),
        nn.Flatten(), nn.Dropout(0.2), nn.LazyLinear(outputs),
    )  # fmt: skip


def _pooled(channels: int, outputs: int, width: int) -> nn.Module:
    def block(cin: int, cout: int) -> list[nn.Module]:
        return [nn.Conv2d(cin, cout, 5, 1, 2, bias=False), nn.BatchNorm2d(cout), nn.SiLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *block(channels, width), *block(width, 2 * width), *block(2 * width, 2 * width),
        nn.Flatten(), nn.LazyLinear(64), nn.SiLU(), nn.Linear(64, outputs),
    )  # fmt: skip


ARCHITECTURES = {"plain": _plain, "pooled": _pooled}


def train_attribute_predictor(
    images: np.ndarray,
    attributes: np.ndarray,
    names: Sequence[str],
    test_images: np.ndarray,
    test_attributes: np.ndarray,
    *,
    architecture: str = "plain",
    width: int = 16,
    epochs: int = 12,
    batch: int = 64,
    lr: float = 2e-3,
    seed: int = 0,
) -> AttributePredictor:
    """Fit on uint8 ``N,H,W,C`` with attributes ``N,K`` (1, 0, or -1 for unknown), score on the test set.

    AdamW with a cosine schedule, binary cross entropy over the known values, and shifts by up to 2 px
    as augmentation (a mirror would turn faces round).
    """
    if len(images) < 2 or not len(names):
        raise DatasetError("an attribute predictor needs pictures with attributes")
    torch.manual_seed(rng.torch_seed(seed, "predictor", 0))
    network = ARCHITECTURES[architecture](images.shape[3], len(names), width)
    network(to_float(images[:2]))  # the lazy layers take their size
    steps = epochs * -(-len(images) // batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    target = torch.from_numpy(attributes.astype(np.float32))
    network.train()
    for epoch in range(epochs):
        order = rng.permutation(seed, "predictor", epoch, len(images))
        for start in range(0, len(order), batch):
            rows = np.sort(order[start : start + batch])
            if len(rows) < 2:
                continue
            x, y = _shift(to_float(images[rows])), target[rows]
            known = (y >= 0).float()
            loss = F.binary_cross_entropy_with_logits(network(x), y.clamp_min(0), known, reduction="sum")
            loss = loss / known.sum().clamp_min(1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    predictor = AttributePredictor(tuple(names), network.eval())
    _score(predictor, test_images, test_attributes)
    return predictor


def _shift(x: torch.Tensor) -> torch.Tensor:
    """The batch moved by up to 2 px, the border repeated."""
    dy, dx = (int(v) for v in torch.randint(0, 5, (2,)))
    h, w = x.shape[2:]
    return F.pad(x, (2, 2, 2, 2), "replicate")[:, :, dy : dy + h, dx : dx + w]


def _score(predictor: AttributePredictor, images: np.ndarray, attributes: np.ndarray) -> None:
    """Accuracy, and the mean of the two classes' accuracies, for each attribute."""
    right = (predictor.predict(images) > 0.5) == (attributes == 1)
    for i, name in enumerate(predictor.names):
        known = attributes[:, i] >= 0
        sides = [right[known & ((attributes[:, i] == 1) == side), i] for side in (True, False)]
        if known.any():
            predictor.accuracy[name] = float(right[known, i].mean())
            predictor.balanced_accuracy[name] = float(np.mean([s.mean() for s in sides if len(s)]))
