"""The points of the grid that go furthest along a direction, beside every point that there is."""

from __future__ import annotations

import itertools

import pytest
import torch

from facegan.pixels.attacks.state import norm2, steepest_inf, steepest_l2

EVERY = torch.tensor(list(itertools.product(range(-4, 5), repeat=4)), dtype=torch.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0, 3.3, 4.0])
def test_no_point_of_the_ball_goes_further(radius: float, seed: int) -> None:
    v = torch.randn(4, generator=torch.Generator().manual_seed(seed))
    q = steepest_l2(v, radius)
    assert norm2(q) <= radius and norm2(q) > 0
    ball = EVERY[EVERY.norm(dim=1) <= norm2(q) + 1e-6]
    assert float(v @ q) >= float((ball @ v).max()) - 1e-5
    box = EVERY[EVERY.abs().amax(1) <= int(radius)]
    assert float(v @ steepest_inf(1e6 * v, radius)) == pytest.approx(float((box @ v).max()))


def test_small_changes_are_not_lost() -> None:
    """Rounded as it stands, a change of 0.01 levels everywhere would be nothing."""
    v = 0.01 * torch.randn(3, 300, 300, generator=torch.Generator().manual_seed(0))
    assert not v.round().any()
    q = steepest_l2(v, 40.0)
    assert 39 <= norm2(q) <= 40
    # 40^2 entries may change by one level: those of the largest |v|
    least = v.abs().flatten().topk(int(q.abs().sum())).values[-1]
    assert torch.equal(q != 0, v.abs() >= least)


def test_nothing_lies_within_less_than_one_level() -> None:
    assert not steepest_l2(torch.ones(5), 0.9).any()
    assert not steepest_l2(torch.zeros(5), 3.0).any()
    assert not steepest_inf(torch.ones(5), 0.9).any()


def test_given_memory_is_used() -> None:
    v, out = torch.randn(50), torch.empty(50)
    assert steepest_l2(v, 3.0, out) is out and torch.equal(out, steepest_l2(v, 3.0))
