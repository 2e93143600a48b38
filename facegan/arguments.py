"""What callers hand to public functions, checked: numbers, seeds, vectors, names.

Each function takes what people have (numbers of Python and NumPy, lists, tuples, ranges, arrays, tensors)
and gives one kind; InputError says in one line what was given and what is needed.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import math
import numbers
import os
import re
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from facegan.errors import FaceganError, InputError

if TYPE_CHECKING:
    import numpy as np
    import torch

Seeds = Union[Sequence[int], "np.ndarray", "torch.Tensor", range]
LAST_SEED = 2**63 - 1
MAX_SEEDS = 10_000_000


def shown(value: Any) -> str:
    """Return ``value`` in a few words: a number or a short text, or the kind and shape of anything large."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if _has_shape(value):
        if not len(value.shape):
            return str(value.item())
        kind = str(value.dtype).removeprefix("torch.")
        name = "array" if type(value).__name__ == "ndarray" else type(value).__name__
        return f"{_article(name)} of shape {tuple(value.shape)} and type {kind}"
    if isinstance(value, numbers.Number):
        return str(value)
    if isinstance(value, os.PathLike):
        return f"the path '{value}'"
    if isinstance(value, (list, tuple, range)):
        return f"{_article(type(value).__name__)} of {len(value)}"
    return _article(type(value).__name__)


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _has_shape(value: Any) -> bool:
    """Return whether it is an array or a tensor of any library."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "item")


def _plain(value: Any) -> Any:
    """Return a number of any library, also in an array without dimensions, as Python's; others unchanged."""
    if _has_shape(value) and not len(value.shape):
        return value.item()
    return value


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether it is one number, of Python, NumPy or torch; True and False are none."""
    value = _plain(value)
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def whole(value: Any, what: str, least: int = 0, *, most: int = LAST_SEED) -> int:
    """Return a whole number from ``least`` to ``most``; 3.0 is one, 1.5, True and "3" are none."""
    plain = _plain(value)
    if not is_number(plain) or not math.isfinite(plain) or int(plain) != plain:
        raise InputError(f"{what} must be a whole number, not {shown(value)}")
    if not least <= plain <= most:
        upto = "2^63 - 1" if most == LAST_SEED else f"{most:,}" if most >= 10_000 else str(most)
        raise InputError(f"{what} must be from {least} to {upto}, not {int(plain)}")
    return int(plain)


def real(value: Any, what: str, least: float = -math.inf, *, most: float = math.inf) -> float:
    """Return a finite number from ``least`` to ``most``."""
    plain = _plain(value)
    if not is_number(plain):
        raise InputError(f"{what} must be a number, not {shown(value)}")
    if not math.isfinite(plain):
        raise InputError(f"{what} must be a finite number, not {float(plain)}")
    if not least <= plain <= most:
        bound = f"at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise InputError(f"{what} must be {bound}, not {float(plain):g}")
    return float(plain)


def switch(value: Any, what: str) -> bool:
    """Return True or False, also NumPy's, and 1 or 0."""
    plain = _plain(value)
    if isinstance(plain, (bool, int)) and plain in (0, 1):
        return bool(plain)
    raise InputError(f"{what} must be True or False, not {shown(value)}")


def one_of(value: Any, what: str, known: Iterable[str]) -> str:
    """Return one of some words."""
    known = list(known)
    if not isinstance(value, str) or value not in known:
        there = ", ".join(filter(None, known))
        raise InputError(f"{what} must be one of {there}, not {shown(value)}")
    return value


def text(value: Any, what: str, such_as: str = "") -> str:
    """Return a text, which may be empty."""
    if not isinstance(value, str):
        raise InputError(
            f"{what} must be a text{f' such as {such_as}' if such_as else ''}, not {shown(value)}"
        )
    return value


def setting(value: Any, hint: Any, what: str) -> Any:
    """Return ``value`` as a field of the type ``hint`` holds it: numbers as Python's, lists as tuples.

    InputError where it is of another kind; what has no simple type comes back as it is.
    """
    if hint is bool:
        return switch(value, what)
    if hint is int:
        return whole(value, what, -LAST_SEED)
    if hint is float:
        if not is_number(_plain(value)):
            raise InputError(f"{what} must be a number, not {shown(value)}")
        return value if isinstance(value, (int, float)) else float(_plain(value))
    if hint is str:
        return str(value) if isinstance(value, os.PathLike) else text(value, what)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        if isinstance(value, str) and inner[0] is str:
            return (value,)
        if isinstance(value, str) or not _iterable(value):
            raise InputError(f"{what} must be a list, not {shown(value)}")
        return tuple(setting(part, inner[0], what) for part in value)
    if type(None) in inner:
        return None if value is None else setting(value, next(k for k in inner if k is not type(None)), what)
    return value


