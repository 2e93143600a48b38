"""What training tells the world: statistics, grids and events, to any number of listeners."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

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
        """One flat object, as ``stats.jsonl`` holds it."""
        flat = asdict(self)
        values = flat.pop("values")
        del flat["images_total"]
        return {"images_seen": self.images_seen, "kimg": self.images_seen / 1000, **flat, **values}


class Listener(Protocol):
    """Any of these may do nothing."""

    def on_stats(self, stats: StepStats) -> None: ...

    def on_grid(self, images_seen: int, grid: np.ndarray) -> None: ...

    def on_event(self, images_seen: int, text: str) -> None: ...

    def close(self) -> None: ...


class BarListener:
    """A bar for :func:`facegan.train` from Python; events are lines of their own."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def on_stats(self, stats: StepStats) -> None:
        note = f"{stats.images_per_second:.0f} img/s"
        done = min(stats.images_seen, stats.images_total)
        self.bar("training (images)", done, stats.images_total, note=note)

    def on_grid(self, images_seen: int, grid: np.ndarray) -> None:
        pass

    def on_event(self, images_seen: int, text: str) -> None:
        self.bar.say(f"{images_seen / 1000:.1f} kimg: {text}")

    def close(self) -> None:
        self.bar.close()


class Silent:
    """A listener to derive from: does nothing."""

    def on_stats(self, stats: StepStats) -> None:
        pass

    def on_grid(self, images_seen: int, grid: np.ndarray) -> None:
        pass

    def on_event(self, images_seen: int, text: str) -> None:
        pass

    def close(self) -> None:
        pass
