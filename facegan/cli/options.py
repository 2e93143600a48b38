"""Checks that the exploring commands share."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.generator import Generator


def check_scale(scale: int) -> None:
    if not 0 <= scale <= 64:
        raise InputError(f"--scale must be from 0 (as fits) to 64, not {scale}")


def files_of(points: Iterable[str]) -> list[str]:
    """The files among points: ``FILE.npz:1-3`` is FILE.npz."""
    from facegan.vectors import split_numbers

    return [split_numbers(text)[0] for text in points if ".npz" in text.lower()]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equally many cells as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


@functools.lru_cache
def _new_in_this_session(what: str) -> bool:
    """Whether no command of this session of the terminal has come here; without a cache each is the first."""
    from facegan.caches import Cache

    folders = Cache("sessions").folders()
    if not folders or not hasattr(os, "getsid"):
        return True
    mark = folders[0] / f"{what}-{os.getsid(0)}"
    try:
        if time.time() - mark.stat().st_mtime < 12 * 3600:  # numbers of sessions come again
            return False
    except OSError:
        pass
    with contextlib.suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return True


def licence(name: str, text: str) -> None:
    """Tell a bundled model's licence in one short sentence, once in a session of the terminal."""
    if _new_in_this_session(f"licence-{name}"):
        print(f"{name}: {text.partition(',')[0]} ('facegan show {name}')", file=sys.stderr)


def apply_labels(network: Generator, labels: str, by_seed: bool = True, *, in_w: bool = False) -> Generator:
    """The model with what ``--labels`` says; a conditional one without them says what it takes.

    Where pictures are not those of seeds (``by_seed`` False), ``random`` has nothing to draw by: InputError.
    Vectors ``in_w`` hold labels already. A bundled one tells its licence, once in a terminal session.
    """
    if network.bundled:
        licence(network.bundled, str(network.meta.get("licence", "licence unknown")))
    if in_w and network.labels:
        if labels:
            raise InputError(f"--labels {labels}: vectors of w hold their labels already; leave it out")
        return network
    if labels:
        other = network.tell(labels)
        if other.varied is not None and not by_seed:
            raise InputError(
                f"--labels {labels}: only seeds have labels of their own; name them, as in "
                f"--labels {network.spelled()}"
            )
        return other
    if network.labels:
        more = ", or random" * by_seed
        print(f"labels: {network.spelled()} (choose others with --labels{more})", file=sys.stderr)
    return network


def check_drawn(network: Generator, truncation: float) -> None:
    """InputError where a path between seeds with labels of their own, and an average each, is truncated."""
    if network.varied is not None and truncation != 1:
        raise InputError(
            f"--truncation {truncation:g}: goes with one row of labels, not with --labels random"
        )


def result_metadata(model_hash: str, truncation: float, **more: str) -> dict[str, str]:
    """Return the text of a PNG that says what made it."""
    from facegan.figures import origin

    return origin(model_hash, truncation, **more)


def with_preset(
    function: Callable[..., Any], presets: Mapping[str, Mapping[str, Any]], argv: Sequence[str]
) -> Callable[..., Any]:
    """``function`` with the defaults that ``--preset NAME`` in ``argv`` stands for; other flags still win."""
    name = next((b for a, b in itertools.pairwise(argv) if a == "--preset"), "")
    name = next((a.partition("=")[2] for a in argv if a.startswith("--preset=")), name)
    if not name:
        return function
    if name not in presets:
        raise InputError(f"--preset {name}: there is no such preset (there are: {', '.join(presets)})")
    chosen = presets[name]
    signature = inspect.signature(function)
    parameters = [
        p.replace(default=chosen[key]) if key in chosen else p for key, p in signature.parameters.items()
    ]

    @functools.wraps(function)
    def with_defaults(*args: Any, **kwargs: Any) -> Any:
        bound = with_defaults.__signature__.bind(*args, **kwargs)  # type: ignore[attr-defined]
        bound.apply_defaults()
        return function(*bound.args, **bound.kwargs)

    with_defaults.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return with_defaults


class Live:
    """One line on a terminal, rewritten; elsewhere at most a line every ``every`` seconds, and the last."""

    def __init__(self, quiet: bool = False, every: float = 15.0) -> None:
        self.quiet, self.live, self.every = quiet, sys.stderr.isatty(), every
        self.last, self.open = time.monotonic(), False

    def __call__(self, text: str, ends: bool = False) -> None:
        if self.quiet:
            return
        if self.live:
            print(f"\r{text}\x1b[K", end="\n" if ends else "", file=sys.stderr, flush=True)
            self.open = not ends
        elif ends or time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """End an open line, so that what follows begins a new one."""
        if self.open:
            print(file=sys.stderr, flush=True)
            self.open = False
