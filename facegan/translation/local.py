"""Edits that stay where they belong: small changes everywhere else are undone."""

from __future__ import annotations

import cv2
import numpy as np

LOW, HIGH = 25.0, 50.0
"""Levels of 255: where the change around a pixel is below the first, it is undone, above the second, kept."""
_AROUND = 1 / 42  # standard deviation of the neighbourhood, as a share of the picture's side


def localized(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return ``after`` where it differs much from ``before``, ``before`` where it does not, blended smoothly.

    Args:
        before: uint8 ``N,H,W,C``.
        after: the same pictures, changed.
    """
    change = after.astype(np.float32) - before
    size = np.abs(change).max(3)
    sigma = min(before.shape[1:3]) * _AROUND
    around = np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in size])
    weight = np.clip((around - LOW) / (HIGH - LOW), 0, 1)[..., None]
    return np.clip(np.rint(before + weight * change), 0, 255).astype(np.uint8)
