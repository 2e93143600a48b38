"""Settings are fields of frozen dataclasses; each field says itself what it belongs to and what it may be.

    batch: int = setting(64, group="schedule", minimum=1)
    \"\"\"Real images in one update of the discriminator.\"\"\"

Checks, flags and help read the fields, so that no other place has to list the names of settings.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, NamedTuple

from facegan.errors import ConfigError, FaceganError


@dataclass(frozen=True)
class Setting:
    """What a field says beside its type, its default and the docstring below it."""

    group: str = ""
    """What it is about; settings of a nested dataclass are grouped by the name of the field that holds it."""
    minimum: float | None = None
    """The least value; -inf where any number will do."""
    above: float | None = None
    """Instead of ``minimum``: values must be greater than this."""
    maximum: float = math.inf
    """The greatest value."""
    below: float | None = None
    """Instead of ``maximum``: values must be less than this."""
    also: tuple[float, ...] = ()
    """Numbers outside of the bounds that are allowed, too, such as -1 for "automatic"."""
    choices: Collection[str] | None = None
    """The words that it may be. This is the table itself, so that rows added later count."""
    default: Any = None
    """Its default; where that is "", it may always be empty."""
    resumable: bool = False
    """Whether it may change while a run goes on."""
    common: bool = False
    """Whether people change it before most others: the short help explains it."""
    scales: bool = False
    """Whether it is part of a schedule that becomes shorter with the run."""
    quiet: bool = False
    """Whether its default changes nothing, so that it is shown only where it has another value."""
    inline: bool = False
    """Of a nested dataclass: whether its settings go without its name."""

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, to follow the name of its flag; "" if nothing is."""
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, str):
                if self.choices is not None and one not in self.choices and (one or self.default != ""):
                    return f"'{one}' is unknown (known: {', '.join(self.choices)})"
            elif isinstance(one, (int, float)) and not isinstance(one, bool):
                if not math.isfinite(one):
                    return f"must be a finite number, not {one}"
                if not self.holds(one):
                    return f"must be {self.range()}, not {one}"
        return ""

    def holds(self, number: float) -> bool:
        """Return whether a number lies within the bounds."""
        least = -math.inf if self.minimum is None else self.minimum
        low = number >= least if self.above is None else number > self.above
        return number in self.also or (
            low and (number <= self.maximum if self.below is None else number < self.below)
        )

    def range(self) -> str:
        """Return the bounds in words."""
        if self.also:
            bounds = replace(self, also=()).range().removeprefix("from ")
            return f"{', '.join(f'{number:g}' for number in self.also)} or {bounds}"
        top = f"below {self.below:,g}" if self.below is not None else f"{self.maximum:,.15g}"
        if self.above is not None:
            return f"above {self.above:g}" + ("" if top == "inf" else f", up to {top}")
        if top == "inf":
            return "0 or more" if not self.minimum else f"at least {self.minimum:g}"
        return f"from {self.minimum or 0:g} to {top}"


def setting(default: Any, **rules: Any) -> Any:
    """Return a dataclass field with this default that says what the :class:`Setting` of ``rules`` says."""
    return field(default=default, metadata={"setting": Setting(default=default, **rules)})


@functools.lru_cache(maxsize=1024)
def setting_of(cls: type, name: str) -> Setting:
    """Return what the field ``name`` says; a class that only gives it another default inherits it."""
    for base in cls.__mro__:
        own = vars(base).get("__dataclass_fields__", {}).get(name)
        if own is not None and "setting" in own.metadata:
            found: Setting = own.metadata["setting"]
            return found
    return Setting()


class Item(NamedTuple):
    """A setting of some configuration; ``name`` is dotted, ``key`` the name of the field in ``owner``."""

    name: str
    value: Any
    rules: Setting
    owner: Any

    @property
    def key(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def group(self) -> str:
        return self.name.rpartition(".")[0] or self.rules.group


def walk(config: Any, prefix: str = "") -> Iterator[Item]:
    """Yield every setting, those of nested dataclasses included."""
    kind: Any = type(config)
    for f in fields(config):
        value, rules = getattr(config, f.name), setting_of(kind, f.name)
        if is_dataclass(value):
            yield from walk(value, prefix if rules.inline else f"{prefix}{f.name}.")
        else:
            yield Item(f"{prefix}{f.name}", value, rules, kind)


def values_of(config: Any) -> dict[str, Any]:
    """Return the value of every setting by its dotted name."""
    return {item.name: item.value for item in walk(config)}


def flag(name: str) -> str:
    """Return a setting's flag: ``generator.lr_decay`` to ``--generator.lr-decay``."""
    return f"--{name.replace('_', '-')}"


def no_flag(name: str) -> str:
    """Return the flag that says no: ``generator.unit_range`` to ``--generator.no-unit-range``."""
    group, dot, last = name.rpartition(".")
    return flag(f"{group}{dot}no_{last}")


def check_values(config: Any, prefix: str = "", error: type[FaceganError] = ConfigError) -> None:
    """Raise an error for the first setting whose value its field does not allow."""
    for item in walk(config, prefix):
        if problem := item.rules.problem(item.value):
            raise error(f"{flag(item.name)} {problem}")


@functools.lru_cache(maxsize=64)
def help_of(cls: type) -> dict[str, str]:
    """Return the docstring below each field, inherited ones included, as one line."""
    found: dict[str, str] = {}
    for base in reversed([b for b in cls.__mro__ if is_dataclass(b)]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(tree, ast.ClassDef)
        for node, after in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr):
                found[ast.unparse(node.target)] = " ".join(ast.literal_eval(after.value).split())
    return found
