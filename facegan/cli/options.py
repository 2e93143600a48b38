"""Checks that the exploring commands share."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan import __version__
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.generator import Generator


def check_truncation(truncation: float) -> None:
    if not (math.isfinite(truncation) and 0 <= truncation <= 10):
        raise InputError(f"--truncation must be from 0 (the average face) to 10, not {truncation:g}")


def check_scale(scale: int) -> None:
    if not 0 <= scale <= 64:
        raise InputError(f"--scale must be from 0 (as fits) to 64, not {scale}")


def check_ending(option: str, name: str, endings: Sequence[str]) -> None:
    if Path(name).suffix.lower() not in endings:
        raise InputError(f"{option} {name}: the name must end in {' or '.join(endings)}")


def told(network: Generator, labels: str) -> Generator:
    """The model with what ``--labels`` says; a conditional one without them says what it takes."""
    if labels:
        return network.tell(labels)
    if network.labels:
        print(f"labels: {network.spelled()} (choose others with --labels, or random)", file=sys.stderr)
    return network


@contextlib.contextmanager
def writing(option: str, name: str) -> Iterator[None]:
    """Turns the system's refusals to write into one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{option} {name}: cannot be written ({error.strerror or error})") from None


def papers(model_hash: str, truncation: float, **more: str) -> dict[str, str]:
    """Text for a PNG: what made it."""
    return {
        **more,
        "truncation": f"{truncation:g}",
        "model": model_hash,
        "Software": f"facegan {__version__}",
    }


def with_preset(
    function: Callable[..., None], presets: Mapping[str, Mapping[str, Any]], argv: Sequence[str]
) -> Callable[..., None]:
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
    def with_defaults(*args: Any, **kwargs: Any) -> None:
        bound = with_defaults.__signature__.bind(*args, **kwargs)  # type: ignore[attr-defined]
        bound.apply_defaults()
        function(*bound.args, **bound.kwargs)

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
