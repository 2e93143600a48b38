"""Every setting says in its field what it belongs to and what it may be, and is held to it."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, get_args

import pytest

from facegan.arguments import field_types
from facegan.augment.table import AUGMENTS
from facegan.cli.train_flags import Command, help_text
from facegan.errors import ConfigError
from facegan.families import FAMILIES, get_family
from facegan.families.base import OptimizerConfig
from facegan.losses.adversarial import LOSSES
from facegan.metrics import FEATURE_NAMES
from facegan.metrics.feature_extractors import FEATURES
from facegan.recipes.config import (
    GROUPS,
    LatentConfig,
    TrainConfig,
    TrainSettings,
    check,
    override,
    unread_group,
)
from facegan.recipes.table import RECIPES, recipe
from facegan.settings import flag, help_of, setting_of, values_of, walk

SETTINGS = {item.name: (item.value, item.rules) for item in walk(TrainSettings())}
BOUNDED = {
    **SETTINGS,
    **{f"generator.{item.name}": (item.value, item.rules) for item in walk(OptimizerConfig())},
}


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@pytest.mark.parametrize("name", [n for n in SETTINGS if "." not in n])
def test_every_setting_has_a_group_and_is_explained(name: str) -> None:
    assert SETTINGS[name][1].group in GROUPS
    assert len(help_of(TrainSettings)[name]) > 10


NETWORKS = [
    type(getattr(get_family(name).config(), side))
    for name in FAMILIES
    for side in ("generator", "discriminator")
]


@pytest.mark.parametrize("kind", [TrainConfig, LatentConfig, *dict.fromkeys(NETWORKS)])
def test_every_number_has_bounds(kind: type) -> None:
    for name, hint in field_types(kind).items():
        if {int, float} & {hint, *get_args(hint)}:
            rules = setting_of(kind, name)
            assert rules.minimum is not None or rules.above is not None, name


def beyond() -> list[tuple[str, Any]]:
    """A value just outside of each bound, one that is not finite, and an unknown word."""
    found: list[tuple[str, Any]] = []
    for name, (value, s) in BOUNDED.items():
        step = 1 if type(value) is int else 1e-3
        found += [(name, s.minimum - step)] if s.minimum not in (None, -math.inf) else []
        found += [(name, s.above)] if s.above is not None else []
        found += [(name, s.maximum + step)] if s.maximum < math.inf else []
        found += [(name, s.below)] if s.below is not None else []
        found += [(name, math.nan), (name, math.inf)] if isinstance(value, float) else []
        found += [(name, "no-such-word")] if s.choices is not None else []
    return found


@pytest.mark.parametrize(("name", "value"), beyond())
def test_values_out_of_range_give_one_line(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check(override(recipe("faces-tiny-32"), {name: value}))
    said = str(caught.value)
    assert said.startswith(f"--{name.replace('_', '-')} ") and "\n" not in said
    assert str(value) in said


@pytest.mark.parametrize("name", [n for n, (value, _) in BOUNDED.items() if is_number(value)])
def test_the_bounds_themselves_are_in_range(name: str) -> None:
    value, s = BOUNDED[name]
    for bound in (s.minimum, s.maximum):
        if bound is not None and math.isfinite(bound):
            assert s.problem(type(value)(bound)) == ""
    assert s.problem(value) == "", "the default"


def test_rows_that_are_added_later_are_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    config = recipe("faces-tiny-32")
    monkeypatch.setitem(LOSSES, "mine", LOSSES["hinge"])
    AUGMENTS["mine"] = AUGMENTS["flip"]
    try:
        assert check(override(config, {"loss": "mine", "augment": "mine"})).loss == "mine"
    finally:
        del AUGMENTS["mine"]


def test_names_of_feature_tables_are_those_of_the_table() -> None:
    assert sorted(FEATURES) == FEATURE_NAMES


def test_what_may_change_while_a_run_goes_on() -> None:
    """As in 0.1: the length, the pieces, and what is written and measured when."""
    assert {name for name, (_, s) in SETTINGS.items() if s.resumable} == {
        "kimg",
        "accumulate",
        "grid_kimg",
        "grid_count",
        "eval_count",
        "save_pairs",
        "quality_count",
        "watchdog",
        "metric",
        "metric_features",
        "metric_count",
        "metric_kimg",
        "checkpoint_kimg",
        "keep_checkpoints",
    }


@pytest.mark.parametrize("name", RECIPES)
def test_names_of_settings_are_those_that_overrides_take(name: str) -> None:
    config = recipe(name)
    assert override(config, values_of(config)) == config


@pytest.mark.parametrize("name", RECIPES)
def test_help_fits_two_screens_and_all_help_explains_every_flag(name: str) -> None:
    short, whole = (help_text(["--recipe", name], everything) for everything in (False, True))
    assert max(map(len, [*short.splitlines(), *whole.splitlines()])) <= 100
    assert len(short.splitlines()) <= 90
    words = set(whole.replace(",", " ").split())
    config = recipe(name)
    inner = {*vars(config)} - {f.name for f in fields(TrainSettings)}  # no flags
    unread = unread_group(config)
    assert f"--{unread}." not in whole
    for item in (*walk(Command("")), *(item for item in walk(config) if item.group != unread)):
        shown = item.name.upper() if item.name == "dataset" else flag(item.name)
        assert (shown in words) == (item.name not in inner or item.name == "recipe"), item.name
        assert item.key.replace("_", "-") in short or item.name in inner or item.owner is Command


def test_the_settings_that_people_change_first() -> None:
    text = help_text(["--recipe", "faces-tiny-32"])
    for word in (
        "kimg",
        "batch",
        "recipe",
        "out",
        "resume",
        "device",
        "seed",
        "augment",
        "init",
        "condition",
        "metric",
        "precision",
        "flip",
    ):
        assert f"  --{word}" in text, word
    assert "--grid-kimg" not in text and "One of: fid, kid," in " ".join(text.split())


def test_a_class_that_changes_a_default_keeps_the_bounds() -> None:
    kind = type(recipe("r3gan-64").model.generator)
    assert kind().beta1 != OptimizerConfig().beta1
    assert (setting_of(kind, "beta1").minimum, setting_of(kind, "beta1").below) == (0, 1)
