"""Hold what an evaluation has found: numbers, their intervals, and what real pictures get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from facegan.metrics.base import Value, Values
from facegan.metrics.feature_extractors import FeatureTable
from facegan.metrics.image_sets import Pictures
from facegan.metrics.registry import METRICS
from facegan.sheets import table_html
from facegan.version import __version__

PER_DIMENSION = 5  # pictures that Frechet's distance wants for each dimension
BETTER = {"lower": "lower is better", "higher": "higher is better", "equal": "like real is best"}


@dataclass
class Evaluation:
    """Hold the result of an evaluation.

    ``values`` and, of real pictures in the place of the generated, ``real`` have the names of ``METRICS``.
    ``headline`` is the number to quote. ``pairs`` are (row of the subject, row of the train split, distance),
    nearest first.
    """

    subject: Pictures
    against: Pictures
    table: FeatureTable
    values: Values
    real: Values
    seconds: dict[str, float]
    warnings: list[str]
    pairs: tuple[tuple[int, int, float], ...] = ()
    train: Pictures | None = field(default=None)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.values.items())
        return f"<Evaluation of {self.subject.name} against {self.against.name}: {numbers}>"

    def __str__(self) -> str:
        """Return the table: each number, what real pictures get, and its reading."""
        rows = [("", "generated", "real", "")]
        for _, value, measured, real in self.rows():
            rows.append((value.title, measured, real, f"{BETTER[value.better]}: {value.reading}"))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            f"{self.subject.name} ({self.subject.count}) against {self.against.name} ({self.against.count}), "
            f"features {self.table.key}"
        ]
        lines += [
            f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows
        ]
        if name := self.headline:
            lines.append(f"headline: {name.upper()} {self._number(name, 5 if name == 'kid' else 3)}")
        return "\n".join([*lines, *(f"note: {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        rows: list[tuple[str, ...]] = [("", "generated", "real pictures")]
        rows += [(value.title, measured, real) for _, value, measured, real in self.rows()]
        rows += [("note", warning) for warning in self.warnings]
        sides = (f"{p.name} ({p.count:,})" for p in (self.subject, self.against))
        return table_html(" against ".join(sides), rows)

    def rows(self) -> list[tuple[str, Value, str, str]]:
        """Return each number's name, description, value with its interval, and what real pictures get."""
        known = [pair for metric in METRICS.values() for pair in metric.values.items()]
        found = []
        for name, value in known:
            if name in self.values:
                real = f"{self.real[name]:.{value.digits}f}" if name in self.real else ""
                found.append((name, value, self._number(name, value.digits), real))
        return found

    def _number(self, name: str, digits: int) -> str:
        text, low, high = f"{self.values[name]:.{digits}f}", f"{name}_low", f"{name}_high"
        if low in self.values:
            text += f" ({self.values[low]:.{digits}f} to {self.values[high]:.{digits}f})"
        return text

    @property
    def headline(self) -> str:
        """Return ``fid`` if there are enough pictures, else ``kid``; "" if neither was measured."""
        enough = min(self.subject.count, self.against.count) >= PER_DIMENSION * self.table.dim
        order = ("fid", "kid") if enough else ("kid", "fid")
        return next((name for name in order if name in self.values), "")

    def to_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        model = self.subject.generator
        return {
            "subject": self.subject.name,
            "model_hash": model.hash if model is not None else "",
            "truncation": self.subject.truncation,
            "against": self.against.name,
            "features": self.table.key,
            "count": self.subject.count,
            "count_real": self.against.count,
            "headline": self.headline,
            "metrics": self.values,
            "real": self.real,
            "seconds": self.seconds,
            "warnings": self.warnings,
            "nearest": [list(p) for p in self.pairs],
            "facegan": __version__,
        }
