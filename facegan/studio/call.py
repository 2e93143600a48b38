"""What a job does: one call of one public function, which can be shown as a command line and as Python."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from facegan.errors import InputError
from facegan.settings import flag as flag_of
from facegan.settings import no_flag
from facegan.studio.project import Project

_CHANNELS = r"\d[\d,-]*(=[\d.-]+)?$"  # of a layer: stem:3,7=0.5
_PLACE = re.compile(
    rf"[/\\]|^\s*~|^\s*(?!seed:|sample:)\w+:(?!{_CHANNELS})|\.(npz|npy|safetensors|pt|pth|pkl|onnx)\b"
)
_FRACTION = re.compile(r"\b\d+/\d+\b")


@dataclass(frozen=True)
class Ref:
    """An item of the project, or an upload, by its id; commands name it by its path within the project."""

    kind: str
    """``datasets``, ``runs``, ``models``, ``results`` or ``uploads``."""
    id: str
    """The id in the listing of that kind."""
    name: str
    """How the command line names it."""


@dataclass(frozen=True)
class Place:
    """A file that the job makes: ``results/JOB.png``.

    ``part`` tells several files of a job apart: ``results/JOB.part.png``.
    """

    suffix: str
    part: str = ""

    def name(self, job: str) -> str:
        """Return the name of the file within ``results/``."""
        return f"{job}{f'.{self.part}' if self.part else ''}{self.suffix}"


@dataclass(frozen=True)
class New:
    """A new dataset, run or model: ``runs/NAME``. ``Project.check_new`` has checked the name."""

    kind: str
    """``datasets``, ``runs`` or ``models``."""
    name: str

    @property
    def path(self) -> str:
        """Return the path within the project."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Own:
    """Another place within the project that the server names itself, such as that of dropped photos."""

    name: str
    """Its path relative to the project's folder; never one that a request brings."""


@dataclass(frozen=True)
class Call:
    """One call of a public function of facegan."""

    function: str
    """Its name in the public API, such as ``invert``."""
    arguments: Mapping[str, Any]
    """Values of JSON, :class:`Ref`, :class:`Place`, :class:`New`, :class:`Own`, and lists; in their order."""
    positional: tuple[str, ...] = ()
    """Those that come without their names, in this order; lists among them become several words."""
    subcommand: str = ""
    """The command, where it is not called as the function."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Argument -> flag, where the flag is not called as the argument; "" has none."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings by their dotted names, such as ``generator.lr``, which follow the arguments."""
    prose: tuple[str, ...] = ()
    """Arguments that are text for people, such as a title, which nothing reads as a path or an address."""

    def __post_init__(self) -> None:
        """Refuse texts of requests that a function could take for a path or an address."""
        for name, value in {**self.arguments, **self.settings}.items():
            if name not in self.prose:
                _check_no_place(name, value)

    def argv(self, job: str = "") -> list[str]:
        """Return the words that follow ``facegan`` on a command line; ``job`` names the files made."""
        words = [self.subcommand or self.function.replace("_", "-")]
        for name in self.positional:
            words += _words(self.arguments[name], job or words[0])
        for name, value in self.arguments.items():
            flag = self.flags.get(name, name.replace("_", "-"))
            if name in self.positional or value is None or not flag:
                continue
            if isinstance(value, bool):
                words.append(f"--{'' if value else 'no-'}{flag}")
            elif value != "":
                words += [f"--{flag}", *_words(value, job or words[0])]
        for name, value in self.settings.items():
            if isinstance(value, bool):
                words.append(flag_of(name) if value else no_flag(name))
            elif value is not None:
                words += [flag_of(name), *_words(value, job)]
        return words

    def command(self, job: str = "") -> str:
        """Return the command line that does the same in the project's folder."""
        return shlex.join(["facegan", *self.argv(job)])

    def python(self, job: str = "") -> str:
        """Return the Python that does the same in the project's folder."""
        default = self.subcommand or self.function
        given = [_source(self.arguments[name], job or default) for name in self.positional]
        given += [
            f"{name}={_source(value, job or default)}"
            for name, value in self.arguments.items()
            if name not in self.positional and value is not None and value != ""
        ]
        dotted = {name: value for name, value in self.settings.items() if "." in name}
        given += [f"{name}={_source(v, job)}" for name, v in self.settings.items() if name not in dotted]
        given += [f"**{dotted!r}"] if dotted else []
        call = f"facegan.{self.function}({', '.join(given)})"
        if len(call) > 100:
            call = f"facegan.{self.function}(\n" + "".join(f"    {one},\n" for one in given) + ")"
        return f"import facegan\n\n{call}\n"

    def makes(self) -> set[str]:
        """Return the paths of the new items, which no two jobs may make at once."""
        return {value.path for value in self.arguments.values() if isinstance(value, New)}

    def to_dict(self) -> dict[str, Any]:
        """Return the call for JSON."""
        return {
            "function": self.function,
            "arguments": {name: _stored(value) for name, value in self.arguments.items()},
            "positional": list(self.positional),
            "subcommand": self.subcommand,
            "flags": dict(self.flags),
            "settings": dict(self.settings),
            "prose": list(self.prose),
        }

    @classmethod
    def from_dict(cls, about: Mapping[str, Any]) -> Call:
        """Return the call of :meth:`to_dict`."""
        return cls(
            function=about["function"],
            arguments={name: _restored(value) for name, value in about["arguments"].items()},
            positional=tuple(about["positional"]),
            subcommand=about["subcommand"],
            flags=dict(about["flags"]),
            settings=dict(about.get("settings", {})),
            prose=tuple(about["prose"]),
        )


