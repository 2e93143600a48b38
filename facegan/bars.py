"""Progress from Python: a bar on a terminal and in a notebook, a line now and then in scripts, or nothing.

Long functions take a callback; without one they show a bar here. The commands have lines of their own.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

VARIABLE = "FACEGAN_PROGRESS"
EVERY = 15.0  # seconds between lines where nothing can be rewritten
_LIVE = 0.1  # seconds between two states of a bar
_PATIENCE = 0.5  # seconds before a bar appears: what is done by then needs none
_WIDTH = 24

Told = Callable[[str, int, "int | None"], None]
_wanted: bool | None = None


def set_progress(on: bool = True) -> None:
    """Show the progress of long functions, or be silent, as ``FACEGAN_PROGRESS=0`` in the environment is."""
    global _wanted
    _wanted = bool(on)


def wanted() -> bool:
    """Whether progress is to be shown."""
    if _wanted is not None:
        return _wanted
    return os.environ.get(VARIABLE, "1").strip().lower() not in ("0", "no", "off", "false")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """No bars within: for those who show progress in another way."""
    global _wanted
    before, _wanted = _wanted, False
    try:
        yield
    finally:
        _wanted = before


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel, which rewrites lines as a terminal does."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Bar:
    """``bar(what, done, total)``: one line that is rewritten, or a line every ``EVERY`` seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = in_notebook() or bool(getattr(self.stream, "isatty", lambda: False)())
        self.begin = self.last = time.monotonic()
        self.stage, self.stage_began, self.open = "", self.begin, False

    def __call__(self, what: str, done: int, total: int | None = None, *, note: str = "") -> None:
        now = time.monotonic()
        if what != self.stage:
            self.stage, self.stage_began = what, now
        ends = total is not None and done >= total
        pause = _LIVE if self.live else EVERY
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
            parts.insert(1, f"{self._drawn(share)} {share:4.0%}")
        return "  ".join(filter(None, parts))

    def _drawn(self, share: float) -> str:
        full, empty = "█░" if "utf" in (getattr(self.stream, "encoding", "") or "").lower() else "#."
        filled = round(share * _WIDTH)
        return full * filled + empty * (_WIDTH - filled)

    def _write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a stream that is gone is no reason to stop working
            print(
                f"\r{line}\x1b[K" if self.live else line,
                end="" if self.live else "\n",
                file=self.stream,
                flush=True,
            )
            self.open = self.live

    def say(self, line: str) -> None:
        """A line of its own, above the bar."""
        self._write(line)
        self.close()

    def close(self) -> None:
        """End a line that is open."""
        if self.open:
            with contextlib.suppress(OSError, ValueError):
                print(file=self.stream, flush=True)
            self.open = False


def clock(seconds: float) -> str:
    """``0:09``, ``12:30`` or ``3:05:00``."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


@contextlib.contextmanager
def shown(given: Any = None) -> Iterator[Any]:
    """The caller's own callback; without one a bar, or what does nothing where progress is not wanted."""
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
