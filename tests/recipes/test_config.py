"""Settings: overrides by dotted name, and one line for what cannot work."""

import pytest

from facegan.errors import ConfigError
from facegan.recipes.config import check, differences, override, unfinished
from facegan.recipes.table import RECIPES, recipe
from facegan.runs.folder import _with_defaults


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_consistent(name):
    config = check(recipe(name))
    assert config.recipe == name
    assert check(override(config, {})) == config


def test_overrides_reach_networks_and_prior():
    config = override(recipe("faces-dcgan-64"), {"batch": 8, "generator.lr": 0.5, "latent.dim": 7})
    assert (config.batch, config.model.generator.lr, config.latent.dim) == (8, 0.5, 7)
    assert config.model.discriminator == recipe("faces-dcgan-64").model.discriminator


@pytest.mark.parametrize(
    "changes, part",
    [
        ({"bach": 8}, "did you mean 'batch'"),
        ({"generator.lrr": 1.0}, "did you mean 'lr'"),
        ({"latent.dim.x": 1}, "latent.dim.x"),
        ({"batch": 0}, "--batch"),
        ({"kimg": -1.0}, "--kimg"),
        ({"kimg": float("nan")}, "--kimg"),
        ({"loss": "mse"}, "--loss 'mse'"),
        ({"sampling": "x"}, "--sampling"),
        ({"generator.lr": 0.0}, "--generator.lr"),
        ({"d_split": True}, "--d-split"),
        ({"g_batch": 3}, "--g-batch"),
        ({"cooldown": 2.0}, "--cooldown"),
        ({"latent.kind": "cube"}, "--latent.kind"),
        ({"augment": "foo"}, "(known: ada,"),
        ({"augment_kimg": float("nan")}, "--augment-kimg must be a finite number, not nan"),
        ({"discriminator.lr": float("inf")}, "--discriminator.lr must be a finite number"),
        ({"latent.train_std": float("nan")}, "--latent.train-std must be a finite number"),
        ({"generator.beta1": 1.5}, "--generator.beta1 must be from 0 to below 1, not 1.5"),
        ({"discriminator.beta2": 1.0}, "--discriminator.beta2 must be from 0 to below 1"),
        ({"generator.eps": -1.0}, "--generator.eps must be 0 or more"),
        ({"burnin_beta2": 1.0}, "--burnin-beta2 must be from 0 to below 1"),
        ({"augment": "ada", "augment_p": 0.95}, "--augment-p 0.95 is above --augment-max"),
        ({"freeze_d": 2}, "--freeze-d keeps layers of a trained discriminator: give --init"),
    ],
)
def test_mistakes_are_named(changes, part):
    with pytest.raises(ConfigError) as caught:
        check(override(recipe("faces-dcgan-64"), changes))
    assert part in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_recipe_suggests():
    with pytest.raises(ConfigError, match="did you mean 'faces-dcgan-64'"):
        recipe("faces-dcgan-46")


def test_differences_are_named():
    a, b = recipe("faces-dcgan-64"), override(recipe("faces-dcgan-64"), {"batch": 8, "generator.lr": 0.5})
    assert differences(a.to_dict(), b.to_dict()) == ["batch: 32 -> 8", "model.generator.lr: 0.0005 -> 0.5"]


def test_settings_of_networks_that_are_younger_than_a_run_had_their_defaults():
    """A run of before the heads goes on: of what it did not say, it had nothing else."""
    old = {"family": "fast", "model": {"discriminator": {"lr": 1.0}}}
    told = _with_defaults(old)["model"]["discriminator"]
    assert told["lr"] == 1.0 and told["projected"] == "" and told["widths"] == [64, 128, 256, 256]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "progan-64",
            {"kimg": 4799.0},
            "growing to the full size (--generator.stage-kimg, --generator.fade-kimg) takes 4800 kimg",
        ),
        ("progan-64", {"kimg": 4800.0}, ""),
        ("progan-64-short", {}, ""),
        ("r3gan-64", {"kimg": 300.0}, "the burn-in (--burnin-kimg) takes 20000 kimg"),
        ("faces-fast-64", {"kimg": 1.0}, ""),
    ],
)
def test_schedules_that_outlast_the_run_are_told(name, changes, said):
    config = override(recipe(name), changes)
    told = unfinished(config, (3, 64, 64))
    assert told == (f"--kimg {config.kimg:g} ends before its schedules do: {said}" if said else "")


def test_no_recipe_ends_before_its_schedules():
    for found in (r.config for r in RECIPES.values()):
        assert unfinished(found, (3, found.size or 64, found.size or 64)) == "", found.recipe
