"""Real images by their global index, so that the order never depends on when a run was stopped."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from facegan import rng
from facegan.devices import send
from facegan.errors import ConfigError
from facegan.images import to_float
from facegan.recipes.config import TrainConfig


class ImageSampler:
    """Makes float batches ``N,C,H,W`` of the real images ``start .. start + count - 1``.

    ``sampler(start, count, (low, high))`` is the part ``low .. high - 1`` of one. ``images`` is uint8
    ``N,H,W,C``, usually a memory map; ``table`` is float ``N,L`` where training is conditional.
    """

    def __init__(
        self,
        images: np.ndarray,
        config: TrainConfig,
        device: torch.device,
        *,
        table: np.ndarray | None = None,
    ) -> None:
        self.images, self.config, self.device, self.table = images, config, device, table
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self._groups: list[
            np.ndarray
        ] = []  # rows of each combination of labels, where all come equally often
        self._shuffles: dict[int, tuple[int, np.ndarray]] = {}  # by group: its pass, and the order there
        if config.balance:
            if table is None:
                raise ConfigError("--balance goes with --condition: it balances the labels")
            _, which = np.unique(table, axis=0, return_inverse=True)
            which = which.reshape(-1)
            order = np.argsort(which, kind="stable")
            self._groups = np.split(order, np.cumsum(np.bincount(which))[:-1])
        self._passes: list[tuple[int, int]] = [(0, 0)]  # first batch of each pass, its first row
        if len(images) < config.batch and config.sampling in ("consecutive", "sequential"):
            raise ConfigError(
                f"--batch {config.batch} is more than the dataset's {len(images)} training images"
            )

    def __call__(self, start: int, count: int, part: tuple[int, int] | None = None) -> torch.Tensor:
        low, high = part or (0, count)
        batch = self.images[self.image_rows(start, count)[low:high]]
        if self.config.flip:
            mirrored = rng.uniform(self.config.seed, "flip", start + low, count=high - low)[:, 0] < 0.5
            batch[mirrored] = batch[mirrored, :, ::-1]
        return to_float(batch, self.device)

    def image_rows(self, start: int, count: int) -> np.ndarray:
        """Return which pictures of the dataset the images ``start .. start + count - 1`` are."""
        if self._groups:
            return self.balanced("order", start, count)
        return SAMPLING[self.config.sampling](self, start, count)

    def labels(self, start: int, count: int, part: tuple[int, int]) -> torch.Tensor:
        """Return the labels ``n,L`` of the images of ``sampler(start, count, part)``."""
        assert self.table is not None
        low, high = part
        rows = self.image_rows(start, count)[low:high]
        return send(torch.from_numpy(self.table[rows]), self.device)

    def drawn_labels(self, start: int, part: tuple[int, int]) -> torch.Tensor:
        """Return labels ``n,L`` for generated images, those of training images drawn at random."""
        assert self.table is not None
        low, high = part
        if self._groups:
            rows = self.balanced("fake-labels", start + low, high - low)
            return send(torch.from_numpy(self.table[rows]), self.device)
        u = rng.uniform(self.config.seed, "fake-labels", start + low, count=high - low)[:, 0]
        return send(torch.from_numpy(self.table[(u * len(self.table)).astype(np.int64)]), self.device)

    def balanced(self, purpose: str, start: int, count: int) -> np.ndarray:
        """Return rows among which each combination of labels comes equally often.

        Of G combinations, G images in a row have one each, in an order of their own; a combination's pictures
        come in shuffled epochs. All of it follows from the index, so a resumed run draws the same rows.
        """
        groups, rows = self._groups, np.empty(count, np.int64)
        seed, first = self.config.seed, start // len(groups)
        for turn in range(first, (start + count - 1) // len(groups) + 1):
            turns = rng.permutation(seed, f"{purpose}-balance", turn, n=len(groups))
            for place, group in enumerate(turns, turn * len(groups) - start):
                if 0 <= place < count:
                    rows[place] = self._member(purpose, int(group), turn)
        return rows

    def _member(self, purpose: str, group: int, turn: int) -> int:
        """Return the row of the group's picture at its turn."""
        members = self._groups[group]
        epoch, at = divmod(turn, len(members))
        if purpose != "order":  # only labels are taken of it, which all members share
            return int(members[0])
        if self._shuffles.get(group, (-1,))[0] != epoch:
            order = rng.permutation(self.config.seed, f"balance-{group}", epoch, n=len(members))
            self._shuffles[group] = epoch, order
        return int(members[self._shuffles[group][1][at]])

    def shuffled(self, start: int, count: int) -> np.ndarray:
        """Return rows in shuffled epochs."""
        n, rows = len(self.images), []
        index = start
        while index < start + count:
            epoch, offset = divmod(index, n)
            if epoch != self._epoch:
                self._epoch, self._order = epoch, rng.permutation(self.config.seed, "order", epoch, n=n)
            rows.append(self._order[offset : offset + start + count - index])
            index += len(rows[-1])
        return np.concatenate(rows)

    def replaced(self, start: int, count: int) -> np.ndarray:
        """Return rows drawn with replacement."""
        return (rng.uniform(self.config.seed, "rows", start, count=count)[:, 0] * len(self.images)).astype(
            np.int64
        )

    def consecutive(self, start: int, count: int) -> np.ndarray:
        """Return neighbouring rows from a random one on."""
        first = int(
            rng.uniform(self.config.seed, "rows", start, count=1)[0, 0] * (len(self.images) - count + 1)
        )
        return np.arange(first, first + count)

    def sequential(self, start: int, count: int) -> np.ndarray:
        """Return rows in order; if no whole batch is left, again from a random one of the first ten."""
        index, n, last = start // count, len(self.images), len(self._passes) - 1
        while True:
            batch, row = self._passes[last]
            beyond = batch + (n - row) // count
            if index < beyond:
                break
            choice = rng.uniform(self.config.seed, "rows", len(self._passes), count=1)[0, 0]
            self._passes.append((beyond, int(choice * min(10, n - count + 1))))
            last += 1
        while self._passes[last][0] > index:
            last -= 1
        batch, row = self._passes[last]
        return np.arange(row + (index - batch) * count, row + (index - batch + 1) * count)


SAMPLING: dict[str, Callable[[ImageSampler, int, int], np.ndarray]] = {
    "shuffle": ImageSampler.shuffled,
    "replacement": ImageSampler.replaced,
    "consecutive": ImageSampler.consecutive,
    "sequential": ImageSampler.sequential,
}
