"""The normal draws of a seed in NumPy are those of torch.randn, equal to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facegan.prior import Latent
from facegan.torch_normals import normals

# Short ones (doubles), whole groups of 16, and those whose last 16 are drawn anew; the sizes of all recipes.
SIZES = (1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 40, 64, 100, 120, 128, 256, 512)
AVX2 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def drawn_by_torch(seeds: range | list[int], count: int) -> np.ndarray:
    rows = [torch.randn(count, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows).numpy()


@pytest.mark.parametrize("count", SIZES)
def test_draws_are_those_of_torch_to_the_bit(count: int) -> None:
    seeds = [*range(40), 2**31, 2**32 - 1, 2**32, 2**32 + 7, 2**63 - 1]
    ours, theirs = normals(seeds, count), drawn_by_torch(seeds, count)
    assert ours.dtype == np.float32
    if AVX2 or count < 16:
        assert ours.tobytes() == theirs.tobytes()
    else:  # PyTorch takes the C library's functions there
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


def test_a_seed_draws_the_same_in_any_batch() -> None:
    together = normals(range(3000), 128)  # more than one chunk
    for seed in (0, 1, 2047, 2048, 2999):
        assert normals([seed], 128).tobytes() == together[seed].tobytes()


def test_known_draws_stay() -> None:
    """The first numbers of seed 0, as PyTorch 2.6 to 2.15 draw them: on no machine may a face change."""
    assert normals([0], 128)[0, :3].tolist() == [-1.1258398294448853, -1.152360200881958, -0.2505785822868347]
    assert normals([0], 8)[0, :3].tolist() == [1.5409960746765137, -0.293428897857666, -2.1787893772125244]


def test_latents_are_those_draws() -> None:
    latent = Latent(dim=128, mean=0.5, std=2.0)
    assert torch.equal(latent.sample([7, 3]), torch.from_numpy(normals([7, 3], 128)) * 2.0 + 0.5)
    assert latent.sample([]).shape == (0, 128)
