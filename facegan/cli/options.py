"""Checks that the exploring commands share."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan import __version__
from facegan.errors import InputError
from facegan.files import photo_path

if TYPE_CHECKING:
    from facegan.generator import Generator
    from facegan.pixels import Classifier


def check_truncation(truncation: float, network: Generator) -> Generator:
    """``network`` itself, where it can be truncated so."""
    if not (math.isfinite(truncation) and 0 <= truncation <= 10):
        raise InputError(f"--truncation must be from 0 (the average face) to 10, not {truncation:g}")
    if truncation not in (0, 1) and not network.truncates:
        raise InputError(
            f"--truncation {truncation:g} changes nothing: this model sees a vector's direction, not its "
            "length. Leave it out; more typical faces come from words, such as 'facegan arithmetic "
            '"smiling woman"\''
        )
    return network


def check_scale(scale: int) -> None:
    if not 0 <= scale <= 64:
        raise InputError(f"--scale must be from 0 (as fits) to 64, not {scale}")


def check_ending(option: str, name: str, endings: Sequence[str]) -> None:
    if Path(name).suffix.lower() not in endings:
        raise InputError(f"{option} {name}: the name must end in {' or '.join(endings)}")


def check_places(
    written: Mapping[str, str | Path | list[str | Path]], read: Iterable[str | Path] = ()
) -> None:
    """InputError where a result would take the place of a file that is read, or of another result.

    ``written`` has one file or several for each option; "" is none, in ``read`` as well. Of a folder that is
    read, all that lies below counts.
    """
    sources = [photo_path(name) for name in read if str(name)]
    taken: set[str] = set()
    for option, names in written.items():
        for name in filter(str, names if isinstance(names, list) else [names]):
            place = Path(name)
            if place.exists() and any(_holds(source, place) for source in sources):
                raise InputError(f"{option} {name}: it would replace what is read there; choose another name")
            if (key := str(place.resolve()).casefold()) in taken:  # some disks know no capitals
                raise InputError(f"{option} {name}: another result goes there, too; choose another name")
            taken.add(key)


def _holds(source: Path, place: Path) -> bool:
    """Whether ``place``, which exists, is ``source`` or lies below it."""
    if not source.exists():
        return False
    return source.samefile(place) or (source.is_dir() and source.resolve() in place.resolve().parents)


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


def told(network: Generator, labels: str, by_seed: bool = True, in_w: bool = False) -> Generator:
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
            raise InputError(f"--labels {labels}: only seeds have labels of their own; name them, as in "
                             f"--labels {network.spelled()}")  # fmt: skip
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


def numbers(option: str, text: str) -> tuple[float, ...]:
    """``0.5``, ``4/255``, ``0.485,0.456,0.406``: finite numbers, separated by commas."""
    found = []
    for part in text.split(","):
        above, slash, below = part.partition("/")
        try:
            value = float(above) / (float(below) if slash else 1.0)
        except (ValueError, ZeroDivisionError):
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{option} {text}: not a number such as 0.02 or 4/255")
        found.append(value)
    return tuple(found)


def number(option: str, text: str) -> float | None:
    """One of them; None for an empty text."""
    if not text:
        return None
    found = numbers(option, text)
    if len(found) != 1:
        raise InputError(f"{option} takes one number, not {text}")
    return found[0]


def chosen_classifier(
    model: str, labels: str, weights: str, input_size: int, mean: str, std: str, crop: bool, device: str
) -> Classifier:
    """What the options that all commands on pixels share ask for."""
    from facegan.pixels import load_classifier

    if input_size < 0:
        raise InputError(f"--input-size must be 0 (the network's) or more, not {input_size}")
    return load_classifier(
        model, labels=labels, weights=weights, input_size=input_size, crop=crop, device=device,
        mean=numbers("--mean", mean) if mean else None, std=numbers("--std", std) if std else None,
    )  # fmt: skip
