"""Requests that are refused: with a status, and one sentence."""

from __future__ import annotations

import json
from typing import Any

from facegan.errors import FaceganError


class Refused(FaceganError):
    """Signal a request that is answered with ``status`` and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class NotFoundError(Refused):
    """Signal an id that no listing has."""

    def __init__(self, sentence: str) -> None:
        super().__init__(404, sentence)


def shown(value: Any) -> str:
    """Return what a request brought for a message, short and printable."""
    text = value if isinstance(value, str) else json.dumps(value)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 60 else f"{text[:57]}..."
