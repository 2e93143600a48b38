"""The result of measuring a translator: numbers with intervals, beside those of unchanged pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from facegan.data.filters import plain
from facegan.metrics.base import Value
from facegan.metrics.evaluation import BETTER
from facegan.metrics.kid import Estimate
from facegan.metrics.pair_table import CHANGES, PAIR_METRICS
from facegan.sheets import table_html
from facegan.version import __version__

VALUES: dict[str, Value] = {
    **{name: row.value for name, row in PAIR_METRICS.items()},
    **{name: value for row in CHANGES.values() for name, value in row.items()},
}


@dataclass
class TranslatorEvaluation:
    """Hold what was measured of a translator.

    Attributes:
        subject: the translator's name.
        direction: in which it translated.
        photos: what was translated.
        count: how many pictures.
        against: what the results were compared with.
        table: the features that compared them.
        estimates: numbers with 95% intervals, by the names in ``VALUES``.
        unchanged: the same numbers of the inputs in the place of the results, where that makes sense.
        asked: attributes that results should show, and whether yes or no.
        lacking: how many photos did not show them.
        kept: for each held attribute, the share of photos of which it did not change.
        warnings: cautions.
        seconds: how long it took.
    """

    subject: str
    direction: str
    photos: str
    count: int
    against: str = ""
    table: str = ""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    unchanged: dict[str, Estimate] = field(default_factory=dict)
    asked: dict[str, bool] = field(default_factory=dict)
    lacking: int = 0
    kept: dict[str, Estimate] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def note(self, name: str, result: Estimate, unchanged: Estimate | None = None) -> None:
        """Add a number."""
        self.estimates[name] = result
        if unchanged is not None:
            self.unchanged[name] = unchanged

    @property
    def values(self) -> dict[str, float]:
        """The numbers alone."""
        return {name: found.value for name, found in self.estimates.items()}

    @property
    def headline(self) -> str:
        """The number to quote: the first that was measured."""
        return next(iter(self.estimates), "")

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in self.values.items())
        return f"<TranslatorEvaluation of {self.subject}, {self.direction}: {numbers}>"

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return title, number with interval, that of unchanged pictures, and reading of each number."""
        found = []
        for name, estimate in self.estimates.items():
            value = VALUES[name]
            before = f"{self.unchanged[name].value:.{value.digits}f}" if name in self.unchanged else ""
            reading = f"{BETTER[value.better]}: {value.reading}"
            if name == "reached":
                reading = f"{BETTER[value.better]}: {self._asked()}, of the {self.lacking:,} photos without."
            found.append((value.title, _spelled(estimate, value.digits), before, reading))
            if name == "kept":
                found += [
                    (f"  {plain(key).replace('_', ' ')}", _spelled(one, 3), "", "")
                    for key, one in self.kept.items()
                ]
        return found

    def _asked(self) -> str:
        words = [f"{'' if yes else 'not '}{plain(key).replace('_', ' ')}" for key, yes in self.asked.items()]
        return " and ".join(words)

    def __str__(self) -> str:
        """Return the table: each number, that of unchanged pictures, and its reading."""
        rows = [("", "translated", "unchanged", ""), *self.rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            f"{self.subject}, {self.direction}, of {self.photos}",
            f"against {self.against}, features {self.table}",
        ]
        lines += [
            f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip() for a, b, c, d in rows
        ]
        return "\n".join([*lines, *(f"note: {warning}" for warning in self.warnings)])

    def _repr_html_(self) -> str:
        rows: list[tuple[str, ...]] = [("", "translated", "unchanged")]
        rows += [row[:3] for row in self.rows()]
        rows += [("note", warning) for warning in self.warnings]
        return table_html(f"{self.subject}, {self.direction}, of {self.photos}", rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {
            "subject": self.subject,
            "direction": self.direction,
            "photos": self.photos,
            "against": self.against,
            "features": self.table,
            "count": self.count,
            "headline": self.headline,
            "metrics": {key: _numbers(one) for key, one in self.estimates.items()},
            "unchanged": {key: _numbers(one) for key, one in self.unchanged.items()},
            "asked": self.asked,
            "lacking": self.lacking,
            "kept": {key: _numbers(one) for key, one in self.kept.items()},
            "seconds": self.seconds,
            "warnings": self.warnings,
            "facegan": __version__,
        }


def _spelled(one: Estimate, digits: int) -> str:
    return f"{one.value:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"


def _numbers(one: Estimate) -> dict[str, float]:
    return {"value": one.value, "low": one.low, "high": one.high}
