"""How training reports to any number of listeners: statistics, grids and events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class StepStats:
    """Means since the last report. ``images_seen`` of ``images_total``; ``seconds`` is training time."""

    images_seen: int
    images_total: int
    seconds: float
    images_per_second: float
    values: dict[str, float] = field(default_factory=dict)

    def line(self) -> dict[str, Any]:
        """Return one flat object, as ``stats.jsonl`` holds it."""
        flat = asdict(self)
        values = flat.pop("values")
        del flat["images_total"]
        return {"images_seen": self.images_seen, "kimg": self.images_seen / 1000, **flat, **values}


class Listener:
    """What training calls. Subclasses override what they need: these methods do nothing."""

    def on_stats(self, stats: StepStats) -> None:
        """Take the means since the last report."""

    def on_grid(self, images_seen: int, grid: np.ndarray) -> None:
        """Take a grid of samples, uint8 ``H,W,C``."""

    def on_event(self, images_seen: int, text: str) -> None:
        """Take a message."""

    def close(self) -> None:
        """Release what the listener holds: training has ended."""


def announce(listeners: Iterable[Listener], images_seen: int, text: str) -> None:
    """Send an event to every listener."""
    for listener in listeners:
        listener.on_event(images_seen, text)


class BarListener(Listener):
    """A bar for :func:`facegan.train` from Python; events are lines of their own."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def on_stats(self, stats: StepStats) -> None:
        note = f"{stats.images_per_second:.0f} img/s"
        done = min(stats.images_seen, stats.images_total)
        self.bar("training (images)", done, stats.images_total, note=note)

    def on_event(self, images_seen: int, text: str) -> None:
        self.bar.say(f"{images_seen / 1000:.1f} kimg: {text}")

    def close(self) -> None:
        self.bar.close()
