"""Pivotal tuning: nearer to the photo, other faces as they were, a small file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from facegan.deltas import save_delta
from facegan.generator import Generator
from facegan.images import to_float
from facegan.inversion.tune import TuneConfig, tune, with_delta
from facegan.models import load

SETTINGS = TuneConfig(steps=40, lr=1e-2, rank=2, loss="mse=1", locality=0.0)


def mse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.square((a.astype(float) - b) / 127.5).mean())


def test_a_photo_comes_nearer_and_the_file_says_how(vivid_model_file: Path, tmp_path: Path) -> None:
    model = load(vivid_model_file)
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    photo, z = model.sample([9]), model.latent.sample([3])
    changes = tune(model, model.map(z), to_float(photo), config=SETTINGS)
    assert all(torch.equal(v, before[k]) for k, v in model.network.state_dict().items())  # the model stays
    save_delta(tmp_path / "d.safetensors", model.hash, changes)
    tuned = with_delta(model, changes)
    assert mse(tuned.images(z), photo) < 0.5 * mse(model.images(z), photo)
    np.testing.assert_array_equal(
        load(f"{vivid_model_file}+{tmp_path / 'd.safetensors'}").images(z), tuned.images(z)
    )
    assert (tmp_path / "d.safetensors").stat().st_size < 0.5 * vivid_model_file.stat().st_size


def test_one_step_is_one_step(vivid_model: Generator) -> None:
    target, z = to_float(vivid_model.sample([9])), vivid_model.latent.sample([3])
    assert tune(vivid_model, vivid_model.map(z), target, config=replace(SETTINGS, steps=1))


def test_locality_keeps_other_faces(vivid_model: Generator) -> None:
    photo, z = vivid_model.sample([9]), vivid_model.latent.sample([3])
    moved = {}
    for locality in (0.0, 20.0):
        settings = TuneConfig(steps=40, lr=1e-2, rank=2, loss="mse=1", locality=locality)
        changes = tune(vivid_model, vivid_model.map(z), to_float(photo), config=settings)
        moved[locality] = mse(with_delta(vivid_model, changes).sample(8), vivid_model.sample(8))
    assert moved[20.0] < 0.7 * moved[0.0]


def test_the_same_settings_give_the_same_file(vivid_model: Generator) -> None:
    photo, w = to_float(vivid_model.sample([9])), vivid_model.map(vivid_model.latent.sample([3]))
    settings = TuneConfig(steps=3, rank=2, loss="mse=1")
    first, second = (tune(vivid_model, w, photo, config=settings) for _ in range(2))
    assert first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
