"""Compute perceptual path length (Karras et al. 2019, 4.1): short if the latent space is smooth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from facegan import rng
from facegan.metrics.base import FIRST_SEED, MetricInputs, Values

if TYPE_CHECKING:
    from facegan.generator import Generator

EPSILON = 1e-3  # share of the way between two latents
PATHS = 1000


def path_length(
    generator: Generator,
    features: Callable[[torch.Tensor], torch.Tensor],
    paths: int = PATHS,
    *,
    first_seed: int = 0,
    seed: int = 0,
    batch: int = 64,
) -> float:
    """Return the mean of |f(G(w(t + e))) - f(G(w(t)))|^2 / e^2 over random places t of paths between seeds.

    Paths are linear in w, and the lowest and the highest percent are left out.
    ``features`` takes ``N,C,H,W`` in [-1, 1] and gives ``N,F``. Compare only within one feature table.
    """
    t = torch.from_numpy(rng.uniform(seed, "path-length", 0, count=paths)[:, 0]).float()
    found = []
    with torch.inference_mode():
        for i in range(0, paths, batch):
            rows = range(i, min(i + batch, paths))
            labels = generator.labels_of([first_seed + 2 * r for r in rows])
            start, end = (
                generator.map(
                    generator.latent.sample([first_seed + 2 * r + which for r in rows]), labels=labels
                )
                for which in (0, 1)
            )
            place = t[i : i + len(rows)].to(start.device).view(-1, 1, 1)
            here, there = (
                features(generator.synthesize(torch.lerp(start, end, place + step)).float()).double()
                for step in (0.0, EPSILON)
            )
            found.append(((here - there).square().sum(1) / EPSILON**2).cpu().numpy())
    lengths = np.concatenate(found)
    low, high = np.quantile(lengths, 0.01, method="lower"), np.quantile(lengths, 0.99, method="higher")
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())


def compute(inputs: MetricInputs) -> Values:
    """Return the path length of the generator."""
    assert inputs.generator is not None
    table = inputs.table

    def features(x: torch.Tensor) -> torch.Tensor:
        return table.compute(x.to(table.device))

    return {"ppl": path_length(inputs.generator, features, first_seed=FIRST_SEED)}


def fits(inputs: MetricInputs) -> str:
    """Return why there is no path length, or ""."""
    if inputs.generator is None:
        return "it walks through a model's latent space, and this is none"
    return "" if inputs.table.smooth else f"the features '{inputs.table.name}' round their pictures"
