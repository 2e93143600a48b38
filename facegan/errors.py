"""Define errors for the user: one line that names the file or option and what to do.

The command line prints them without a traceback and exits with 2.
"""

import difflib
from collections.abc import Sequence


class FaceganError(Exception):
    """Signal a mistake or condition that the user can fix; base class of all others."""

    reported = False
    """Of several processes, whether another one has it as well and tells it."""


class FaceganWarning(UserWarning):
    """Warn in one line that something continues differently than requested; commands print it as a note."""


class InputError(FaceganError):
    """Signal that a file, folder, address or option of the user cannot be used."""


class ImageError(FaceganError):
    """Signal that one picture cannot be used. ``reason`` is a short, countable phrase ("truncated")."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class DatasetError(FaceganError):
    """Signal that a prepared dataset is missing, damaged or does not fit the request."""


class ConfigError(FaceganError):
    """Signal that a training or network setting is out of range or contradicts another."""


class ModelError(FaceganError):
    """Signal that a model file, bundled name or checkpoint of a run cannot be loaded."""


class RunError(FaceganError):
    """Signal that a run folder cannot be written, resumed or read."""


class LostProcessError(RunError):
    """Signal that another process of the run is gone, so the connection cannot be closed in order."""


def offered(names: Sequence[str], near: str = "", most: int = 12) -> str:
    """Return the closest of ``names`` for a message about an unknown name, else at most ``most`` of them."""
    close = difflib.get_close_matches(near, names, n=1) if near else []
    if close and len(names) > most:
        return f"did you mean '{close[0]}'?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    listed = f"known: {', '.join(names[:most])}{more}" if names else "there are none"
    return f"did you mean '{close[0]}'? {listed}" if close else listed


def printable(text: str, keep: str = "\n") -> str:
    """Return a text for a terminal, where control characters of a stranger's file would do something.

    Each becomes a question mark, except those in ``keep``.
    """
    return "".join(c if c.isprintable() or c in keep else "?" for c in text)


def first_line(error: BaseException) -> str:
    """Return the first line of a text from another program, for a message of one line."""
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
