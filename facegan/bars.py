"""Progress: a bar on a terminal and in a notebook, a line now and then in scripts, or nothing.

Long functions take a callback; without one they show a bar, from Python and from the command line alike.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

VARIABLE = "FACEGAN_PROGRESS"
EVERY = 15.0  # seconds between lines where nothing can be rewritten
_LIVE = 0.1  # seconds between two states of a bar
_PATIENCE = 0.5  # seconds before a bar appears: what is done by then needs none
_WIDTH = 24

_wanted: bool | None = None


def set_progress(on: bool = True) -> None:
    """Show the progress of long functions, or be silent, as ``FACEGAN_PROGRESS=0`` in the environment is."""
    global _wanted
    _wanted = bool(on)


def wanted() -> bool:
    """Return whether progress is to be shown."""
    if _wanted is not None:
        return _wanted
    return os.environ.get(VARIABLE, "1").strip().lower() not in ("0", "no", "off", "false")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Show no bars within."""
    global _wanted
    before, _wanted = _wanted, False
    try:
        yield
    finally:
        _wanted = before


def in_notebook() -> bool:
    """Return whether this process is a notebook's kernel, which rewrites lines as a terminal does."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Line:
    """One line on a terminal, rewritten; elsewhere a line every ``every`` seconds, and the last."""

    def __init__(self, stream: TextIO | None = None, every: float | None = None) -> None:
        self.stream = stream or sys.stderr
        self.every = EVERY if every is None else every
        self.live = in_notebook() or bool(getattr(self.stream, "isatty", lambda: False)())
        self.last, self.open = time.monotonic(), False

    def show(self, text: str, *, ends: bool = False) -> None:
        """Show a state; ``ends`` finishes the line."""
        now = time.monotonic()
        if not (self.live or ends or now - self.last >= self.every):
            return
        self.last = now
        self._write(text)
        if ends:
            self.close()

    def _write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a stream that is gone is no reason to stop working
            text, end = (f"\r{line}\x1b[K", "") if self.live else (line, "\n")
            print(text, end=end, file=self.stream, flush=True)
            self.open = self.live

    def say(self, line: str) -> None:
        """Write a line of its own, above the one that is rewritten."""
        self._write(line)
        self.close()

    def close(self) -> None:
        """End a line that is open."""
        if self.open:
            with contextlib.suppress(OSError, ValueError):
                print(file=self.stream, flush=True)
            self.open = False


class Bar(Line):
    """``bar(what, done, total)``: a line with a bar and the time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        super().__init__(stream)
        self.begin = self.stage_began = self.last
        self.stage = ""

    def __call__(self, what: str, done: int, total: int | None = None, *, note: str = "") -> None:
        """Show that ``done`` of ``total`` is done; ``note`` is shown beside the numbers."""
        now = time.monotonic()
        if what != self.stage:
            self.stage, self.stage_began = what, now
        ends = total is not None and done >= total
        pause = _LIVE if self.live else self.every
        if now - self.begin < _PATIENCE or (now - self.last < pause and not (ends and self.open)):
            return
        self.last = now
        self._write(self._line(what, done, total, note=note, seconds=now - self.stage_began))

    def _line(self, what: str, done: int, total: int | None, *, note: str, seconds: float) -> str:
        if not total:
            return f"{what}: {done:,}" + (f"  {note}" if note else "")
        share = min(done / total, 1.0)
        left = clock(seconds * (1 - share) / share) if share > 0.01 and seconds >= 1 else ""
        parts = [f"{what}:", f"{done:,} of {total:,}", note, f"left {left}" if left and share < 1 else ""]
        if self.live:
            full, empty = "█░" if "utf" in (getattr(self.stream, "encoding", "") or "").lower() else "#."
            filled = round(share * _WIDTH)
            parts.insert(1, f"{full * filled}{empty * (_WIDTH - filled)} {share:4.0%}")
        return "  ".join(filter(None, parts))


def clock(seconds: float) -> str:
    """Return a time as ``0:09``, ``12:30`` or ``3:05:00``."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


@contextlib.contextmanager
def shown(given: Any = None) -> Iterator[Any]:
    """Yield the caller's own callback; without one a bar, or nothing where progress is not wanted."""
    if given is not None:
        yield given
        return
    if not wanted():
        yield lambda *_, **__: None
        return
    bar = Bar()
    try:
        yield bar
    finally:
        bar.close()
