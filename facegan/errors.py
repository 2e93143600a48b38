"""Errors whose text is for the user: one line that names the file or option and what to do.

The command line prints them without a traceback and exits with 2.
"""

import difflib
from collections.abc import Sequence


class FaceganError(Exception):
    """Base class: a mistake or a condition that the user can do something about."""

    reported = False
    """Of several processes, whether another one has it as well and tells it."""


class FaceganWarning(UserWarning):
    """Something that goes on otherwise than asked, in one line; the command line prints it as a note."""


class InputError(FaceganError):
    """A file, folder, address or option that the user gave cannot be used."""


class ImageError(FaceganError):
    """One picture cannot be used. ``reason`` is a short, countable phrase ("truncated")."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class DatasetError(FaceganError):
    """A prepared dataset is missing, damaged or does not fit the request."""


class ConfigError(FaceganError):
    """A training or network setting is out of range or contradicts another."""


class ModelError(FaceganError):
    """A model file, bundled name or moment of a run cannot be loaded."""


class RunError(FaceganError):
    """A run folder cannot be written, resumed or read."""


class LostProcessError(RunError):
    """Another process of the run has gone; what connected them can no longer be closed in order."""


def offered(names: Sequence[str], near: str = "", most: int = 12) -> str:
    """For a message about an unknown name: the nearest of ``names``, else at most ``most`` of them."""
    close = difflib.get_close_matches(near, names, n=1) if near else []
    if close and len(names) > most:
        return f"did you mean '{close[0]}'?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    listed = f"known: {', '.join(names[:most])}{more}" if names else "there are none"
    return f"did you mean '{close[0]}'? {listed}" if close else listed


def first_line(error: BaseException) -> str:
    """What goes into a message of one line: foreign texts may hold line ends and whole files."""
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
