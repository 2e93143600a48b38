"""What several commands share: notes, tables, licences, presets."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import tyro

from facegan.arguments import field_types
from facegan.errors import InputError, printable
from facegan.settings import help_of

FLAT = tyro.conf.arg(name="")
"""The fields of a dataclass as flags without a prefix."""


def notify(line: str) -> None:
    """Print a line beside the results, on standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import json

    print(json.dumps(value, indent=1))


def print_table(rows: Sequence[Mapping[str, Any]], hidden: Sequence[str] = ()) -> None:
    """Print rows of the same names, each column as wide as its widest cell."""
    columns = [name for name in rows[0] if name not in hidden]
    cells = [columns, *([_spell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _spell(value: int | float | str) -> str:
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)
    )


@functools.lru_cache
def _new_in_this_session(what: str) -> bool:
    """Return whether this is the first call in a session of the terminal; without a cache each one is."""
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


def tell_licence(model: str) -> None:
    """Print a bundled model's licence in one short sentence, once in a session of the terminal."""
    from facegan.models import meaning

    found = meaning(model)
    if found.kind == "bundled" and _new_in_this_session(f"licence-{model}"):
        from facegan.model_header import read_header

        text = str(read_header(found.path).get("licence", "licence unknown"))
        notify(f"{model}: {text.partition(',')[0]} ('facegan show {model}')")


def with_preset(
    function: Callable[..., Any], presets: Mapping[str, Mapping[str, Any]], argv: Sequence[str]
) -> Callable[..., Any]:
    """Return ``function`` with the defaults of ``--preset NAME`` in ``argv``; other flags still win."""
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


def optional(cls: type, *hidden: str) -> type:
    """Return a dataclass of settings as flags that need not be given: None leaves what a preset has."""
    hints, helps = field_types(cls), help_of(cls)
    members = [
        (name, Annotated[hint | None, tyro.conf.arg(help=helps[name])], None)
        for name, hint in hints.items()
        if name not in hidden
    ]
    return dataclasses.make_dataclass(cls.__name__, members, frozen=True)
