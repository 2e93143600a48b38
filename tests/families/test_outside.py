"""A family, a loss and an augmentation from outside the package do what those of the package do."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import outside
import pytest
import warm

import facegan
from facegan.augment.table import AUGMENTS
from facegan.data.dataset import Dataset
from facegan.data.prepare import prepare
from facegan.demo.portraits import write_portraits
from facegan.errors import ConfigError, InputError, ModelError
from facegan.families import FAMILIES, Family
from facegan.losses import LOSSES, Loss
from facegan.recipes.config import override
from facegan.training.checkpoint import list_checkpoints


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("outside")
    write_portraits(folder / "photos", 48, 0, size=32)
    attributes = folder / "photos" / "attributes.csv"
    return prepare([folder / "photos"], folder / "dataset", crop="none", size=32, attributes=attributes)


@pytest.fixture
def tables() -> Iterator[None]:
    """The tables, put back after the test."""
    before = [(table, dict(table)) for table in (FAMILIES, LOSSES, AUGMENTS)]
    yield
    for table, rows in before:
        table.clear()
        table.update(rows)  # type: ignore[arg-type]


def run(*words: object) -> int:
    return warm.run([outside.__file__, *map(str, words)]).returncode


def tensors(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(list_checkpoints(folder / "checkpoints")[-1] / "state.safetensors")


@pytest.mark.usefixtures("tables")
def test_it_trains_dies_resumes_to_the_bit_saves_loads_samples_and_is_measured(
    dataset: Dataset, tmp_path: Path
) -> None:
    whole, killed, saved = tmp_path / "whole", tmp_path / "killed", tmp_path / "model.safetensors"
    assert run(dataset.path, whole, 0.128) == 0
    assert run(dataset.path, killed, 0.128, 72) == -signal.SIGKILL
    assert [p.name for p in list_checkpoints(killed / "checkpoints")] == ["000000.032kimg", "000000.064kimg"]
    assert run(dataset.path, killed, 0.128) == 0
    a, b = tensors(whole), tensors(killed)
    assert a.keys() == b.keys() and float(a["generator/seen"]) == 120
    for key in a:
        assert np.array_equal(a[key], b[key]), key

    with pytest.raises(ModelError, match="register_family"):
        facegan.load(whole)
    outside.register()
    model = facegan.load(killed)
    model.save(saved)
    again = facegan.load(saved)
    np.testing.assert_array_equal(model.sample(4), again.sample(4))
    np.testing.assert_array_equal(again.sample(4), facegan.load(whole).sample(4))
    assert again.sample(4).shape == (4, 32, 32, 3) and np.ptp(again.sample(4), axis=0).max() > 0
    found = facegan.evaluate(again, dataset, "pixels", metrics="kid", floor=False)
    assert np.isfinite(found.values["kid"])


def named(**changes: Any) -> Any:
    return override(outside.config(0.016), changes)


@pytest.mark.usefixtures("tables")
def test_settings_know_the_names_once_they_are_registered(dataset: Dataset, tmp_path: Path) -> None:
    for change in ({"loss": "toy-loss"}, {"augment": "toy-dim"}):
        with pytest.raises(ConfigError, match="unknown"):
            facegan.train(dataset, "faces-tiny-32", tmp_path / "early", **change)
    outside.register()
    with pytest.raises(ConfigError, match="neurons"):
        facegan.train(dataset, named(**{"generator.neuron": 4}), tmp_path / "misspelt")
    with pytest.raises(ConfigError, match="no labels"):
        facegan.train(dataset, named(condition=(dataset.attribute_names[0],)), tmp_path / "told")


@dataclass(frozen=True)
class Alone:
    generator: outside.Side = field(default_factory=outside.Side)


@dataclass
class Thawed:
    generator: outside.Side = field(default_factory=outside.Side)
    discriminator: outside.Side = field(default_factory=outside.Side)


@dataclass(frozen=True)
class Bare:
    generator: int = 1
    discriminator: int = 1


def family(**attributes: Any) -> Family:
    return type("Other", (outside.Toy,), attributes)()


def loss(**changes: Any) -> Loss:
    return replace(outside.TOY_LOSS, **changes)


REFUSED = {
    "a name in use": (facegan.register_family, "dcgan", outside.Toy(), "already"),
    "a name with spaces": (facegan.register_family, "My toy", outside.Toy(), "lower-case"),
    "a class": (facegan.register_family, "toy", outside.Toy, "instance"),
    "no config": (facegan.register_family, "toy", family(config=None), "dataclass"),
    "one network": (facegan.register_family, "toy", family(config=Alone), "alone"),
    "settings that change": (facegan.register_family, "toy", family(config=Thawed), "frozen"),
    "no optimiser": (facegan.register_family, "toy", family(config=Bare), "OptimizerConfig"),
    "no such width": (facegan.register_family, "toy", family(width_setting="size"), "width_setting"),
    "a loss in use": (facegan.register_loss, "hinge", outside.TOY_LOSS, "already"),
    "a function": (facegan.register_loss, "toy", outside.dim, "facegan.losses.Loss"),
    "half a loss": (facegan.register_loss, "toy", loss(d_fake=None), "d_pair"),
    "a loss without mean": (facegan.register_loss, "toy", loss(g=lambda f, _: -f), "g fails"),
    "an infinite loss": (facegan.register_loss, "toy", loss(d_real=lambda r: r.mean() / 0), "finite"),
    "an augmentation in use": (facegan.register_augmentation, "ada", outside.dim, "already"),
    "no function": (facegan.register_augmentation, "toy", 3, "function"),
    "too few arguments": (facegan.register_augmentation, "toy", lambda x: x, "fails"),
    "another shape": (facegan.register_augmentation, "toy", lambda x, p, draw: x[:, :1], "shape"),
    "never the identity": (facegan.register_augmentation, "toy", lambda x, p, draw: -x, "strength 0"),
}


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_work_is_refused_in_one_line(case: str) -> None:
    register, name, row, says = REFUSED[case]
    with pytest.raises(InputError, match=says) as caught:
        register(name, row)
    assert "\n" not in str(caught.value)
