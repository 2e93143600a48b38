"""How good a recipe's pictures were after so many kimg, as measured: the table in ``known_curves.json``.

Every run in it names its source in the repository. Recipes that were never measured have no row. No torch.
"""

from __future__ import annotations

import functools
import json
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from facegan.recipes.config import TrainConfig
from facegan.recipes.table import RECIPES
from facegan.settings import walk

# Groups of settings that leave the curve of quality as it is, and single settings of others.
_HARMLESS_GROUPS = ("metric", "output")
_NETWORKS = ("generator.", "discriminator.")
_HARMLESS = ("accumulate", "kimg", "precision", "recipe", "seed", "watchdog")


@dataclass(frozen=True)
class MeasuredRun:
    """One training whose distance to the data was measured now and then."""

    recipe: str
    measure: str
    """``kid``, ``fid`` or ``quality``, as in stats.jsonl; lower is better."""
    features: str
    """What the measure compares pictures by; "" for ``quality``, which has its own."""
    points: tuple[tuple[float, float], ...]
    """(kimg, distance), in the order of kimg."""
    floor: float
    """The same distance of other real pictures."""
    kimg: float
    """Length that the run had, or was planned to have."""
    seed: int
    data: str
    """What it learnt from, in words."""
    content_hash: str
    """Of that dataset."""
    pictures: int
    """Training pictures in it."""
    against: str
    """What the samples were compared with, and how many there were."""
    source: str
    """The file of the repository in which the numbers are."""

    def at(self, kimg: float) -> float | None:
        """Return the distance after ``kimg``; None before the first measurement and after the last.

        Distances fall roughly as a power of the images seen, so both axes are logarithmic between two
        measurements, or the horizontal one alone where a distance is not above 0.
        """
        where = [k for k, _ in self.points]
        if not where or not where[0] <= kimg <= where[-1]:
            return None
        i = bisect_left(where, kimg)
        (k1, v1) = self.points[i]
        if k1 == kimg:
            return v1
        (k0, v0) = self.points[i - 1]
        if k0 <= 0:
            return v0 + (v1 - v0) * (kimg - k0) / (k1 - k0)
        share = math.log(kimg / k0) / math.log(k1 / k0)
        return v0 * (v1 / v0) ** share if min(v0, v1) > 0 else v0 + (v1 - v0) * share


@dataclass(frozen=True)
class Estimate:
    """A distance with its band: between the best and the worst of the ``runs`` measured at that length.

    Without a second run there is no band: ``low`` and ``high`` are None.
    """

    value: float
    low: float | None
    high: float | None
    runs: int


@dataclass(frozen=True)
class KnownCurve:
    """All measured runs of one recipe by one measure, on the same dataset."""

    runs: tuple[MeasuredRun, ...]

    @property
    def measure(self) -> str:
        return self.runs[0].measure

    @property
    def span(self) -> tuple[float, float]:
        """Return the first and the last kimg at which anything was measured."""
        where = [k for run in self.runs for k, _ in run.points]
        return min(where), max(where)

    def at(self, kimg: float) -> Estimate | None:
        """Return the mean of the runs with its band; None where nothing was measured.

        The mean is that of the logarithms where all distances are above 0.
        """
        found = [value for run in self.runs if (value := run.at(kimg)) is not None]
        if not found:
            return None
        if min(found) > 0:
            value = math.exp(sum(map(math.log, found)) / len(found))
        else:
            value = sum(found) / len(found)
        several = len(found) > 1
        return Estimate(value, min(found) if several else None, max(found) if several else None, len(found))

    def points(self, most: float, count: int = 40) -> list[tuple[float, Estimate]]:
        """Return (kimg, estimate) at about ``count`` lengths of equal ratio, up to ``most`` kimg."""
        first, last = self.span
        last = min(last, most)
        if last < first:
            return []
        first = first or min(k for run in self.runs for k, _ in run.points if k > 0)
        ratio = (last / first) ** (1 / max(count - 1, 1))
        lengths = [first * ratio**i for i in range(count - 1)] + [last] if ratio > 1 else [first]
        return [(k, found) for k in lengths if (found := self.at(k)) is not None]


