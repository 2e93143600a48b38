"""Short trials of one recipe with other settings, ranked by a metric on held-out pictures."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegan.errors import ConfigError, FaceganError, LostProcessError
from facegan.files import write_bytes
from facegan.recipes.config import TrainConfig, TrainSettings
from facegan.runs.compare import MAX_RUNS, write_comparison
from facegan.runs.page import duration
from facegan.runs.record import read_record
from facegan.settings import flag, no_flag, setting_of, values_of
from facegan.training.evaluator import measured_as_configured, metric_key, metric_value

MAX_TRIALS = 200
MAX_NAME = 120  # characters of a folder's name
ALIASES: dict[str, Callable[[TrainConfig], tuple[str, ...]]] = {
    "gamma": lambda c: ("r1_gamma", "r2_gamma") if c.r2_gamma > 0 else ("r1_gamma",)
}


@dataclass(frozen=True)
class Trial:
    """One training of a sweep."""

    name: str
    """Of its folder."""
    settings: tuple[tuple[str, str], ...]
    """Flags by name with their values as typed."""
    several: tuple[str, ...] = ()
    """Those that take more than one word."""


@dataclass(frozen=True)
class Outcome:
    """The result of a trial; ``error`` says why there is no ``value``."""

    trial: Trial
    path: Path
    value: float | None = None
    error: str = ""


def expand(sweeps: Sequence[str], config: TrainConfig) -> list[Trial]:
    """Return the four trials of ``["gamma=1,2", "batch=16,32"]``; ConfigError for what cannot be read."""
    axes: list[list[tuple[str, str]]] = []
    now = values_of(config)
    for text in sweeps:
        name, sign, values = text.partition("=")
        name = name.strip().removeprefix("--")
        textual = isinstance(now.get(_flags(name, config)[0]), str)
        listed = [v.strip() for v in values.split(",") if v.strip() or textual]
        if not sign or not name or not listed or listed == [""]:
            raise ConfigError(f"--sweep {text}: write a setting and its values, such as gamma=1,2,5")
        taken = {one for axis in axes for one in _flags(axis[0][0], config)}
        if both := sorted(taken & set(_flags(name, config))):
            raise ConfigError(f"--sweep {text}: '{both[0]}' is named twice")
        if setting_of(TrainSettings, name.replace("-", "_")).group == "metric":  # values would not compare
            raise ConfigError(f"--sweep {text}: trials are ranked by it; give {flag(name)} instead")
        axes.append([(name, value) for value in dict.fromkeys(listed)])
    trials = []
    for choice in itertools.product(*axes):
        settings = [(one, value) for name, value in choice for one in _flags(name, config)]
        title = "_".join(f"{name}={value or 'none'}" for name, value in choice)
        several = tuple(one for one, _ in settings if isinstance(now.get(one), tuple))
        trials.append(Trial(_folder(title), tuple(settings), several))
    if len(trials) > MAX_TRIALS:
        raise ConfigError(f"--sweep: {len(trials)} trials are too many; at most {MAX_TRIALS}")
    if len({t.name for t in trials}) < len(trials):
        raise ConfigError("--sweep: two trials would have one name; write their values another way")
    return trials


def _folder(title: str) -> str:
    """Return a folder's name; a long one ends in a hash of what is cut off."""
    name = re.sub(r"[^\w.=+-]+", "-", title)
    if len(name) <= MAX_NAME:
        return name
    return f"{name[: MAX_NAME - 9]}-{hashlib.sha256(title.encode()).hexdigest()[:8]}"


def _flags(name: str, config: TrainConfig) -> tuple[str, ...]:
    return ALIASES[name](config) if name in ALIASES else (name.replace("-", "_"),)


def words(trial: Trial) -> list[str]:
    """Return its settings as the command line has them; a yes/no setting becomes --NAME or --no-NAME."""
    found: list[str] = []
    for name, value in trial.settings:
        if value.lower() in ("yes", "true"):
            found.append(flag(name))
        elif value.lower() in ("no", "false"):
            found.append(no_flag(name))
        else:
            found += [flag(name), *(value.split() if name in trial.several else [value])]
    return found


