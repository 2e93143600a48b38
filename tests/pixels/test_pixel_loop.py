"""The loop that attack, dream and stylize share."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from facegan.errors import InputError
from facegan.pixels.loop import StepStats, optimise


def walk(steps: int, start: int = 0, seed: int = 0, state: float = 0.0) -> float:
    def step(k: int) -> dict[str, float]:
        nonlocal state
        state += float(torch.rand(()))
        return {"loss": state}

    optimise(step, steps, start=start, seed=seed)
    return state


def test_a_run_goes_on_where_it_stopped() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    whole = walk(10)
    assert walk(10, start=6, state=walk(6)) == whole and walk(10, seed=1) != whole
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's generator is as it was"


def test_reports_snapshots_and_early_end() -> None:
    told: list[StepStats] = []
    shots: list[int] = []
    outcome = optimise(
        lambda k: {"loss": 10.0 - k, "more": k},
        20,
        on_step=told.append,
        every=3,
        on_snapshot=shots.append,
        stop=lambda stats: stats.loss <= 3,
    )
    assert (outcome.steps, outcome.early, outcome.exit_code) == (8, True, 0)
    assert [s.step for s in told] == list(range(1, 9)) and told[-1].values == {"more": 7} and shots == [3, 6]
    assert optimise(lambda k: {"loss": 0.0}, 0).steps == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_after_the_step(number: int, code: int) -> None:
    done: list[int] = []

    def step(k: int) -> dict[str, float]:
        if k == 2:
            os.kill(os.getpid(), number)
        done.append(k)
        return {"loss": 1.0}

    outcome = optimise(step, 10)
    assert done == [0, 1, 2] and (outcome.steps, outcome.exit_code) == (3, code)


def test_a_loss_that_is_not_finite() -> None:
    with pytest.raises(InputError, match="after step 3: choose a smaller step"):
        optimise(lambda k: {"loss": float("nan") if k == 2 else 0.0}, 10)
