"""How good the pictures will be after T minutes on this machine, before the first update.

A recipe's measured curve (:mod:`facegan.recipes.curves`) counts images; the dry run's real updates say how
long an image takes here. Nothing is guessed: outside of what was measured, a forecast says that nothing is
known.
"""

from __future__ import annotations

from dataclasses import dataclass

from facegan.planning.dry_run import DryRun
from facegan.recipes.curves import Estimate, KnownCurve, curve_of, doubts


@dataclass(frozen=True)
class Forecast:
    """The curve that a run will probably follow, in this machine's time."""

    recipe: str
    curve: KnownCurve | None
    """None where nothing is known; ``doubts`` then says why."""
    seconds_per_kimg: float
    """Of training, with the grids and models that are drawn meanwhile."""
    kimg: float
    """Length of the run."""
    doubts: tuple[str, ...]
    """Sentences on why the run may leave the curve."""

    @property
    def measure(self) -> str:
        """Return what the curve measures; "" where nothing is known."""
        return "" if self.curve is None else self.curve.measure

    @property
    def seconds(self) -> float:
        """Return the time of the whole run."""
        return self.kimg * self.seconds_per_kimg

    def kimg_after(self, seconds: float) -> float:
        """Return the thousands of images seen after so long; never more than the run has."""
        return min(seconds / self.seconds_per_kimg, self.kimg)

    def after(self, minutes: float) -> Estimate | None:
        """Return the distance after so many minutes here; None where nothing was measured."""
        return None if self.curve is None else self.curve.at(self.kimg_after(60 * minutes))

    def points(self, count: int = 40) -> list[tuple[float, float, Estimate]]:
        """Return (seconds, kimg, estimate) along the run, for a chart."""
        found = [] if self.curve is None else self.curve.points(self.kimg, count)
        return [(kimg * self.seconds_per_kimg, kimg, estimate) for kimg, estimate in found]


ROUND_MINUTES = (1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 720, 1440, 2880, 5760, 11520, 23040)
MAX_MOMENTS = 5  # of them in a table, beside the last one


@dataclass(frozen=True)
class Moment:
    """A row of the forecast's table; ``last`` if nothing was measured beyond it, or the run ends there."""

    seconds: float
    kimg: float
    estimate: Estimate
    last: bool = False


def moments(found: Forecast) -> list[Moment]:
    """Return round times within the measured part of the curve, and its last moment within the run."""
    if found.curve is None:
        return []
    pace, end = found.seconds_per_kimg, min(found.curve.span[1], found.kimg)
    rows = [
        Moment(60.0 * minutes, 60 * minutes / pace, estimate)
        for minutes in ROUND_MINUTES
        if 60 * minutes < 0.9 * end * pace and (estimate := found.after(minutes)) is not None
    ]
    estimate = found.curve.at(end)
    last = [] if estimate is None else [Moment(end * pace, end, estimate, last=True)]
    return rows[-MAX_MOMENTS:] + last


def forecast(measured: DryRun) -> Forecast:
    """Return the forecast for a dry run's configuration, dataset and speed."""
    config = measured.config
    curve, unknown = curve_of(config)
    found = (
        [unknown]
        if curve is None
        else doubts(config, curve, pictures=measured.pictures, content_hash=measured.content_hash)
    )
    if curve is not None and measured.disturbed:
        found.append("Other programs slowed the measured updates down; on an idle machine it goes faster.")
    whole = measured.training_seconds + measured.drawing_seconds
    return Forecast(config.recipe, curve, whole / max(config.kimg, 1e-9), config.kimg, tuple(found))