def sweep(
    trials: Sequence[tuple[Trial, TrainConfig]],
    out: Path,
    once: Callable[[TrainConfig, Path], None],
    *,
    content_hash: str,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Train each into a folder of its own below ``out``, unless it is finished there already; best first.

    ``content_hash`` is the dataset's. One that fails keeps its reason, and the others go on.
    """
    outcomes = []
    for i, (trial, config) in enumerate(trials, 1):
        path = out / trial.name
        if finished(path, config, content_hash):
            on_progress(f"{trial.name} ({i} of {len(trials)}): finished before")
        else:
            on_progress(f"{trial.name} ({i} of {len(trials)})")
            try:
                once(config, path)
            except LostProcessError:
                raise
            except FaceganError as error:
                on_progress(f"{trial.name}: {error}")
                outcomes.append(Outcome(trial, path, error=str(error)))
                continue
        value = read_record(path).last(metric_key(config.metric))
        outcomes.append(Outcome(trial, path, value, "" if value is not None else "it was not measured"))
    lower = metric_value(trials[0][1].metric).better == "lower"
    return sorted(outcomes, key=lambda o: (o.value is None, (o.value or 0.0) * (1 if lower else -1)))


def finished(path: Path, config: TrainConfig, content_hash: str) -> bool:
    """Return whether this very trial has ended, on the same pictures, and was measured."""
    if not (path / "config.json").is_file():
        return False
    record = read_record(path)
    wanted: dict[str, Any] = json.loads(json.dumps(config.to_dict()))
    if any(record.config.get(key) != value for key, value in wanted.items()):
        return False
    if record.config.get("dataset", {}).get("content_hash") != content_hash:
        return False
    try:
        best = json.loads((path / "best.json").read_text())
    except (OSError, ValueError):
        return False
    if not measured_as_configured(best, config):
        return False
    measured = record.curve(metric_key(config.metric))
    return bool(measured) and measured[-1][0] >= config.kimg


# --- results --------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome], metric: str) -> str:
    """Return ranks, values and times as aligned text; failed trials come last, with their reason."""
    key = metric_key(metric)
    value = metric_value(metric)
    wide = max(len("trial"), *(len(o.trial.name) for o in outcomes))
    head = f"{'':>3}  {'trial':<{wide}}  {value.title:>12}  {'kimg':>7}  {'time':>10}  {'img/s':>6}"
    lines, floor = [head], None
    for rank, o in enumerate(outcomes, 1):
        if o.value is None:
            lines.append(f"{'–':>3}  {o.trial.name:<{wide}}  {o.error}")
            continue
        record = read_record(o.path)
        floor = record.last(f"{key}_real") if floor is None else floor
        seconds, speed = record.last("seconds") or 0.0, record.speed or 0.0
        lines.append(
            f"{rank:>3}  {o.trial.name:<{wide}}  {o.value:>12.4g}  {record.kimg:>7g}  "
            f"{duration(seconds):>10}  {speed:>6.3g}"
        )
    if floor is not None:
        lines.append(f"{'':>3}  {'real pictures':<{wide}}  {floor:>12.4g}")
    elif any(o.value is not None for o in outcomes):
        why = "because there is no val split of 10: this favours"
        lines += ["", f"Compared with the training pictures, {why}"]
        lines += ["learning them by heart. 'facegan prepare --split val=0.1' holds some out."]
    return "\n".join(lines)


def write_outcomes(outcomes: Sequence[Outcome], metric: str, out: Path) -> Path | None:
    """Write ``sweep.json`` and a page of the best trials; return the page's path."""
    key = metric_key(metric)
    listed = [
        {"trial": o.trial.name, "settings": dict(o.trial.settings), key: o.value, "error": o.error}
        for o in outcomes
    ]
    content = json.dumps({"metric": metric, "ranking": listed}, indent=1)
    write_bytes(out / "sweep.json", content.encode())
    good = [o.path for o in outcomes if o.value is not None]
    return write_comparison(good[:MAX_RUNS], out / "compare.html") if good else None
