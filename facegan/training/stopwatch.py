"""How long training takes, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """The seconds of this stretch of training, and the speed since the last report.

    Drawing, measuring and saving count as time, but not towards the speed.
    """

    def __init__(self, images_seen: int) -> None:
        self.restart(images_seen)

    def restart(self, images_seen: int) -> None:
        """Begin again at 0 s."""
        self._begun = time.perf_counter()
        self.mark(images_seen)

    def seconds(self) -> float:
        """Return the seconds since the beginning."""
        return time.perf_counter() - self._begun

    def take_seconds(self) -> float:
        """Return the seconds since the beginning, and count from 0 again."""
        spent = self.seconds()
        self._begun += spent
        return spent

    def mark(self, images_seen: int) -> None:
        """Let the speed count from here."""
        self._images, self._marked = images_seen, time.perf_counter()

    def speed(self, images_seen: int) -> float:
        """Return the images a second since the last mark."""
        return (images_seen - self._images) / max(time.perf_counter() - self._marked, 1e-9)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what happens within the block out of the speed."""
        begun = time.perf_counter()
        yield
        self._marked += time.perf_counter() - begun
