"""Cells of tables: single values as attributes are handed on."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterable, Mapping
from typing import Any

from facegan.data.items import AttributeValue
from facegan.files import printable

LONGEST = 256  # characters of a text that are kept; what is longer is no class


def is_scalar(cell: Any) -> bool:
    """Whether a cell holds one value that can be an attribute; lists, bytes and such do not."""
    kinds = (bool, int, float, str, decimal.Decimal, datetime.date, datetime.time)
    return cell is None or isinstance(cell, kinds)


def scalar(cell: Any) -> AttributeValue:
    """A cell's value as attributes are handed on: 1 and 0 for true and false, NaN as unknown."""
    if cell is None or isinstance(cell, bool):
        return None if cell is None else int(cell)
    if isinstance(cell, int):
        return cell if -(2**63) <= cell < 2**63 else str(cell)[:LONGEST]
    if isinstance(cell, (float, decimal.Decimal)):
        number = float(cell)
        return None if math.isnan(number) else number
    text = cell if isinstance(cell, str) else cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
    return printable(text[:LONGEST])


def scalars(
    cells: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
) -> tuple[dict[str, AttributeValue], set[str]]:
    """The single values among named cells, and the names of the others."""
    values: dict[str, AttributeValue] = {}
    others: set[str] = set()
    for key, cell in cells.items() if isinstance(cells, Mapping) else cells:
        name = printable(str(key))[:100]
        if is_scalar(cell):
            values[name] = scalar(cell)
        else:
            others.add(name)
    return values, others
