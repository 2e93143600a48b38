"""Kinds of attributes: each makes a value of what JSON holds, or raises ValueError."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

MAX_AXES = 6


def integer(low: int, high: int = 1 << 20) -> Callable[[Any], int]:
    """Return a check for one whole number."""

    def kind(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return kind


def integers(count: int, low: int) -> Callable[[Any], tuple[int, ...]]:
    """Return a check for ``count`` whole numbers; 0 means any count up to MAX_AXES."""

    def kind(value: Any) -> tuple[int, ...]:
        if not isinstance(value, (list, tuple)) or (len(value) != count if count else len(value) > MAX_AXES):
            raise ValueError(f"must be {count or 'a few'} whole numbers")
        return tuple(map(integer(low), value))

    return kind


def number(value: Any) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value)


def switch(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def word(*known: str) -> Callable[[Any], str]:
    """Return a check for one of a few words."""

    def kind(value: Any) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return str(value)

    return kind


PAIR, QUAD = integers(2, 1), integers(4, 0)
