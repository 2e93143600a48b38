"""Batches of pairs and of two domains, by each picture's global index."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from facegan import rng
from facegan.data.inputs import derive
from facegan.images import to_float, to_uint8
from facegan.recipes.config import TrainConfig
from facegan.training.sampler import SAMPLING, ImageSampler

MEMORY = 2**29  # bytes of derived inputs that are kept, so that none is computed in every epoch


class JitteringSampler(ImageSampler):
    """Draws pictures as :class:`ImageSampler` does, in uint8, mirrored and jittered.

    Jitter enlarges a picture by ``translation.jitter`` px and crops it again at random (Isola et al. 2017,
    appendix 6.2: from 286 to 256 px). ``purpose`` keeps the draws of two domains apart.
    """

    def __init__(
        self, images: np.ndarray, config: TrainConfig, device: torch.device, *, purpose: str = ""
    ) -> None:
        super().__init__(images, config, device)
        self.purpose = purpose

    def rows(self, start: int, count: int, part: tuple[int, int]) -> np.ndarray:
        """Return the rows of the images ``start + low .. start + high - 1``."""
        low, high = part
        return SAMPLING[self.config.sampling](self, start, count)[low:high]

    def mirrored(self, start: int, part: tuple[int, int]) -> np.ndarray:
        """Return which of the images are mirrored."""
        low, high = part
        if not self.config.flip:
            return np.zeros(high - low, bool)
        purpose = f"flip{self.purpose}"
        found: np.ndarray = rng.uniform(self.config.seed, purpose, start + low, count=high - low)[:, 0] < 0.5
        return found

    def jittered(self, batch: np.ndarray, start: int, part: tuple[int, int]) -> np.ndarray:
        """Return the images cut out anew; ``batch`` may hold several pictures of each in its channels."""
        more, (low, high) = self.config.translation.jitter, part
        if not more:
            return batch
        h, w = batch.shape[1:3]
        drawn = rng.uniform(
            self.config.seed, f"jitter{self.purpose}", start + low, count=high - low, per_item=2
        )
        places = (drawn * (more + 1)).astype(np.int64)
        wide = F.interpolate(to_float(batch), (h + more, w + more), mode="bicubic", align_corners=False)
        cut = [x[:, y : y + h, left : left + w] for x, (y, left) in zip(wide, places, strict=True)]
        return to_uint8(torch.stack(cut))

    def drawn(self, start: int, count: int, part: tuple[int, int]) -> np.ndarray:
        """Return uint8 ``n,H,W,C``."""
        batch = self.images[self.rows(start, count, part)]
        mirrored = self.mirrored(start, part)
        batch[mirrored] = batch[mirrored, :, ::-1]
        return self.jittered(batch, start, part)

    def __call__(self, start: int, count: int, part: tuple[int, int] | None = None) -> torch.Tensor:
        return to_float(self.drawn(start, count, part or (0, count)), self.device)


class PairSampler(JitteringSampler):
    """Draws targets and their inputs.

    ``beside`` are given inputs, in the order of ``images``; without them, ``config.input`` says how inputs
    are derived of the targets as they are drawn.
    """

    def __init__(
        self,
        images: np.ndarray,
        config: TrainConfig,
        device: torch.device,
        *,
        beside: np.ndarray | None = None,
    ) -> None:
        super().__init__(images, config, device)
        self.beside = beside
        self._derived: dict[tuple[int, bool], np.ndarray] = {}

    def pairs(self, start: int, count: int, part: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return inputs and targets ``n,C,H,W``."""
        if self.beside is None:
            targets = self.drawn(start, count, part)
            inputs = self._derive(targets, start, count, part=part)
        else:
            rows, mirrored = self.rows(start, count, part), self.mirrored(start, part)
            both = np.concatenate([self.beside[rows], self.images[rows]], axis=3)
            both[mirrored] = both[mirrored, :, ::-1]
            inputs, targets = np.split(self.jittered(both, start, part), 2, axis=3)
        return to_float(inputs, self.device), to_float(targets, self.device)

    def _derive(self, targets: np.ndarray, start: int, count: int, *, part: tuple[int, int]) -> np.ndarray:
        """Return the inputs of drawn targets; those without jitter, of which there are two, are kept."""
        name = self.config.input
        if self.config.translation.jitter:
            return derive(name, targets)
        rows = self.rows(start, count, part).tolist()
        keys = list(zip(rows, self.mirrored(start, part).tolist(), strict=True))
        new = [i for i, key in enumerate(keys) if key not in self._derived]
        made = dict(zip(new, derive(name, targets[new]), strict=True)) if new else {}
        if (len(self._derived) + len(new)) * targets[0].nbytes <= MEMORY:
            self._derived |= {keys[i]: value for i, value in made.items()}
        return np.stack([made[i] if i in made else self._derived[key] for i, key in enumerate(keys)])


class DomainSampler(JitteringSampler):
    """Draws pictures of the first domain; ``other`` draws those of the second in an order of their own."""

    def __init__(
        self,
        images: np.ndarray,
        config: TrainConfig,
        device: torch.device,
        *,
        beside: np.ndarray,
    ) -> None:
        super().__init__(images, config, device)
        apart = replace(config, seed=rng.torch_seed(config.seed, "second domain", 0))
        self.other = JitteringSampler(beside, apart, device, purpose="-b")
