"""Settings that move while training, as functions of the images seen: they need no state to resume."""

from __future__ import annotations

import math


def cosine(start: float, end: float, images_seen: int, *, length_kimg: float) -> float:
    """Return where half a cosine from ``start`` to ``end`` stands; after ``length_kimg`` it stays at ``end``.

    The burn-in of R3GAN (Huang et al. 2024, appendix D) for learning rate, Adam's beta2, gamma, the
    half-life of the moving average and the probability of augmentation. No length is ``end`` at once.
    """
    length = length_kimg * 1000
    if images_seen >= length:
        return end
    share = max(images_seen, 0) / length
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))
