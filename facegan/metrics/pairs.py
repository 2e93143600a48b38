"""Compare pictures with the pictures that they should be, pair by pair.

>>> from facegan.metrics import pairs
>>> pairs.perceptual(results, targets).mean(), pairs.psnr(results, targets).mean()

Pictures are uint8 ``N,H,W,C`` of one shape. ``PAIR_METRICS`` (``pair_table.py``) lists the functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from facegan.errors import InputError
from facegan.images import to_float
from facegan.metrics.feature_extractors import FeatureTable, faces
from facegan.metrics.lpips_network import lpips_network
from facegan.metrics.msssim import SIDE, ssim_terms

BATCH = 64  # pictures at a time
MAX_PSNR = 100.0  # dB: what equal pictures get, so that means are finite


def perceptual(
    a: np.ndarray, b: np.ndarray, features: str | FeatureTable = "faces", *, device: str = "cpu"
) -> np.ndarray:
    """Return how far pictures lie apart in the features of an attribute network: float64 ``N``.

    It is the mean squared difference of its standardised features, the loss ``faces`` of ``facegan invert``:
    0 for equal pictures, about 2 for photos that have nothing to do with each other.

    Args:
        a: uint8 ``N,H,W,C``.
        b: pictures of the same shape.
        features: an attribute network (``faces`` selects, ``evaluator`` only judges, or a file), or a table
            of features.
        device: where a network that is named computes: cpu, cuda or mps.

    Raises:
        InputError: The pictures are not of one shape.
    """
    check_pairs(a, b)
    table = features if isinstance(features, FeatureTable) else attribute_features(features, device)
    return feature_distance(table(a, BATCH), table(b, BATCH))


def feature_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean squared difference of each row of features ``N,D``: float64 ``N``."""
    found: np.ndarray = np.square(a.astype(np.float64) - b).mean(1)
    return found


@functools.lru_cache(maxsize=4)
def attribute_features(network: str, device: str = "cpu") -> FeatureTable:
    """Return the table of features of an attribute network, loaded once."""
    return faces(network, device)


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio 10 log10(255^2 / MSE) of each pair in dB: float64 ``N``.

    The mean squared error is that of all pixels and channels. Equal pictures get 100 dB, the maximum.
    """
    check_pairs(a, b)
    errors = [
        np.square(a[i : i + BATCH].astype(np.float64) - b[i : i + BATCH]).mean((1, 2, 3))
        for i in range(0, len(a), BATCH)
    ]
    mse = np.concatenate(errors) if errors else np.empty(0)
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.minimum(10 * np.log10(255.0**2 / mse), MAX_PSNR)
    return found


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the structural similarity (Wang et al. 2004) of each pair, up to 1: float64 ``N``.

    Of a Gaussian window of 11 px with sigma 1.5, K1 = 0.01 and K2 = 0.03, where the window lies inside;
    the mean over its places and the channels.

    Raises:
        InputError: The pictures are not of one shape, or below 11 px.
    """
    check_pairs(a, b)
    if min(a.shape[1:3]) < SIDE:
        raise InputError(f"SSIM takes pictures of at least {SIDE} px, not {a.shape[2]}x{a.shape[1]}")

    def batch(rows: slice) -> torch.Tensor:
        x, y = (torch.from_numpy(p[rows].astype(np.float64)).permute(0, 3, 1, 2) for p in (a, b))
        return ssim_terms(x, y)[1]

    return _by_batches(batch, len(a))


def lpips(a: np.ndarray, b: np.ndarray, *, device: str = "cpu") -> np.ndarray:
    """Return LPIPS (Zhang et al. 2018) of each pair, with VGG16: float64 ``N``.

    Raises:
        InputError: The package lpips, or the weights of its backbone, are not there.
    """
    check_pairs(a, b)
    network = _lpips(device)

    @torch.inference_mode()
    def batch(rows: slice) -> torch.Tensor:
        x, y = (to_float(p[rows], device).expand(-1, 3, -1, -1) for p in (a, b))
        found: torch.Tensor = network(x, y)
        return found.flatten(1).mean(1).cpu().double()

    return _by_batches(batch, len(a))


@functools.lru_cache(maxsize=2)
def _lpips(device: str) -> Any:
    return lpips_network("the metric lpips", device)


def _by_batches(of_rows: Callable[[slice], torch.Tensor], count: int) -> np.ndarray:
    parts = [of_rows(slice(i, i + BATCH)).numpy() for i in range(0, count, BATCH)]
    return np.concatenate(parts) if parts else np.empty(0)


def check_pairs(a: np.ndarray, b: np.ndarray) -> None:
    """Raise InputError unless both are uint8 ``N,H,W,C`` of one shape, with one or three channels."""
    for side in (a, b):
        if side.dtype != np.uint8 or side.ndim != 4 or side.shape[3] not in (1, 3):
            raise InputError(
                f"pairs are uint8 arrays N,H,W,C with 1 or 3 channels, not {side.dtype} of shape {side.shape}"
            )
    if a.shape != b.shape:
        raise InputError(f"pairs are of one shape, not {a.shape} and {b.shape}")


# --- what changed, and what did not --------------------------------------------------------------------


def reached(before: np.ndarray, after: np.ndarray, asked: Mapping[int, bool]) -> np.ndarray:
    """Return, for each picture that did not show all that is asked, whether it does now: bool ``M``.

    Args:
        before: probabilities ``N,K`` of attributes, of the pictures as they were.
        after: probabilities of the results.
        asked: what each asked column should say.
    """
    columns, wanted = list(asked), np.array(list(asked.values()), bool)
    shown = [((p[:, columns] > 0.5) == wanted).all(1) for p in (before, after)]
    found: np.ndarray = shown[1][~shown[0]]
    return found


def kept(before: np.ndarray, after: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Return whether each of these columns' answers stayed the same: bool ``N,len(columns)``."""
    found: np.ndarray = (before[:, list(columns)] > 0.5) == (after[:, list(columns)] > 0.5)
    return found


def recognised(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return whether each result is nearer to its own photo than to all other photos: bool ``N``.

    It stands for identity: with a network that recognises no people, the question is whether a result can be
    told from those of others. The share falls with the number of photos; compare it at equal numbers.

    Args:
        before: features ``N,D`` of the photos.
        after: features of the results, in the same order.
    """
    x, y = (f.astype(np.float64) for f in (before, after))
    squares = np.square(x).sum(1)
    found = []
    for i in range(0, len(y), 512):
        gaps = squares - 2 * y[i : i + 512] @ x.T  # squared distances, less what a row has in common
        found.append(gaps.argmin(1) == np.arange(i, i + len(gaps)))
    return np.concatenate(found) if found else np.empty(0, bool)
