"""Checks that the exploring commands share."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    """The model with what ``--labels`` says; a conditional one without them says what it takes.

    A bundled one tells its licence.
    """
    if network.bundled:
        print(f"{network.bundled}: {network.meta.get('licence', 'licence unknown')}", file=sys.stderr)
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
