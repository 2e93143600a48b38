"""Estimate a cheap distance between generated and real pictures during training.

The distance is Frechet's (Dowson and Landau 1982), as in FID (Heusel et al. 2017), but between the features
of a small convolutional network with fixed random weights, so that it needs no download and takes a
fraction of a second. Random features notice blur, noise, wrong colours, wrong layout and missing variety;
they know nothing of faces. Compare its numbers only within one dataset.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F

from facegan import rng
from facegan.errors import DatasetError, InputError
from facegan.images import to_float
from facegan.metrics.base import FIRST_SEED
from facegan.metrics.copies import Copies
from facegan.metrics.fid import frechet_distance, moments
from facegan.metrics.neighbours import spaced, spaced_rows

if TYPE_CHECKING:
    from facegan.data.dataset import Dataset
    from facegan.generator import Generator

MAX_REFERENCE = 2000
SIDE = 64  # larger pictures are averaged down to this
_WIDTHS = (24, 24, 24)
_SEED = 20170626  # that of the random weights: another one gives other numbers


class QuickQuality:
    """Measure ``quality`` (a distance, lower is better) and ``diversity`` (1 is the data's).

    ``source`` is a dataset, or real pictures uint8 ``N,H,W,C`` (N >= 4). Of a dataset, the reference is
    ``val`` if that has ``count`` pictures, else ``train``; at most 2,000, evenly spaced. ``count``
    generated pictures are judged, of seeds 10,000 and up. Making one reads the reference once; a call costs
    about 0.1 s of one core beyond the sampling.
    """

    def __init__(self, source: Dataset | np.ndarray, count: int = 256) -> None:
        if count < 2:
            raise InputError(f"--quality-count {count}: a distance takes at least 2 samples")
        reference, first, second = _real(source, count)
        self.count = count
        features = _features(reference)
        # In units of the data's own spread, a channel counts by how far it strays, not by its weights.
        self._mean, self._scale = features.mean(0), features.std(0) + 1e-3
        self._reference = moments(self._scaled(features))
        self._spread = mean_pairwise_distance(first)
        halves = (moments(self._scaled(_features(part))) for part in (first, second))
        self._floor = frechet_distance(next(halves), next(halves))
        self._copies = None if isinstance(source, np.ndarray) else Copies.of_dataset(source)

    @property
    def floor(self) -> float:
        """Return the distance of real pictures outside the reference, which perfect samples would get.

        Where the data are too few to set some aside, that of one half from the other, which is more.
        """
        return self._floor

    def __call__(self, generator: Generator) -> dict[str, float]:
        """Return ``quality``, its floor, ``diversity``, and ``copied`` where the data are known."""
        seeds = range(FIRST_SEED, FIRST_SEED + self.count)
        pictures = np.concatenate([thumbnails(part) for part in generator.stream(seeds)])
        found = {**self.judge(pictures), "quality_floor": self.floor}
        return found if self._copies is None else {**found, "copied": self._copies(pictures)}

    def judge(self, images: np.ndarray) -> dict[str, float]:
        """Return ``quality`` and ``diversity`` of pictures uint8 ``N,H,W,C``."""
        images = thumbnails(images)
        generated = moments(self._scaled(_features(images)))
        quality = frechet_distance(generated, self._reference)
        return {"quality": quality, "diversity": mean_pairwise_distance(images) / max(self._spread, 1e-12)}

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return (features - self._mean) / self._scale


def _real(source: Dataset | np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thumbnails of the reference and of two disjoint sets, whose distance is the floor."""
    if isinstance(source, np.ndarray):
        pictures = source
    elif source.counts.get("val", 0) >= count:
        reference = thumbnails(spaced(source.images("val"), MAX_REFERENCE))
        return reference, thumbnails(spaced(source.images("train"), count)), reference
    else:
        pictures = source.images("train")
    if len(pictures) < 4:
        raise DatasetError(
            f"{len(pictures)} pictures are too few to measure quality against: it takes 4 "
            "(--quality-count 0 leaves that out)"
        )
    if len(pictures) < 3 * count:
        chosen = thumbnails(spaced(pictures, MAX_REFERENCE))
        return chosen, chosen[::2], chosen[1::2]
    chosen = thumbnails(spaced(pictures, MAX_REFERENCE + count))
    aside = np.zeros(len(chosen), bool)
    aside[spaced_rows(len(chosen), count)] = True
    return chosen[~aside], chosen[aside], chosen[~aside]


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Return uint8 ``N,H,W,C`` with sides of at most 64 by exact area averaging; never enlarge."""
    n, h, w, c = images.shape
    if max(h, w) <= SIDE:
        return np.asarray(images)
    down, across = _area(h), _area(w)
    out = np.empty((n, len(down), len(across), c), np.uint8)
    for i in range(0, n, 16):
        part = torch.from_numpy(images[i : i + 16].astype(np.float32)).permute(0, 3, 1, 2)
        out[i : i + 16] = (down @ part @ across.T).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return out


@functools.lru_cache(maxsize=8)
def _area(side: int) -> torch.Tensor:
    """Return the matrix ``min(side, 64), side`` that averages equal stretches, with pixels split by share."""
    small = min(side, SIDE)
    edges = torch.arange(small + 1, dtype=torch.float64) * side / small
    pixel = torch.arange(side, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], pixel + 1) - torch.maximum(edges[:-1, None], pixel)
    return (overlap.clamp_min(0) * small / side).float()


@functools.lru_cache(maxsize=4)
def _weights(channels: int) -> tuple[torch.Tensor, ...]:
    """Return fixed random kernels 5x5, 3x3, 3x3; the first layer's sum to 0, so they detect edges."""
    made, inputs = [], channels
    for layer, (width, side) in enumerate(zip(_WIDTHS, (5, 3, 3), strict=True)):
        each = inputs * side * side
        kernel = torch.from_numpy(rng.normal(_SEED, f"quick/{layer}", 0, count=width, per_item=each))
        if layer == 0:
            kernel = kernel - kernel.mean(1, keepdim=True)
        made.append((kernel / kernel.norm(dim=1, keepdim=True)).view(width, inputs, side, side))
        inputs = width
    return tuple(made)


@torch.inference_mode()
def _features(images: np.ndarray) -> np.ndarray:
    """Return float64 ``N,K`` for thumbnails uint8 ``N,H,W,C``: mean network outputs and the layout."""
    kernels = _weights(images.shape[-1])
    rows = []
    for i in range(0, len(images), 64):
        x = to_float(images[i : i + 64])
        found = [F.adaptive_avg_pool2d(x.mean(1, keepdim=True), 4).flatten(1)]
        for kernel in kernels:
            x = F.leaky_relu(F.conv2d(x, kernel, stride=2, padding=kernel.shape[-1] // 2), 0.2)
            found.append(x.mean((2, 3)))
        found.append(x.std((2, 3)))
        rows.append(torch.cat(found, 1).double().numpy())
    return np.concatenate(rows)


def mean_pairwise_distance(images: np.ndarray) -> float:
    """Return the mean RMS difference of all pairs of uint8 ``N,H,W,C`` in [-1, 1] units: from 0 to 2.

    |a - b|^2 = |a|^2 + |b|^2 - 2 ab, in whole numbers that float64 holds exactly; 0 for fewer than two.
    """
    n = len(images)
    if n < 2:
        return 0.0
    flat = images.reshape(n, -1)
    products = np.zeros((n, n))
    for i in range(0, flat.shape[1], 65536):
        part = flat[:, i : i + 65536].astype(np.float64)
        products += part @ part.T
    squares = np.diag(products)
    distances = np.sqrt((squares[:, None] + squares - 2 * products).clip(0) / flat.shape[1]) / 127.5
    return float(distances.sum() / (n * (n - 1)))
