"""DCGAN as tutorials write it: a plain PyTorch loop (Radford et al. 2015), nothing of facegan in it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from contestants import Batches, Setting, to_bytes

Z, WIDTH = 100, 64


def generator() -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(((Z, 8), (8, 4), (4, 2), (2, 1))):
        stride, padding = (1, 0) if i == 0 else (2, 1)
        layers += [
            nn.ConvTranspose2d(a if i == 0 else a * WIDTH, b * WIDTH, 4, stride, padding, bias=False),
            nn.BatchNorm2d(b * WIDTH),
            nn.ReLU(True),
        ]
    return nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for a, b in ((1, 2), (2, 4), (4, 8)):
        layers += [
            nn.Conv2d(a * WIDTH, b * WIDTH, 4, 2, 1, bias=False),
            nn.BatchNorm2d(b * WIDTH),
            nn.LeakyReLU(0.2, True),
        ]
    return nn.Sequential(*layers, nn.Conv2d(8 * WIDTH, 1, 4, bias=False), nn.Flatten(0))


def initial(module: nn.Module) -> None:
    """N(0, 0.02), as the paper has it."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


class DCGAN:
    """Binary cross entropy on real, then on generated pictures; Adam 2e-4, beta1 0.5."""

    def __init__(self, setting: Setting) -> None:
        self.device, batch = setting.device, setting.batch or 32
        self.settings = f"64 base channels, z {Z}, Adam 2e-4 (0.5, 0.999), batch {batch} (tutorials: 128)"
        self.batches = Batches(setting.images, batch, setting.seed, setting.device)
        self.g, self.d = (net().apply(initial).to(setting.device) for net in (generator, discriminator))
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (self.g, self.d)
        )
        self.bce, self.images_seen, self.updates = nn.BCEWithLogitsLoss(), 0, 0

    def update(self) -> None:
        real = self.batches(self.updates) * 2 - 1
        ones, zeros = torch.ones(len(real), device=self.device), torch.zeros(len(real), device=self.device)
        self.d_optimizer.zero_grad()
        self.bce(self.d(real), ones).backward()
        fake = self.g(torch.randn(len(real), Z, 1, 1, device=self.device))
        self.bce(self.d(fake.detach()), zeros).backward()
        self.d_optimizer.step()
        self.g_optimizer.zero_grad()
        self.bce(self.d(fake), ones).backward()
        self.g_optimizer.step()
        self.images_seen, self.updates = self.images_seen + len(real), self.updates + 1

    def _parts(self) -> dict[str, Any]:
        names = ("g", "d", "g_optimizer", "d_optimizer")
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, Any]:
        counts = {"images_seen": self.images_seen, "updates": self.updates}
        return {**{k: v.state_dict() for k, v in self._parts().items()}, **counts}

    def load(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.images_seen, self.updates = state["images_seen"], state["updates"]

    @torch.no_grad()
    def samples(self, count: int) -> Iterator[tuple[str, np.ndarray]]:
        for title, network in (
            ("batch statistics", deepcopy(self.g).train()),
            ("running statistics", deepcopy(self.g).eval()),
        ):
            torch.manual_seed(12345)
            each = min(count, 100)
            parts = [
                to_bytes(network(torch.randn(each, Z, 1, 1, device=self.device)) / 2 + 0.5)
                for _ in range(-(-count // each))
            ]
            yield title, np.concatenate(parts)[:count]