def settings(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for fields of the dataclass ``cls``, by name, as :func:`setting` makes them.

    InputError names an unknown one, and the nearest that there is.
    """
    hints = field_types(cls)
    for name in values:
        if name not in hints:
            import difflib

            near = difflib.get_close_matches(name, hints, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(hints)}"
            raise InputError(f"there is no setting '{name}'; {hint}")
    return {
        name: setting(value, hints[name], f"--{name.replace('_', '-')}") for name, value in values.items()
    }


@functools.lru_cache(maxsize=64)
def field_types(cls: type) -> dict[str, Any]:
    """Return the type of each field of a dataclass."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the finite numbers of a text, separated by commas: ``0.5``, ``4/255``, ``0.485,0.456,0.406``."""
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


def parse_number(option: str, value: float | str) -> float:
    """Return a number, which may be a text such as ``4/255``."""
    found = parse_numbers(option, value) if isinstance(value, str) else (float(_plain(value)),)
    if len(found) != 1:
        raise InputError(f"{option} takes one number, not {value}")
    return found[0]


def place(value: Any, what: str) -> Path:
    """Return a path, from a text or a Path; "" and others are none."""
    if isinstance(value, os.PathLike) or (isinstance(value, str) and value.strip()):
        found = os.fspath(value)
        if isinstance(found, str):
            return Path(found)
    raise InputError(f"{what} must be a path, not {shown(value)}")


def seeds(given: Any, what: str = "seeds") -> list[int]:
    """Return whole numbers from 0 on: of a list, tuple, range, 1-D array or tensor, or a single one."""
    if is_number(given):
        return [whole(given, _single(what))]
    if isinstance(given, range):
        ends = [given[0], given[-1]] if given else []
        for end in ends:
            whole(end, _single(what))
        _few(len(given), what)
        return list(given)
    if isinstance(given, (str, bytes, bool, dict)) or given is None or not _iterable(given):
        raise InputError(f"{what} must be whole numbers, such as [7, 12] or range(25), not {shown(given)}")
    if _has_shape(given):
        if len(given.shape) != 1:
            raise InputError(f"{what} must be a list of whole numbers (1-D), not {shown(given)}")
        given = given.tolist()
    found = [whole(seed, _single(what)) for seed in given]
    _few(len(found), what)
    return found


def _single(what: str) -> str:
    return what.removesuffix("s")


def _few(count: int, what: str) -> None:
    if count > MAX_SEEDS:
        raise InputError(f"{what}: {count:,} at once; at most {MAX_SEEDS:,}")


def _iterable(value: Any) -> bool:
    try:
        iter(value)
    except TypeError:
        return False
    return True


def are_seeds(given: Any) -> bool:
    """Return whether whole numbers are meant, not vectors: a range, numbers in one dimension, or nothing."""
    if isinstance(given, range) or is_number(given):
        return True
    if _has_shape(given):
        kind = str(given.dtype).removeprefix("torch.")
        return len(given.shape) == 1 and (kind.startswith(("int", "uint")) or not given.shape[0])
    return isinstance(given, Sequence) and all(isinstance(_plain(x), int) for x in given)


def counted_seeds(given: Any) -> list[int]:
    """Return seeds, of which one number N means 0..N-1."""
    if is_number(given):
        given = range(whole(given, "the number of pictures", 0, most=MAX_SEEDS))
    return seeds(given)


def array(given: Any, what: str, need: str) -> np.ndarray:
    """Return finite numbers as :func:`tensor` does, but as an array on the CPU, without PyTorch.

    What holds vectors as ``array`` (saved ones) may be given as well.
    """
    import numpy as np

    given = getattr(given, "array", given)
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    kept = isinstance(given, np.ndarray) and given.dtype.kind == "f"
    found: np.ndarray = given if kept else _array(given, what, need)
    if not np.isfinite(found).all():
        raise InputError(f"{what}: some values are not finite (NaN or infinite)")
    return found


def tensor(given: Any, what: str, need: str) -> torch.Tensor:
    """Return finite floating-point numbers from an array, a tensor, or (nested) lists of these.

    A tensor of floating-point numbers comes back as it is, on its device and with its gradient; all others
    become float32 on the CPU. ``need`` says in the message what is wanted.
    """
    import torch

    if isinstance(given, (list, tuple)) and given and _all_alike(given):
        given = torch.stack(list(given))
    if isinstance(given, torch.Tensor):
        found = given
        if found.dtype == torch.bool or found.is_complex():
            raise InputError(f"{what}: {need}, not {shown(given)}")
    else:
        found = torch.from_numpy(_array(given, what, need))
    found = found if found.is_floating_point() else found.float()
    if not _finite(found):
        raise InputError(f"{what}: some values are not finite (NaN or infinite)")
    return found


def _all_alike(parts: Sequence[Any]) -> bool:
    """Return whether all are tensors of one shape and type."""
    import torch

    return all(isinstance(part, torch.Tensor) for part in parts) and (
        len({(part.shape, part.dtype, part.device) for part in parts}) == 1
    )


def _array(given: Any, what: str, need: str) -> np.ndarray:
    """Return a new float32 array of what is given."""
    import numpy as np

    if isinstance(given, (str, bytes, dict, bool)) or given is None:
        raise InputError(f"{what}: {need}, not {shown(given)}")
    if isinstance(given, (list, tuple)):
        given = [_as_numpy(part) for part in given]
    try:
        found = np.asarray(given)
    except (ValueError, TypeError):
        raise InputError(f"{what}: {need}, not {shown(given)} of unequal lengths") from None
    if found.dtype.kind not in "fiu":
        raise InputError(f"{what}: {need}, not {shown(given)}")
    return found.astype(np.float32)


def _as_numpy(part: Any) -> Any:
    return part.detach().cpu().numpy() if hasattr(part, "detach") else part


def _finite(found: torch.Tensor) -> bool:
    """Return whether all values are finite, or cannot be looked at: within a search or a transform."""
    if found.requires_grad or found.device.type == "meta":
        return True
    try:
        return bool(found.isfinite().all())
    except RuntimeError:  # torch.func's wrapped tensors have no values yet
        return True


# --- flags as arguments ----------------------------------------------------------------------------------

_FLAG = re.compile(
    r"'(?:facegan|git|pip) [^']*'"  # commands stay as they are
    r"|(?<![\w-])--(?P<no>no-)?(?P<name>[a-z][a-z0-9-]*)"
    r"(?: (?P<value>(?:[+-]?\d[\w.,:+-]*\w|\d)(?!\w| to\b)|[\w./~+-]*\w(?=[:,;.)]|$)))?"
)
_CALLED = {"range": "value_range"}  # flags that are called otherwise than their arguments
_Function = TypeVar("_Function", bound=Callable[..., Any])


def as_arguments(message: str, names: Collection[str]) -> str:
    """Return a message about flags as callers of functions need it.

    ``--no-align`` becomes ``align=False``, ``--face 2`` becomes ``face=2``, and ``--size`` alone ``size``.
    Flags that are none of the arguments ``names`` stay.
    """

    def argument(match: re.Match[str]) -> str:
        flag = (match["name"] or "").replace("-", "_")
        name = _CALLED.get(flag, flag)
        if name not in names:
            return match[0]
        value = match["value"]
        if match["no"]:
            return f"{name}=False" + (f" {value}" if value else "")
        if value is None:
            return name
        return f"{name}={value}" if re.fullmatch(r"[+-]?\d+(\.\d+)?", value) else f"{name}='{value}'"

    return _FLAG.sub(argument, message)


def speaking_of_arguments(function: _Function, settings_of: str = "") -> _Function:
    """Return the function with messages that name its arguments instead of the command's flags.

    Commands call the function inside. ``settings_of`` (``MODULE:CLASS``, or several with commas) are the
    configurations whose fields it takes.
    """

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except FaceganError as error:
            if error.args and isinstance(error.args[0], str):
                names = set(inspect.signature(function).parameters)
                for one in filter(None, settings_of.split(",")):
                    module, _, name = one.partition(":")
                    names |= set(field_types(getattr(importlib.import_module(module), name)))
                error.args = (as_arguments(error.args[0], names), *error.args[1:])
            raise

    called.__module__ = "facegan"  # where pickle finds it again
    return called  # type: ignore[return-value]


def new_name(name: Any, what: str, taken: Container[str]) -> str:
    """Return ``name`` if it can name something new in a table; InputError otherwise."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise InputError(
            f"the name of a {what} has lower-case letters, digits and hyphens, not {shown(name)}"
        )
    if name in taken:
        raise InputError(f"there is a {what} '{name}' already; choose another name")
    return name
