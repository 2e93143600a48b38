"""Moving averages of other lengths, made of the models that a run has kept, after it has ended.

Karras et al. 2024 (arXiv:2312.02696), section 3 and appendix C: the length of a weight average matters, and
is known only afterwards. A kept model is a known mean of the raw weights after each update, its *profile*.
Sums of kept models have the sums of their profiles, and least squares brings those to any other profile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facegan import arguments, bars
from facegan.data.dataset import Dataset
from facegan.devices import check_device
from facegan.errors import InputError, RunError
from facegan.model_header import read_header
from facegan.models import AVERAGE, load, moment_name, moments
from facegan.recipes.config import TrainConfig, override
from facegan.recipes.table import RECIPES
from facegan.runs.record import config_of as recorded_config
from facegan.runs.record import read_record
from facegan.training.objective import objective_of
from facegan.training.schedules import average_decay
from facegan.training.snapshot import settle
from facegan.training.state import Sources

WIDTHS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.17, 0.21, 0.25)
MAX_WIDTH = 1 / math.sqrt(12)
"""Relative width of the plain mean, the widest power function."""
MAX_ERROR = 0.35
"""Of a profile, as a share of its norm; beyond it, the result is another average than its name says."""
SUM_BYTES = 2**30
"""Of the sums, in float64, that are held at a time; for the next ones, the files are read again."""
_NO_WEIGHT = 1e-9
_RIDGE = 1e-6  # against large weights of both signs, which would blow up the rounding of stored weights


@dataclass(frozen=True)
class Average:
    """An average of one length, and what was measured of it."""

    width: float
    """Standard deviation of its profile as a share of the run; 0 for a model that the run kept."""
    error: float
    """How far the profile of the sum is from the wanted one, as a share of its norm."""
    weights: tuple[float, ...]
    """Of each kept model."""
    value: float = math.nan
    """Of the metric."""
    name: str = ""


@dataclass
class Averages:
    """The result of :func:`average`: all lengths, the best first."""

    metric: str
    rows: list[Average]
    file: str = ""
    left_out: list[Average] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{'average':<20}{'fit error':>10}  {self.metric}"]
        for row in self.rows:
            lines.append(f"{row.name:<20}{row.error:>10.2f}  {row.value:.5g}")
        if self.left_out:
            names = ", ".join(f"{row.width:g}" for row in self.left_out)
            lines.append(
                f"note: widths {names} left out: the kept models are too far apart for them; a run with a "
                "smaller --checkpoint-kimg keeps more"
            )
        return "\n".join(lines)


def average(
    run: str | Path,
    dataset: str | Path | Dataset = "",
    *,
    widths: Sequence[float] = WIDTHS,
    metric: str = "",
    count: int = 0,
    out: str | Path = "",
    device: str = "cpu",
    on_progress: Any = None,
) -> Averages:
    """Rank averages of several lengths by a metric on held-out pictures, and write the best one.

    The average of width 0.1 weighs the raw weights of the run by a power of the time whose standard deviation
    is 10% of the run. Lengths are compared with the models that the run kept, too.

    >>> facegan.average("runs/faces").rows[0]

    Args:
        run: a run folder of ``train`` with at least three models, of any recipe.
        dataset: that of the run, if it lies elsewhere now.
        widths: standard deviations of the profiles, as shares of the run, above 0 and below 0.2887.
        metric: what ranks them; "" is the run's own, else kid.
        count: pictures that the metric takes; 0 is the run's number.
        out: the model file to write; "" is ``RUN/models/average.safetensors``, which is ``RUN@average``.
        device: cpu, cuda or mps.
        on_progress: called with task, done, total; by default, a bar shows the progress.

    Raises:
        RunError: The folder is no run, or keeps too few models.
        InputError: A width or the device cannot be, or the dataset is another one.
    """
    run, found = Path(run), moments(run)
    if not run.is_dir():
        raise RunError(f"{run}: there is no such run folder; name one of 'facegan train'")
    if len(found) < 3:
        raise RunError(
            f"{run}: it keeps {len(found)} models, and an average of another length takes 3; train with a "
            "smaller --checkpoint-kimg"
        )
    check_device(device)
    wanted = [_checked(width) for width in widths]
    config, data = config_of(run), _dataset(run, dataset)
    config = override(config, {"metric": metric or config.metric or "kid"})
    config = override(config, {"metric_count": arguments.whole(count, "--count") or config.metric_count})
    files = list(found.values())
    seen = [round(kimg * 1000) for kimg in found]
    before = read_header(files[-1]).get("provenance", {}).get("images_before", 0)
    rows = [candidate(config, seen, width, images_before=before) for width in wanted]
    kept = [row for row in rows if row.error <= MAX_ERROR]
    objective = objective_of(config)
    measure = objective.metric(config, data, torch.device(device))
    kept += [_kept_model(seen, k) for k in range(max(0, len(seen) - 3), len(seen))]
    best: tuple[Average, Any] | None = None
    measured = []
    models = mixed(files, [row.weights for row in kept], config, device=device)
    with bars.shown(on_progress) as show:
        for done, row in enumerate(kept):
            show("measure averages", done, len(kept))
            model = next(models)
            row = Average(row.width, row.error, row.weights, measure(model)[measure.key], row.name)
            measured.append(row)
            if best is None or measure.better(row.value, best[0].value):
                best = row, model
        show("measure averages", len(kept), len(kept))
    assert best is not None
    order = sorted(measured, key=lambda row: row.value, reverse=measure.better(1.0, 0.0))
    row, model = best
    place = Path(arguments.place(out, "out")) if str(out) else run / "models" / AVERAGE
    model.meta["provenance"] = {**model.meta["provenance"], "average": row.name}
    model.save(place)
    return Averages(measure.key, order, str(place), [row for row in rows if row.error > MAX_ERROR])


def _checked(width: float) -> float:
    number = arguments.real(width, "--widths")
    if not 0 < number < MAX_WIDTH:
        raise InputError(f"--widths {number:g}: must lie above 0 and below {MAX_WIDTH:.4f}, the plain mean's")
    return number


def _dataset(run: Path, dataset: str | Path | Dataset) -> Sources:
    """Return the run's datasets; InputError where they are gone or others."""
    about = read_record(run).config
    opened: list[Dataset | None] = []
    for key, given in (("dataset", dataset), ("to", "")):
        known = about.get(key)
        if not isinstance(known, dict):
            opened.append(None)
            continue
        data = given if isinstance(given, Dataset) else Dataset(given or known.get("path", ""))
        if data.content_hash != known.get("content_hash"):
            raise InputError(f"{data.path}: not the dataset of {run}, which has other pictures")
        opened.append(data)
    if opened[0] is None:
        raise RunError(f"{run}: its config.json names no dataset; it is no run of 'facegan train'")
    return Sources(opened[0], opened[1])


