"""Whether a run is still getting better, judged by its curve of quality and the noise in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from facegan.models import moment_name

MIN_POINTS = 8  # measurements that a judgement takes
_PATIENCE, _LEAST = 0.25, 5  # of the run, and measurements: so long without a better value is no progress
_TOO_NOISY = 1.4  # a margin of this factor or more says nothing


@dataclass(frozen=True)
class Progress:
    """``state`` is early, noisy, improving or stalled; see :func:`judge`.

    ``best`` and ``last`` are distances as they were measured, so that texts, tiles and curves show the same
    number; where the best is (``best_kimg``), and whether the run has got ``worse`` since, is decided on the
    smoothed curve. ``since`` is the kimg of the last value that was better beyond the noise, ``margin`` the
    factor that this takes.
    """

    state: str
    points: int
    best: float
    best_kimg: float
    last: float
    since: float
    margin: float
    worse: bool


def judge(curve: Sequence[tuple[float, float]]) -> Progress | None:
    """Judge the (kimg, distance) of a run; None for an empty curve.

    To decide, the curve is smoothed by medians of three neighbours. The noise sigma of one measurement is
    estimated from second differences of the logarithms, which a steady trend leaves out: their median size is
    0.6745 sqrt(6) sigma. A smoothed value is *better* where it lies below the last better one by more than
    2 sigma, and by at least 1%. ``improving``: the last better value lies in the last quarter of the
    measurements, or among the last five. ``stalled``: it does not. ``noisy``: it does
    not, but 2 sigma is a factor of 1.4 or more. ``early``: fewer than eight measurements.

    Of level curves with noise of 1 to 10%, 4% are called improving (tests/training/test_progress.py).
    """
    if not curve:
        return None
    kimg = [k for k, _ in curve]
    logs = [math.log(max(value, 1e-9)) for _, value in curve]
    n = len(logs)
    smooth = _smoothed(logs)
    bends = [abs(a - 2 * b + c) for a, b, c in zip(logs, logs[1:], logs[2:], strict=False)]
    sigma = median(bends) / (0.6745 * math.sqrt(6)) if bends else 0.0
    margin = max(2 * sigma, 0.01)
    better = 0
    for i, value in enumerate(smooth):
        if value < smooth[better] - margin:
            better = i
    lowest = min(range(n), key=lambda i: (smooth[i], -i))
    if n < MIN_POINTS:
        state = "early"
    elif better >= n - max(_LEAST, math.ceil(_PATIENCE * n)):
        state = "improving"
    else:
        state = "noisy" if margin >= math.log(_TOO_NOISY) else "stalled"
    worse = smooth[-1] > smooth[lowest] + 1.5 * margin  # three times the noise
    # A median of three is one of the three measurements: report that one, with its own kimg.
    at = min(range(n), key=lambda i: (abs(logs[i] - smooth[lowest]), abs(i - lowest), -i))
    return Progress(state, n, curve[at][1], kimg[at], curve[-1][1], kimg[better], math.exp(margin), worse)


def _smoothed(values: Sequence[float]) -> list[float]:
    """Return each value's median with its neighbours; at the ends that of the first or last three.

    Up to three values are left as they are: with one median for all of them, none would be the best.
    """
    if len(values) <= 3:
        return list(values)
    last = max(len(values) - 3, 0)
    return [median(values[min(max(i - 1, 0), last) :][:3]) for i in range(len(values))]


def best_model(curve: Sequence[tuple[float, float]], models: Iterable[float]) -> float | None:
    """Return the kimg of the saved model where the smoothed distance is lowest, the later of equals.

    None without models or measurements. One that was saved between two measurements counts as the nearer.
    """
    if not curve:
        return None
    smooth = _smoothed([value for _, value in curve])

    def distance(model: float) -> float:
        return smooth[min(range(len(curve)), key=lambda i: abs(curve[i][0] - model))]

    return min(models, key=lambda model: (distance(model), -model), default=None)


def quality_text(
    curve: Sequence[tuple[float, float]], floor: float | None, models: Iterable[float], *, run: str
) -> tuple[str, str]:
    """Return (headline, sentences) on the quality of ``run``; two empty texts without a measurement."""
    found = judge(curve)
    if found is None:
        return "", ""
    now = f"The distance to the data is {found.last:.3g}"
    now += f" (other real pictures: {floor:.3g})." if floor else "."
    if found.state == "early":
        return "Too early to tell.", f"Quality was measured {found.points} of {MIN_POINTS} times. {now}"
    model = best_model(curve, models)
    best = f" Best model: {run}@{moment_name(model)}." if model is not None else ""
    if found.state == "noisy":
        text = f"Only a factor of {found.margin:.2g} would stand out from its noise; look at the pictures."
        return "The quality jumps too much to tell.", f"{now} {text}{best}"
    if found.state == "improving":
        return "Still getting better.", f"{now} It is worth going on.{best}"
    then = f"It was {found.best:.3g} at {found.best_kimg:.4g} kimg"
    text = f"{now} {then} and has got worse since." if found.worse else f"{now} What changed since is noise."
    return f"No better since {found.since:.4g} kimg.", f"{text} You can stop.{best}"


def diversity_text(curve: Sequence[tuple[float, float]]) -> str:
    """Return a sentence on the median of the last three diversities; "" without any."""
    if not curve:
        return ""
    value = median([v for _, v in curve[-3:]])
    share = f"{value:.0%} of the data's"
    for limit, text in (
        (0.5, f"Variety is only {share}: the generator repeats itself (mode collapse)."),
        (0.85, f"Variety is {share}: somewhat monotonous."),
        (1.15, f"Variety is {share}, as it should be."),
    ):
        if value < limit:
            return text
    return f"Variety is {share}: more than real pictures differ, so some are noise or broken."
