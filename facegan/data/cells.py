"""Cells of tables: single values as attributes are handed on."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from facegan.data.items import AttributeValue
from facegan.files import printable

MAX_TEXT = 256  # characters of a text that are kept; what is longer is no class


def is_scalar(cell: Any) -> bool:
    """Return whether a cell holds one value that can be an attribute; lists, bytes and such do not."""
    return cell is None or isinstance(cell, (bool, int, float, str, decimal.Decimal))


def scalar(cell: Any) -> AttributeValue:
    """Return a cell's value as attributes are handed on: 1 and 0 for true and false, NaN as unknown."""
    if cell is None or isinstance(cell, bool):
        return None if cell is None else int(cell)
    if isinstance(cell, int):
        return cell if -(2**63) <= cell < 2**63 else str(cell)[:MAX_TEXT]
    if isinstance(cell, (float, decimal.Decimal)):
        number = float(cell)
        return None if math.isnan(number) else number
    return printable(str(cell)[:MAX_TEXT])


def scalars(
    cells: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
) -> tuple[dict[str, AttributeValue], set[str]]:
    """Return the single values among named cells, and the names of the others."""
    values: dict[str, AttributeValue] = {}
    others: set[str] = set()
    for key, cell in cells.items() if isinstance(cells, Mapping) else cells:
        name = printable(str(key))[:100]
        if is_scalar(cell):
            values[name] = scalar(cell)
        else:
            others.add(name)
    return values, others


_STARTS = ("/9j/", "iVBORw0KGgo", "UklGR", "R0lGOD", "Qk0")  # of JPEG, PNG, WebP, GIF and BMP in base64


def from_text(text: str) -> bytes | None:
    """Return the picture in a data URI or in base64; None for other texts, such as paths."""
    import base64
    import binascii

    head, comma, body = text.partition(",")
    if text.startswith("data:"):
        if not comma or not head.endswith(";base64"):
            return None
    elif text.startswith(_STARTS) and len(text) > 100:
        body = text
    else:
        return None
    try:
        return base64.b64decode(body)
    except (binascii.Error, ValueError):
        return None


def as_array(cell: Any, dtype: Any, shape: tuple[int, ...] | None) -> np.ndarray | None:
    """Return pixels ``H,W,C`` from nested lists ``H,W``, ``H,W,C`` or ``C,H,W``, or from one flat list: of
    ``shape``, or of a square gray picture. None for what is none of these."""
    try:
        array = np.asarray(cell, dtype)
    except (ValueError, TypeError, OverflowError):
        return None
    if shape is not None and array.size == math.prod(shape):
        array = array.reshape(shape)
    if array.ndim == 1 and array.size and math.isqrt(array.size) ** 2 == array.size:
        array = array.reshape(math.isqrt(array.size), -1)
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[..., None]
    good = array.ndim == 3 and array.shape[2] in (1, 3, 4) and array.size
    return np.ascontiguousarray(array) if good else None
