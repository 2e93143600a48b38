"""Who takes part in benchmarks/side_by_side.py: one file each, all behind the same few methods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch


@dataclass(frozen=True)
class Setting:
    """``folder`` is the contestant's own, ``batch`` 0 its default."""

    images: np.ndarray
    """uint8 ``N,H,W,C``: the train split."""
    dataset: Path
    folder: Path
    seed: int
    device: torch.device
    batch: int = 0
    options: tuple[str, ...] = ()
    """name=value, for facegan's recipes."""


class Contestant(Protocol):
    """One training run. ``settings`` says in a line what it is; all that ``state`` gives can be loaded
    without executing anything (tensors, numbers, text and containers of them)."""

    settings: str
    images_seen: int
    updates: int

    def update(self) -> None:
        """Both networks, once."""
        ...

    def state(self) -> dict[str, Any]: ...

    def load(self, state: dict[str, Any]) -> None: ...

    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        """Each way to sample from it, and that many pictures uint8 ``N,H,W,C``."""
        ...


class Batches:
    """Every picture once an epoch, in an order that follows from seed and position alone."""

    def __init__(self, images: np.ndarray, batch: int, seed: int, device: torch.device) -> None:
        self.images, self.batch, self.seed, self.device = images, batch, seed, device
        self.per_epoch, self.epoch, self.order = len(images) // batch, -1, np.empty(0, np.int64)

    def __call__(self, index: int) -> torch.Tensor:
        """Batch number ``index`` as float ``N,C,H,W`` in [0, 1]; an epoch's incomplete rest is left out."""
        epoch, at = divmod(index, self.per_epoch)
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))
        rows = self.order[at * self.batch : (at + 1) * self.batch]
        return torch.from_numpy(self.images[rows]).permute(0, 3, 1, 2).float().div(255).to(self.device)


def to_bytes(images: torch.Tensor) -> np.ndarray:
    """Float ``N,C,H,W`` in [0, 1] to uint8 ``N,H,W,C``."""
    return images.mul(255).round().clamp(0, 255).permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()


def _dcgan(setting: Setting) -> Contestant:
    from contestants.dcgan import DCGAN

    return DCGAN(setting)


def _lightweight(setting: Setting) -> Contestant:
    from contestants.peers import Lightweight

    return Lightweight(setting)


def _lightweight_narrow(setting: Setting) -> Contestant:
    """With as many channels as the clock of one CPU core allows."""
    from contestants.peers import Lightweight

    return Lightweight(setting, most=64, attention=False)


def _stylegan2(setting: Setting) -> Contestant:
    from contestants.peers import StyleGAN2

    return StyleGAN2(setting)


PEERS: dict[str, Callable[[Setting], Contestant]] = {
    "dcgan": _dcgan,
    "lightweight-gan": _lightweight,
    "lightweight-gan-narrow": _lightweight_narrow,
    "stylegan2-pytorch": _stylegan2,
}


def contestant(name: str, setting: Setting) -> Contestant:
    """One of PEERS, or a recipe of facegan."""
    if name in PEERS:
        return PEERS[name](setting)
    from contestants.ours import Ours
    from facegan.recipes.table import RECIPES

    if name not in RECIPES:
        sys.exit(f"side_by_side: no contestant '{name}': choose {', '.join(PEERS)}, or a recipe of facegan")
    return Ours(name, setting)
