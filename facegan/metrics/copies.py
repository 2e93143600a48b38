"""Estimate cheaply during training whether a generator copies its training pictures.

Pictures are compared at 16x16 px, each brought to mean 0 and standard deviation 1, with training pictures and
their mirror images. How near a sample is to one of them says little, for blurred pictures are near to all.
So the distance is divided by that to the nearest held-out picture, which the generator never saw: whoever
invents is about as near to both. Where too few are held out, it is divided by the distance to the second
nearest training picture. Which ratio is suspicious follows from real pictures that were not learnt.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from facegan.data.dataset import Dataset
from facegan.images import to_float
from facegan.metrics.memorization import EXPECTED
from facegan.metrics.neighbours import spaced, squared_distances

MAX_TRAINING = 4000  # training pictures, evenly spaced, that samples are compared with
MOST_HELD_OUT = 1000
MIN_REAL = 50  # real pictures needed to estimate the suspicious ratio
_SIDE = 16


class Copies:
    """Measure the share of pictures suspiciously close to a training picture; 0.05 if none is memorised.

    ``train`` and ``held_out`` are uint8 ``N,H,W,C``. Of more than 4,000 training pictures, copies of those
    left out are not seen. Memory: 25 MB for 4,000 colour pictures; a call takes 0.1 s for 256.
    """

    def __init__(self, train: np.ndarray, held_out: np.ndarray | None = None) -> None:
        learnt = _small(spaced(train, MAX_TRAINING))
        self._train = np.concatenate([learnt, _mirrored(learnt)])
        self._held_out: np.ndarray | None = None
        if held_out is not None and len(held_out) >= MIN_REAL:
            other = _small(spaced(held_out, MOST_HELD_OUT))
            self._held_out = np.concatenate([other, _mirrored(other)])
            alone = _two_nearest(other, self._held_out, itself=True)[:, 0]
            real = _ratio(_two_nearest(other, self._train)[:, 0], alone)
        else:
            real = _ratio(*_two_nearest(learnt, self._train, itself=True).T)
        self._suspicious = float(np.quantile(real, EXPECTED))

    @classmethod
    def of_dataset(cls, data: Dataset) -> Copies | None:
        """Return the measure for a dataset, or None if it has too few pictures."""
        held_out = data.images("val") if data.counts.get("val", 0) >= MIN_REAL else None
        if held_out is None and data.counts.get("train", 0) < MIN_REAL:
            return None
        return cls(data.images("train"), held_out)

    def __call__(self, pictures: np.ndarray) -> float:
        """Return the share for uint8 ``N,H,W,C``."""
        mine = _small(pictures)
        near = _two_nearest(mine, self._train)
        if self._held_out is None:
            found = _ratio(*near.T)
        else:
            found = _ratio(near[:, 0], _two_nearest(mine, self._held_out)[:, 0])
        return float((found < self._suspicious).mean())


def _small(pictures: np.ndarray) -> np.ndarray:
    """Return float32 ``N,16,16,C``; the 0.05 (of 2) keeps the noise of a flat picture small."""
    parts = []
    for i in range(0, len(pictures), 64):
        x = F.interpolate(to_float(np.asarray(pictures[i : i + 64])), (_SIDE, _SIDE), mode="area")
        x = (x - x.mean((1, 2, 3), keepdim=True)) / (x.std((1, 2, 3), keepdim=True) + 0.05)
        parts.append(x.permute(0, 2, 3, 1))
    return torch.cat(parts).contiguous().numpy()


def _mirrored(small: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(small[:, :, ::-1])


def _two_nearest(x: np.ndarray, y: np.ndarray, itself: bool = False) -> np.ndarray:
    """Return float64 ``N,2``: distances of each ``x`` to its two nearest of ``y``, mirrored or not.

    ``y`` holds pictures, then their mirror images; with ``itself``, the pictures are ``x`` again, and none is
    compared with itself.
    """
    found, n = np.empty((len(x), 2)), len(y) // 2
    for i, block in squared_distances(x.reshape(len(x), -1), y.reshape(len(y), -1)):
        near = np.minimum(block[:, :n], block[:, n:])
        if itself:
            near[np.arange(len(near)), i + np.arange(len(near))] = np.inf
        found[i : i + len(near)] = np.sqrt(np.partition(near, 1, axis=1)[:, :2])
    return found


def _ratio(near: np.ndarray, compared: np.ndarray) -> np.ndarray:
    """Return the ratio of both distances: 0 only for an exact copy; 1 if both are copies, as with twins."""
    return (near + 1e-3) / (compared + 1e-3)
