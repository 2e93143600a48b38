"""The pool of earlier results that CycleGAN's discriminators see (Shrivastava et al. 2017, section 2.3).

A full pool gives, for half of the new results, an earlier one, whose place the new one takes. The draws
belong to each image's global index, and the pool is the same in all processes and part of the checkpoint.
"""

from __future__ import annotations

import torch

from facegan import rng


def seen_by_discriminator(
    pool: torch.Tensor, fresh: torch.Tensor, size: int, *, seed: int, purpose: str, first: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the results to show, and the pool after them.

    Args:
        pool: ``K,C,H,W``, K up to ``size``.
        fresh: new results ``N,C,H,W``, in the order of their global index.
        size: results that the pool holds, at least 1.
        seed: of the run.
        purpose: which pool it is, for its draws.
        first: global index of the first new result.
    """
    rows, shown = list(pool.unbind(0)), []
    draws = rng.uniform(seed, f"pool-{purpose}", first, count=len(fresh), per_item=2)
    for image, (chance, place) in zip(fresh, draws, strict=True):
        if len(rows) < size:
            rows.append(image)
            shown.append(image)
        elif chance > 0.5:
            index = int(place * size)
            shown.append(rows[index])
            rows[index] = image
        else:
            shown.append(image)
    return torch.stack(shown), torch.stack(rows)
