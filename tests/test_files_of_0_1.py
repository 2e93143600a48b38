"""Every kind of file that version 0.1 wrote loads and gives what it gave then.

The files in ``files_of_0_1`` come from a tiny StyleGAN2 that 0.1 trained on twelve drawn portraits of 32 px;
``expected.npz`` holds the pictures and the vectors that 0.1 made of them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import facegan
from facegan.deltas import apply_delta
from facegan.images import to_float
from facegan.inversion.encoder import Encoder
from facegan.vectors import load_vectors

FILES = Path(__file__).parent / "files_of_0_1"
EXPECTED = np.load(FILES / "expected.npz")


def same_pictures(found: np.ndarray, name: str) -> None:
    """Processors round differently: at most one level apart."""
    row = np.concatenate(list(found), axis=1)
    assert np.abs(row.astype(int) - EXPECTED[name].astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["run", "run@0.024kimg", "run/models/000000.024kimg.safetensors"])
def test_models(name: str) -> None:
    model = facegan.load(f"{FILES}/{name}")
    same_pictures(model.sample([0, 1, 2, 3]), "samples")


def test_directions() -> None:
    model = facegan.load(FILES / "run")
    found = facegan.Directions.load(FILES / "directions.safetensors", model)
    moved = found.move(model.map(model.latent.sample([7])), {"smiling": 2.0})
    same_pictures(model.images(moved), "edited")


def test_delta() -> None:
    tuned = apply_delta(facegan.load(FILES / "run"), FILES / "delta.safetensors")
    same_pictures(tuned.sample([0, 1, 2, 3]), "tuned")


def test_encoder() -> None:
    model = facegan.load(FILES / "run")
    encoder = Encoder.load(FILES / "encoder.safetensors").check(model, "encoder.safetensors")
    guess = encoder.guess(model, to_float(model.sample([0, 1]), "cpu"))
    np.testing.assert_allclose(guess.detach().numpy(), EXPECTED["guess"], rtol=1e-3, atol=1e-3)


def test_vectors() -> None:
    for name in ("latents.npz", "inverted.npz"):
        faces = load_vectors(FILES / name, 16, (8, 16))
        assert len(faces) == {"latents.npz": 4, "inverted.npz": 1}[name]


def test_dataset() -> None:
    data = facegan.Dataset(FILES / "dataset")
    assert (data.counts, data.size, data.channels) == ({"train": 12}, (32, 32), 3)
    assert data.images("train").shape == (12, 32, 32, 3)


def test_a_run_goes_on(tmp_path: Path) -> None:
    """From the checkpoint at 12 pictures to 24, where it ends as 0.1 did, but for rounding.

    It was trained in bfloat16; a processor that is slow with that goes on in float32. Three updates move no
    weight by more than their learning rates.
    """
    shutil.copytree(FILES / "run", tmp_path / "run")
    end = tmp_path / "run" / "models" / "000000.024kimg.safetensors"
    then = load_file(end)
    end.unlink()
    config = json.loads((FILES / "run" / "config.json").read_text())
    sides = {
        f"{side}.{key}": config["model"][side][key]
        for side, keys in {
            "generator": ("channel_base", "channel_max", "w_dim"),
            "discriminator": ("channel_base", "channel_max"),
        }.items()
        for key in keys
    }
    facegan.train(
        facegan.Dataset(FILES / "dataset"),
        "stylegan2-32",
        tmp_path / "run",
        resume=True,
        device="cpu",
        kimg=0.024,
        batch=4,
        checkpoint_kimg=0.012,
        grid_count=2,
        quality_count=0,
        **sides,
        **{"latent.dim": 16},
    )
    now = load_file(end)
    assert now.keys() == then.keys()
    assert all(torch.allclose(now[key].float(), then[key].float(), rtol=1e-2, atol=0.03) for key in then)


def test_networks_begin_with_a_packed_file(tmp_path: Path) -> None:
    data = facegan.Dataset(FILES / "dataset")
    config = facegan.recipe("stylegan2-32")
    assert config.family == "stylegan2"
    run = facegan.train(
        data,
        "stylegan2-32",
        tmp_path / "next",
        init=str(FILES / "packed.safetensors"),
        kimg=0.004,
        batch=4,
        grid_count=2,
        quality_count=0,
        device="cpu",
        **{"latent.dim": 16},
        **{
            "generator.channel_base": 64,
            "generator.channel_max": 8,
            "generator.w_dim": 16,
            "discriminator.channel_base": 64,
            "discriminator.channel_max": 8,
        },
    )
    assert "packed.safetensors" in (run / "events.jsonl").read_text()
