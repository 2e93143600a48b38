"""Requests that are refused: with a status, and one sentence."""

from __future__ import annotations

import errno
import json
from typing import Any

from facegan.errors import FaceganError

DISK_FULL = "the disk is full; make room, then try again"


def is_full(error: BaseException) -> bool:
    """Return whether an error says that there is no room on the disk."""
    return getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT)


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
