"""Catch signals that stop long work, so that it can save first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from facegan import distributed


class Interrupted(Exception):
    """Signal that signal ``signum`` stopped the work after its state was saved."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


@contextmanager
def signals() -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of ending the program; a second one ends it at once."""
    caught: list[int] = []

    def note(signum: int, frame: Any) -> None:
        if caught and distributed.world() == 1:  # launchers repeat a signal to their processes
            raise KeyboardInterrupt
        caught.append(signum)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: whoever runs the thread handles signals
        yield caught
        return
    try:
        yield caught
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
