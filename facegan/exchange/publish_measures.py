"""What is known of a model's quality: from ``facegan evaluate``, the bundled card, or its run.

Nothing is measured here, and numbers of another model are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.exchange.personal import clean_text
from facegan.metrics.base import Value
from facegan.metrics.registry import METRICS
from facegan.models import ASSETS
from facegan.runs.record import number, read_record

MEMORISED = ("memorized", "nearer")


@dataclass(frozen=True)
class Measures:
    """Numbers by their names in METRICS, and how they were measured.

    ``low`` and ``high`` are ends of 95% intervals, ``real`` what other real pictures get. ``against`` is the
    dataset and ``split`` the pictures that were compared with; "" is unknown, and so is a count of 0.
    """

    values: dict[str, float]
    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    real: dict[str, float] = field(default_factory=dict)
    features: str = ""
    against: str = ""
    split: str = ""
    count: int = 0
    count_real: int = 0
    truncation: float = 1.0
    warnings: tuple[str, ...] = ()
    copied: float | None = None
    """The share of suspicious samples in the run's last grid; 0.05 if nothing is memorised."""

    def rows(self) -> list[tuple[str, Value]]:
        """Return the names of the numbers there are, with their descriptions, without those on memorising."""
        known = [pair for metric in METRICS.values() for pair in metric.values.items()]
        return [(name, value) for name, value in known if name in self.values and name not in MEMORISED]

    def text(self, name: str, digits: int) -> str:
        """Return a number with its interval."""
        found = f"{self.values[name]:.{digits}f}"
        if name in self.low:
            found += f" ({self.low[name]:.{digits}f} to {self.high[name]:.{digits}f})"
        return found


def _of_values(values: Mapping[str, Any], real: Mapping[str, Any], **more: Any) -> Measures:
    """Return measures of numbers in which ``kid_low`` and ``kid_high`` are the interval of ``kid``."""
    names = [name for metric in METRICS.values() for name in metric.values]
    ends = {
        end: {n: v for n in names if (v := number(values.get(f"{n}_{end}"))) is not None}
        for end in ("low", "high")
    }
    return Measures(
        {n: v for n in names if (v := number(values.get(n))) is not None},
        ends["low"],
        ends["high"],
        {n: v for n in names if (v := number(real.get(n))) is not None},
        **more,
    )


def evaluated(file: str, hashes: Container[str]) -> Measures:
    """Return the measures in a file of ``facegan evaluate --json``.

    Raises:
        InputError: the file is none, or of a model with none of the ``hashes``.
    """
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        measured = str(found["model_hash"])
        values, real, against = dict(found["metrics"]), dict(found["real"]), str(found["against"])
        counts = int(found["count"]), int(found["count_real"])
        truncation = float(found["truncation"])
        warnings = tuple(clean_text(str(w)) for w in found["warnings"])
    except FileNotFoundError:
        raise InputError(f"--evaluation {file}: there is no such file") from None
    except OSError as error:
        raise InputError(f"--evaluation {file}: cannot be read ({error.strerror})") from None
    except (ValueError, LookupError, TypeError):
        raise InputError(
            f"--evaluation {file}: not a result of a model that 'facegan evaluate MODEL --against DATASET "
            "--json FILE' wrote; measure again"
        ) from None
    if measured not in hashes:
        raise InputError(f"--evaluation {file}: it measures another model ({measured[:12] or 'no model'})")
    named = re.fullmatch(r"(.*) \((\w+)\)", against)
    name, split = (named[1], named[2]) if named else (against, "")
    return _of_values(
        values,
        real,
        features=str(found.get("features", "")).partition("-")[0],
        against=Path(name).name,
        split=split,
        truncation=truncation,
        count=counts[0],
        count_real=counts[1],
        warnings=warnings,
    )


def of_bundled(name: str, hashes: Container[str], dataset: str) -> tuple[Measures | None, str]:
    """Return the measures in a bundled model's card, and the card; neither if it is of another model."""
    file = ASSETS / f"{name}.md"
    text = file.read_text(encoding="utf-8") if name and file.is_file() else ""
    try:
        found = json.loads(text.rpartition("<!-- measures ")[2].partition(" -->")[0])
        if found["model"] not in hashes:
            return None, ""
        counts = {"count": int(found["samples"]), "count_real": int(found["real"])}
        measures = _of_values(
            found["generated"], found["floor"], features="faces", against=dataset, split="test", **counts
        )
    except (ValueError, LookupError, TypeError):
        return None, ""
    return measures, text


def _best(run: Path) -> dict[str, Any]:
    """Return what a run says of its best checkpoint; nothing if it did not look for one."""
    try:
        found = json.loads((run / "best.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def of_run(model_file: Path, images_seen: int) -> Measures | None:
    """Return what a run measured of the model at so many images, if the file is in a run folder."""
    run = model_file.parent.parent
    if model_file.parent.name != "models" or not (run / "config.json").is_file():
        return None
    record = read_record(run)
    line = next((line for line in record.stats if line["images_seen"] == images_seen), {})
    settings = record.config
    key = next(iter(METRICS[settings["metric"]].values), "") if settings.get("metric") in METRICS else ""
    values = {name: line[name] for name in line if key and name.startswith(key)}
    # Training measures what other real pictures get only where some are held out.
    held_out = number(line.get(f"{key}_real")) is not None
    chosen = _best(run).get("images_seen") == images_seen
    found = _of_values(
        values,
        {key: line.get(f"{key}_real")},
        features=str(settings.get("metric_features", "")),
        against=str((settings.get("dataset") or {}).get("name", "")),
        split="val" if held_out else "train",
        count=int(settings.get("metric_count") or 0),
        warnings=("This checkpoint was chosen by this number, which favours it.",) if chosen else (),
        copied=number(line.get("copied")),
    )
    return found if found.values or found.copied is not None else None