def config_of(run: str | Path) -> TrainConfig:
    """Return the configuration in a run folder's ``config.json``.

    Raises:
        RunError: There is none, or it is of another version.
    """
    about = read_record(run).config
    name = about.get("recipe", "")
    if name not in RECIPES:
        raise RunError(f"{run}: its config.json names no recipe of this version ('{name}')")
    return recorded_config(about)


# --- profiles ----------------------------------------------------------------------------------------


def exponent(width: float) -> float:
    """Return the exponent of the power function with that relative standard deviation (equation 123)."""

    def width_of(gamma: float) -> float:
        return math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)))

    low, high = 0.0, 1.0
    while width_of(high) > width:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if width_of(middle) > width else (low, middle)
    return (low + high) / 2


def power_profile(width: float, total: int, step: int) -> np.ndarray:
    """Return the weights of the raw networks after each update of a run of ``total`` images, which add to 1.

    The first one is that of the weights before the first update.
    """
    edges = np.arange(total // step + 1) / (total // step)
    return np.concatenate([[0.0], np.diff(edges ** (exponent(width) + 1))])


def model_profile(config: TrainConfig, images_seen: int, images_before: int, *, step: int) -> np.ndarray:
    """Return those of the model that a run keeps after ``images_seen``: its own moving average."""
    count = images_seen // step
    weights, left = np.zeros(count + 1), 1.0
    for k in range(count, 0, -1):
        decay = average_decay(config, step, images_seen=k * step, images_before=images_before)
        weights[k] = left * (1 - decay)
        left *= decay
    weights[0] = left
    return weights


def candidate(config: TrainConfig, seen: Sequence[int], width: float, *, images_before: int = 0) -> Average:
    """Return the weights of kept models, after ``seen`` images each, whose sum is nearest to a power average.

    They add to 1: least squares under that condition.
    """
    step = config.batch * config.d_updates
    total = seen[-1] // step * step
    target = power_profile(width, total, step)
    columns = np.zeros((len(target), len(seen)))
    for k, images in enumerate(seen):
        profile = model_profile(config, images, images_before, step=step)
        columns[: len(profile), k] = profile
    gram, wanted = columns.T @ columns, columns.T @ target
    n = len(seen)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = gram + _RIDGE * np.trace(gram) / n * np.eye(n)
    system[n, :n] = system[:n, n] = 1
    solved = np.linalg.solve(system, np.append(wanted, 1.0))[:n]
    error = float(np.linalg.norm(columns @ solved - target) / np.linalg.norm(target))
    return Average(width, error, tuple(float(x) for x in solved), name=f"width {width:g}")


def _kept_model(seen: Sequence[int], index: int) -> Average:
    weights = tuple(float(k == index) for k in range(len(seen)))
    return Average(0.0, 0.0, weights, name=f"@{moment_name(seen[index] / 1000)} as kept")


# --- models ------------------------------------------------------------------------------------------


def mixed(
    files: Sequence[Path], mixtures: Sequence[Sequence[float]], config: TrainConfig, *, device: str
) -> Iterator[Any]:
    """Yield the weighted sum of the models for each mixture, a weight for each file.

    Each file is read once for as many sums as fit into ``SUM_BYTES``. All but floats is the last file's.
    """
    newest = load(files[-1], device)
    floats = [v.numel() for v in newest.network.state_dict().values() if v.is_floating_point()]
    at_once = max(1, SUM_BYTES // (8 * sum(floats)))
    for first in range(0, len(mixtures), at_once):
        some = mixtures[first : first + at_once]
        for weights, sums in zip(some, _sums(files, some), strict=True):
            model = deepcopy(newest)
            model.network.load_state_dict(sums)
            if "latent" in model.meta and sum(abs(weight) > _NO_WEIGHT for weight in weights) > 1:
                settle(model.network, model.meta, config, device=torch.device(device))
            yield model


def _sums(files: Sequence[Path], mixtures: Sequence[Sequence[float]]) -> list[dict[str, torch.Tensor]]:
    """Return the tensors of each mixture, floats in float64."""
    found: list[dict[str, Any]] = [{} for _ in mixtures]
    for k, file in enumerate(files):
        wanted = [
            (sums, weights[k])
            for sums, weights in zip(found, mixtures, strict=True)
            if abs(weights[k]) > _NO_WEIGHT or file is files[-1]
        ]
        for name, value in load(file).network.state_dict().items() if wanted else ():
            for sums, weight in wanted:
                is_float = value.is_floating_point()
                sums[name] = sums.get(name, 0.0) + weight * value.double() if is_float else value
    return found
