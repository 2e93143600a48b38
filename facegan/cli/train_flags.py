"""Flags of ``facegan train`` and their help: the command's own, and the fields of the configuration."""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated, Any, get_args

import tyro

from facegan.arguments import field_types
from facegan.machine import MAX_THREADS
from facegan.recipes.config import GROUPS, TrainConfig, TrainSettings, unread_group
from facegan.recipes.table import recipe
from facegan.settings import Item, check_values, flag, help_of, no_flag, setting, walk

DEFAULT_RECIPE = "faces-dcgan-64"


@dataclass(frozen=True)
class Command:
    """The options that are no part of the configuration."""

    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")] = setting(
        dataclasses.MISSING, common=True
    )
    """A folder made by 'facegan prepare'."""
    to: str = setting("", common=True)
    """The second domain, a dataset like the first, for recipes such as cyclegan-64."""
    recipe: str = setting("", common=True)
    """Named settings (see 'facegan recipes'); by default, chosen for the dataset."""
    auto: bool = setting(False, common=True)
    """Choose recipe and settings for the dataset and device, and explain the choice."""
    out: str = setting("", common=True)
    """Run folder; by default runs/DATASET-RECIPE."""
    resume: bool = setting(False, common=True)
    """Fail without a checkpoint in the run folder (an existing one is always used)."""
    dry_run: bool = setting(False, common=True)
    """Show settings, layers, memory and time; write nothing."""
    device: str = setting("auto", common=True)
    """auto, cpu, cuda, cuda:1 or mps."""
    threads: int = setting(0, minimum=0, maximum=MAX_THREADS)
    """CPU threads; 0 is as many as the run began with, or else one for each free core."""
    repeats: int = setting(1, minimum=1)
    """Train with this many seeds into OUT/seed-N, and compare."""
    sweep: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="SETTING=VALUE,VALUE")
    ] = setting(())
    """Rank short trials with each value: gamma=1,2,5 (any setting; several make a product)."""
    sweep_kimg: float = setting(0.0, minimum=0)
    """Length of a trial; 0 is a twentieth of the run."""
    quiet: bool = setting(False)
    """Hide the live progress line."""
    tensorboard: bool = setting(True)
    """Write TensorBoard's files into RUN/tensorboard."""
    mark: bool = setting(True)
    """Write into each grid of samples that it is generated, and its model, seeds and command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""


def is_named(argv: list[str]) -> bool:
    """Return whether the command line names a recipe."""
    return any(word == "--recipe" or word.startswith("--recipe=") for word in argv)


def recipe_name(argv: list[str]) -> str:
    """Return the last recipe that is named: its values are the defaults of the other flags."""
    name = DEFAULT_RECIPE
    for word, following in zip_longest(argv, argv[1:], fillvalue=""):
        if word == "--recipe" and following:
            name = following
        if word.startswith("--recipe="):
            name = word.partition("=")[2]
    return name


def flags_of(config: TrainConfig) -> type:
    """Return a dataclass of the command's own options and, flattened, those of the configuration."""
    flat = tyro.conf.arg(name="")
    settings = TrainSettings(**{f.name: getattr(config, f.name) for f in dataclasses.fields(TrainSettings)})
    members: list[tuple[str, Any, Any]] = [
        ("own", Annotated[Command, flat], dataclasses.field()),
        ("settings", Annotated[TrainSettings, flat], dataclasses.field(default=settings)),
        ("model", Annotated[type(config.model), flat], dataclasses.field(default=config.model)),
    ]
    return dataclasses.make_dataclass("train", members, frozen=True)


def parse(argv: list[str]) -> tuple[Command, TrainConfig]:
    """Return the command's own options, and the configuration that the flags make of the recipe."""
    from facegan.cli.main import parse_flags

    config = recipe(recipe_name(argv))
    flags: Any = parse_flags(flags_of(config), argv, "facegan train")
    check_values(flags.own)
    return flags.own, dataclasses.replace(config, model=flags.model, **vars(flags.settings))


# --- help ----------------------------------------------------------------------------------------

INDENT = 28
TYPES = {int: "INT", float: "FLOAT", str: "STR"}


def help_text(argv: list[str], everything: bool = False) -> str:
    """Return the help: what people change first and the names of the other settings, or ``everything``."""
    config, width = recipe(recipe_name(argv)), max(60, min(shutil.get_terminal_size((100, 24)).columns, 100))
    whose = f"The defaults below are those of the recipe {config.recipe}."
    if not is_named(argv):
        whose = (
            "Without --recipe, dataset and device decide which recipe is taken. The defaults below are those "
            f"of {DEFAULT_RECIPE}; with --recipe NAME, help shows those of another."
        )
    lines = ["usage: facegan train DATASET [options]", ""]
    lines += [*textwrap.wrap(f"Train a generator. {whose}", width), ""]
    own = [item for item in walk(Command("")) if everything or item.rules.common]
    lines += [*_rows("Options", own, width), ""]
    groups: dict[str, list[Item]] = {name: [] for name in GROUPS}
    for item in walk(config):
        flagged = "." in item.name or item.name in field_types(TrainSettings)  # the others are no flags
        if flagged and item.group != unread_group(config):
            groups.setdefault(item.group, []).append(item)
    if everything:
        for name, items in groups.items():
            title = f"{name.capitalize()}: {GROUPS[name]}" if name in GROUPS else f"--{name}.*"
            lines += [*_rows(title, items, width), ""]
        return "\n".join(lines[:-1])
    common = [item for items in groups.values() for item in items if item.rules.common]
    lines += [*_rows("Settings that people change first", common, width), ""]
    lines.append("All settings, which 'facegan train --recipe NAME --help-all' explains")
    for name, items in groups.items():
        names = ", ".join(item.key.replace("_", "-") for item in items)
        lines += _columns(name if name in GROUPS else f"--{name}.*", names, width, indent=20)
    return "\n".join(lines)


def _rows(title: str, items: Iterable[Item], width: int) -> Iterator[str]:
    yield title
    for item in items:
        rules, hint = item.rules, field_types(item.owner)[item.key]
        text = help_of(item.owner).get(item.key, "")
        if rules.choices is not None and not all(word in text for word in rules.choices):
            text += f" One of: {', '.join(rules.choices)}."
        yield from _columns(_spelled(item, hint), f"{text}{_default(item.value)}", width, indent=INDENT)


def _spelled(item: Item, hint: Any) -> str:
    """Return the flag with the kind of value that it takes."""
    if item.rules.default is dataclasses.MISSING:
        return item.name.upper()
    if hint is bool:
        return f"{flag(item.name)}, {no_flag(item.name)}"
    kind = next((TYPES[k] for k in (hint, *get_args(hint)) if k in TYPES), "STR")
    return f"{flag(item.name)} {kind}{' ...' if isinstance(item.value, tuple) else ''}"


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return "" if value in ("", None) else f" ({value:g})" if isinstance(value, float) else f" ({value})"


def _columns(left: str, right: str, width: int, *, indent: int) -> list[str]:
    """Return two columns; a left one that is too wide has a line of its own."""
    first = f"  {left:<{indent - 2}}"
    head = [first.rstrip()] if len(first) > indent else []
    lines = textwrap.wrap(
        right,
        width,
        initial_indent=" " * indent if head else first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )
    return [*head, *(lines or ([] if head else [first.rstrip()]))]
