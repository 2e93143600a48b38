"""The one optimisation loop: attack, dream and stylize differ in what a step does.

A step is a callback that changes its caller's picture and returns named numbers, among them ``loss``.
The loop counts, reports, stops early, takes snapshots and collects Ctrl-C, so that the caller can save the
picture so far. Before each step torch's generators are seeded by (seed, purpose, step): a run that begins in
the middle draws what an uninterrupted one draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import images, rng
from facegan.errors import InputError
from facegan.interrupts import signals

Draw = Callable[[], Sequence[np.ndarray]]


@dataclass(frozen=True)
class StepStats:
    """What callbacks get: ``step`` of ``steps`` are done, ``values`` are those of the last one.

    ``pictures()`` draws the work so far, uint8 ``H,W,3``: one picture, or one for each photo that is attacked
    or each picture that is made of noise.
    """

    step: int
    steps: int
    loss: float
    seconds: float
    values: Mapping[str, float] = field(default_factory=dict)
    pictures: Draw = list


OnStep = Callable[[StepStats], None]
OnPicture = Callable[[int, np.ndarray], None]


@dataclass(frozen=True)
class Outcome:
    """How a loop ended: ``steps`` done in all, and whether early or by a signal (``signum``, else 0)."""

    steps: int
    early: bool = False
    signum: int = 0

    @property
    def exit_code(self) -> int:
        """0, or what a shell expects of an interrupted command: 130 after Ctrl-C."""
        return 128 + self.signum if self.signum else 0


@dataclass(frozen=True, repr=False)
class OptimisedPicture:
    """What dream and stylize return.

    Attributes:
        image: uint8 ``H,W,3``.
        outcome: How the loop ended.
        curve: The loss at each step, or a row of named losses.
        path: The file that holds the picture, if it was written; ``frames`` is the length of its film.
    """

    image: np.ndarray
    outcome: Outcome
    curve: list[Any] = field(default_factory=list)
    path: Path | None = None
    frames: int = 0

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f"<{type(self).__name__}: {width}x{height} px, {len(self.curve)} steps>"

    def _repr_png_(self) -> bytes:
        return images.png_bytes(self.image)


def optimise(
    step: Callable[[int], Mapping[str, float]],
    steps: int,
    *,
    seed: int = 0,
    purpose: str = "pixels",
    start: int = 0,
    on_step: OnStep | None = None,
    stop: Callable[[StepStats], bool] | None = None,
    every: int = 0,
    on_snapshot: Callable[[int], None] | None = None,
    pictures: Draw = list,
) -> Outcome:
    """Call ``step(i)`` for i from ``start`` to ``steps`` - 1; the picture is the caller's.

    SIGINT and SIGTERM end the loop after the step that runs (``signum``); a second one raises
    KeyboardInterrupt at once.

    Args:
        step: One update; returns named numbers, among them ``loss``.
        steps: The number of steps, those of an earlier call included.
        seed: What the random numbers of a step depend on, besides ``purpose`` and its number.
        purpose: The name of the stream of random numbers.
        start: The steps that an earlier call has done.
        on_step: Sees each step's StepStats.
        stop: Asked after each step; true ends the loop (``early``).
        every: ``on_snapshot`` gets the number of steps done after each ``every`` of them; 0 is never.
        on_snapshot: See ``every``.
        pictures: Draws the work so far, for ``on_step``.

    Raises:
        InputError: A loss is not finite; further steps would be noise.
    """
    began = time.perf_counter()
    done, early = start, False
    with signals() as caught, torch.random.fork_rng():
        while done < steps and not early and not caught:
            torch.manual_seed(rng.torch_seed(seed, purpose, done))
            values = dict(step(done))
            done += 1
            loss = float(values.pop("loss"))
            if not abs(loss) < float("inf"):
                raise InputError(f"the loss is {loss} after step {done}: choose a smaller step size")
            stats = StepStats(done, steps, loss, time.perf_counter() - began, values, pictures)
            if on_step is not None:
                on_step(stats)
            if every and on_snapshot is not None and done % every == 0:
                on_snapshot(done)
            early = stop is not None and stop(stats)
    return Outcome(done, early, caught[0] if caught else 0)
