"""The adaptive strength against sequences computed by hand."""

from __future__ import annotations

import json

import pytest
import torch

from facegan.augment.adaptive import AdaptiveStrength

STEP = 50 * 4 / 2000  # of batches of 50, every four of them, over 2 kimg


def strength(**settings: float) -> AdaptiveStrength:
    return AdaptiveStrength(speed_kimg=2.0, **settings)  # type: ignore[arg-type]


def test_a_sequence_by_hand() -> None:
    """r_t = 0.8, 0.6, 0.2, 0.7, 0.7: up, stay, down to 0 (not below), up, up."""
    adaptive = strength()
    batches = [1.0, 0.6, 1.0, 0.6, 0.75, 0.5, 0.75, 0.4, *[0.2] * 4, *[0.7] * 8]
    after = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    for signs, steps in zip(batches, after, strict=True):
        assert adaptive.observe(signs, 50) == pytest.approx(steps * STEP)
    assert adaptive.heuristic == pytest.approx(0.7)


def test_it_goes_no_further_than_the_cap_and_never_below_0() -> None:
    adaptive = strength(cap=0.25)
    values = [adaptive.observe(1.0, 50) for _ in range(16)]
    assert values[3::4] == pytest.approx([0.1, 0.2, 0.25, 0.25])
    values = [adaptive.observe(-1.0, 50) for _ in range(16)]
    assert values[3::4] == pytest.approx([0.15, 0.05, 0.0, 0.0])


def test_from_0_to_1_in_speed_kimg() -> None:
    adaptive = AdaptiveStrength(cap=1.0)
    batches = 0
    while adaptive.p < 1 - 1e-9:
        adaptive.observe(1.0, 125)
        batches += 1
    assert batches * 125 == 500_000


def test_other_targets_and_intervals() -> None:
    adaptive = strength(target=0.1, interval=2)
    assert [adaptive.observe(s, 10) for s in (0.0, 0.3, 0.0, 0.1)] == pytest.approx([0, 0.01, 0.01, 0.0])


@pytest.mark.parametrize("cut", range(9))
def test_a_checkpoint_anywhere_changes_nothing(cut: int) -> None:
    signs = [0.9, 0.1, 0.8, 1.0, -0.3, 0.6, 0.4, 0.9, 1.0]
    whole, first, second = strength(), strength(), strength()
    expected = [whole.observe(torch.tensor(s), 50) for s in signs]
    values = [first.observe(torch.tensor(s), 50) for s in signs[:cut]]
    second.load(json.loads(json.dumps(first.state())))
    values += [second.observe(torch.tensor(s), 50) for s in signs[cut:]]
    assert values == expected
    assert second.state() == whole.state()
