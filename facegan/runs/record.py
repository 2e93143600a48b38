"""The files of a run folder as they are now, also of runs that go on or were cut off."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from facegan.errors import ConfigError, RunError
from facegan.recipes.config import TrainConfig, override
from facegan.recipes.table import recipe
from facegan.settings import values_of


@dataclass(frozen=True)
class RunRecord:
    """``stats`` are the lines of stats.jsonl in the order of ``images_seen``, one for each count."""

    path: Path
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    stats: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def kimg(self) -> float:
        """Return the thousands of pictures seen at the last line; 0 before the first."""
        return self.stats[-1]["images_seen"] / 1000 if self.stats else 0.0

    def curve(self, key: str) -> list[tuple[float, float]]:
        """Return (kimg, value) of every line in which ``key`` is a finite number."""
        pairs = ((line["images_seen"] / 1000, number(line.get(key))) for line in self.stats)
        return [(kimg, value) for kimg, value in pairs if value is not None]

    @property
    def speed(self) -> float | None:
        """Return the median of the images a second; None without a measurement."""
        values = [v for _, v in self.curve("images_per_second")]
        return median(values) if values else None

    def last(self, key: str) -> float | None:
        """Return the last finite value of ``key``; None if there is none."""
        values = self.curve(key)
        return values[-1][1] if values else None


def read_record(run: str | Path) -> RunRecord:
    """Read a run folder, whose files may be missing or cut off; RunError if there is no such folder."""
    run = Path(run)
    if not run.is_dir():
        raise RunError(f"{run}: there is no such run folder")
    lines = {line["images_seen"]: line for line in _read_lines(run / "stats.jsonl")}
    return RunRecord(
        run,
        read_json(run / "config.json"),
        read_json(run / "environment.json"),
        [lines[seen] for seen in sorted(lines)],
        _read_lines(run / "events.jsonl"),
    )


def config_of(
    values: dict[str, Any], base: TrainConfig | None = None, *, keep: Collection[str] = ()
) -> TrainConfig:
    """Return the settings of a config.json, on top of its recipe or of ``base``, whose ``keep`` stay.

    What this version does not know is left out; ConfigError for an unknown recipe.
    """
    base = recipe(str(values.get("recipe") or "")) if base is None else base
    was = {name.removeprefix("model."): value for name, value in flatten(values).items()}
    return override(base, {n: was[n] for n in values_of(base) if n in was and n not in keep})


def changed_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a config.json that differ from its recipe; {} where that is unknown."""
    try:
        default = flatten(json.loads(json.dumps(recipe(str(values.get("recipe") or "")).to_dict())))
    except ConfigError:
        return {}
    return {
        name.removeprefix("model."): value
        for name, value in flatten(values).items()
        if name in default and value != default[name]
    }


def number(value: Any) -> float | None:
    """Return a finite number as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested dicts as one, with dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where it is missing or cut off."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON Lines file that count images, without torn and foreign lines."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and number(value.get("images_seen")) is not None:
            found.append(value)
    return found