@functools.cache
def known_runs() -> tuple[MeasuredRun, ...]:
    """Return every row of the table."""
    text = resources.files("facegan.recipes").joinpath("known_curves.json").read_text(encoding="utf-8")
    rows = json.loads(text)
    return tuple(
        MeasuredRun(
            **{**rows["datasets"][row["data"]], **row, "data": rows["datasets"][row["data"]]["data"]}
            | {"points": tuple((k, v) for k, v in row["points"])}
        )
        for row in rows["runs"]
    )


def known_curve(recipe: str, measure: str) -> KnownCurve | None:
    """Return the measured curve of a recipe; None if it has none by this measure."""
    runs = tuple(run for run in known_runs() if (run.recipe, run.measure) == (recipe, measure))
    return KnownCurve(runs) if runs else None


def measures_of(recipe: str) -> list[str]:
    """Return the measures by which a recipe has a curve, in the order of the table."""
    return list(dict.fromkeys(run.measure for run in known_runs() if run.recipe == recipe))


def comparable(curve: KnownCurve, *, features: str, content_hash: str) -> bool:
    """Return whether a run that measures itself so can be drawn over the curve.

    ``quality`` can be compared within one dataset only. FID depends on the numbers of pictures on both sides,
    which a run's own measurements never share with the table's. KID depends on its features alone.
    """
    if curve.measure == "quality":
        return curve.runs[0].content_hash == content_hash
    return curve.measure == "kid" and curve.runs[0].features == features


def changes_of(config: TrainConfig) -> list[str]:
    """Return the names of settings that differ from the recipe and may shift its curve."""
    if config.recipe not in RECIPES:
        return []
    was = {item.name: item.value for item in walk(RECIPES[config.recipe].config)}
    return [
        item.name
        for item in walk(config)
        if item.group not in _HARMLESS_GROUPS
        and item.key not in _HARMLESS
        and not item.rules.scales
        and was.get(item.name) != item.value
    ]


def curve_of(config: TrainConfig) -> tuple[KnownCurve | None, str]:
    """Return the curve to expect, by the run's own metric where that is known; else None and the reason."""
    if config.recipe not in RECIPES or not (measures := measures_of(config.recipe)):
        name = f"The recipe {config.recipe}" if config.recipe else "A training without a recipe"
        return None, f"{name} has no measured curve yet, so nothing is said about its quality."
    if config.init:
        return None, "It begins with trained weights (init): curves are known from scratch only."
    if changed := [n for n in changes_of(config) if n.startswith(_NETWORKS) or n == "family"]:
        return None, f"Its networks or how they learn are not the recipe's ({', '.join(changed[:3])})."
    measure = config.metric if config.metric in measures else measures[0]
    return known_curve(config.recipe, measure), ""


def doubts(config: TrainConfig, curve: KnownCurve, *, pictures: int, content_hash: str) -> list[str]:
    """Return why a run may leave the curve, as sentences; [] where nothing is known to differ."""
    first, found = curve.runs[0], []
    if content_hash != first.content_hash:
        found.append(f"It was measured on {first.data}; other pictures are easier or harder to learn.")
    if 0 < pictures < first.pictures / 2:
        found.append(
            f"These are {pictures:,} pictures instead of {first.pictures:,}: so few are learnt by heart "
            "earlier, and the distance stays higher."
        )
    if changed := changes_of(config):
        more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
        found.append(f"Settings that may shift it differ from the recipe: {', '.join(changed[:4])}{more}.")
    lengths = sorted({run.kimg for run in curve.runs})
    if config.cooldown and all(abs(config.kimg / k - 1) > 0.15 for k in lengths if k):
        found.append(
            f"The learning rate falls towards the end of a run: those measured had {_listed(lengths)} kimg, "
            f"this one has {config.kimg:g}."
        )
    return found


def _listed(numbers: Sequence[float]) -> str:
    return " and ".join(f"{n:g}" for n in numbers)