# --- requests ----------------------------------------------------------------------------------------


def ref(settings: Mapping[str, Any], name: str, project: Project, *, kind: str) -> Ref:
    """Return the item that a setting names by its id; an error names the setting."""
    if not settings.get(name):
        raise InputError(f"{name}: choose one of the project's {kind}")
    item = project.find(kind, settings[name])
    return Ref(kind, item.id, item.name)


def file_ref(settings: Mapping[str, Any], name: str, project: Project) -> Ref:
    """Return the file with the role ``name`` of the result that a setting names by its id."""
    item = project.find("results", settings.get(name))
    if (found := project.file_as(item, name)) is None:
        raise InputError(f"{name}: the result {item.id} has no {name}; choose another one")
    return Ref("results", f"{item.id}/{found[0]}", project.relative(found[1]))


def new(settings: Mapping[str, Any], name: str, project: Project, *, kind: str) -> New:
    """Return the new dataset, run or model that a setting names; an error says why the name will not do."""
    return New(kind, project.check_new(kind, settings.get(name)))


def setting(
    settings: Mapping[str, Any],
    name: str,
    default: Any,
    *,
    least: float = 0,
    most: float = 1e9,
    choices: Iterable[str] = (),
) -> Any:
    """Return a setting of the type of its default: a number, text or truth value.

    Raises:
        InputError: It has another type, is too long, small or large, or is none of the ``choices``.
    """
    value = settings.get(name, default)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if type(value) is not type(default):
        raise InputError(f"{name} must be {kinds[type(default)]}")
    if isinstance(value, str) and (len(value) > 10_000 or re.search(r"[\0-\x08\x0a-\x1f]", value)):
        raise InputError(f"{name} must be a text of one line")
    if isinstance(value, (int, float)) and not least <= value <= most:
        raise InputError(f"{name} must be from {least:,.16g} to {most:,.16g}")
    if choices and value not in choices:
        raise InputError(f"{name}: choose one of {', '.join(choices)}")
    return value


def optional(settings: Mapping[str, Any], name: str, default: Any, **limits: Any) -> Any:
    """Return a setting as :func:`setting` does, or None if it is the default, which calls leave out."""
    value = setting(settings, name, default, **limits)
    return None if value == default else value


def only(settings: Mapping[str, Any], *names: str) -> None:
    """Raise InputError if a request brings other settings than these."""
    for name in settings:
        if name not in names:
            raise InputError(f"there is no setting '{name[:40]}'; there are: {', '.join(names)}")


def _check_no_place(name: str, value: Any) -> None:
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, str) and _PLACE.search(_FRACTION.sub("", one)):
            raise InputError(f"{name}: paths and addresses are not taken here; choose what the project lists")


# --- words -------------------------------------------------------------------------------------------


def _text(value: Any, job: str) -> str:
    if isinstance(value, (Ref, Own)):
        return value.name
    if isinstance(value, Place):
        return f"results/{value.name(job)}"
    if isinstance(value, New):
        return value.path
    if isinstance(value, float):
        return text if float(text := f"{value:g}") == value else repr(value)
    return str(value)


def _words(value: Any, job: str) -> list[str]:
    return [_text(one, job) for one in value] if isinstance(value, (list, tuple)) else [_text(value, job)]


def _source(value: Any, job: str) -> str:
    if isinstance(value, (Ref, Place, New, Own)):
        return repr(_text(value, job))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_source(one, job) for one in value)}]"
    return repr(value)


def _stored(value: Any) -> Any:
    if isinstance(value, Ref):
        return {"$ref": [value.kind, value.id, value.name]}
    if isinstance(value, Place):
        return {"$place": [value.suffix, value.part]}
    if isinstance(value, New):
        return {"$new": [value.kind, value.name]}
    if isinstance(value, Own):
        return {"$own": value.name}
    return [_stored(one) for one in value] if isinstance(value, (list, tuple)) else value


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "$ref" in value:
        return Ref(*value["$ref"])
    if isinstance(value, dict) and "$place" in value:
        return Place(*value["$place"])
    if isinstance(value, dict) and "$new" in value:
        return New(*value["$new"])
    if isinstance(value, dict) and "$own" in value:
        return Own(value["$own"])
    return [_restored(one) for one in value] if isinstance(value, list) else value
