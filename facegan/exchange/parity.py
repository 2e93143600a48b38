"""Proof that an exported graph draws what PyTorch draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from facegan.generator import Generator
from facegan.images import to_uint8

SEEDS = range(64)
BATCHES = (1, 5, 32)

Run = Callable[[dict[str, np.ndarray]], np.ndarray]
"""Runs an exported graph: its inputs by name to its output."""


@dataclass(frozen=True)
class Parity:
    """``levels`` is the greatest difference of 255, ``share`` that of the values that differ at all."""

    levels: int
    share: float
    what: str = "64 seeds"

    def __str__(self) -> str:
        batches = f"{', '.join(map(str, BATCHES[:-1]))} and {BATCHES[-1]}"
        most = "not at all" if not self.levels else f"by {self.levels} level{'s' * (self.levels > 1)} at most"
        return (
            f"{self.what} in batches of {batches} differ from PyTorch {most} "
            f"(of 255; {self.share:.2%} of the values differ)"
        )


def measure_parity(model: Generator, part: str, run: Run) -> Parity:
    """Compare the graph's pictures of 64 seeds, in batches of 1, 5 and 32, with the model's.

    What the part lacks is done by PyTorch. Labels are drawn by seed.
    """
    model = model.as_trained()
    expected = model.images(SEEDS, batch=BATCHES[-1]).astype(np.int16)
    given = {"z": model.latent.sample(SEEDS)}
    if (labels := model.labels_of(SEEDS)) is not None:
        given["labels"] = labels
    levels, differing, count = 0, 0, 0
    for size in BATCHES:
        for start in range(0, len(SEEDS), size):
            rows = slice(start, start + size)
            found = _pictures(model, run, {k: v[rows] for k, v in given.items()}, part=part)
            difference = np.abs(found.astype(np.int16) - expected[rows])
            levels = max(levels, int(difference.max()))
            differing += int(np.count_nonzero(difference))
            count += difference.size
    return Parity(levels, differing / count)


def _pictures(model: Generator, run: Run, given: dict[str, torch.Tensor], *, part: str) -> np.ndarray:
    with torch.inference_mode():
        inputs = given
        if part == "synthesize":
            inputs = {"w": model.map(given["z"], labels=given.get("labels"))}
        made = torch.from_numpy(run({k: v.cpu().contiguous().numpy() for k, v in inputs.items()}))
        return to_uint8(model.synthesize(made) if part == "map" else made)
