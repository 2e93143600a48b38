"""Encoders: they learn, resume to the bit, belong to one model, and fit into 4 MiB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import facegan
from facegan.cli.main import main
from facegan.data.dataset import Dataset
from facegan.errors import DatasetError, InputError, ModelError
from facegan.generator import Generator
from facegan.images import to_float
from facegan.inversion.config import preset
from facegan.inversion.encoder import Encoder, find_encoder
from facegan.inversion.encoder_training import EncoderTraining, fit_encoder
from facegan.inversion.invert import invert_pictures

QUICK = EncoderTraining(kimg=0.96, batch=16, width=8, loss="mse=1", lr=5e-3)


@pytest.fixture(scope="module")
def photos(vivid_model: Generator) -> np.ndarray:
    return vivid_model.sample(range(5000, 5040))


@pytest.fixture(scope="module")
def encoder(vivid_model: Generator, photos: np.ndarray) -> Encoder:
    return fit_encoder(vivid_model, photos, QUICK)


def test_it_guesses_better_than_chance(vivid_model: Generator, encoder: Encoder) -> None:
    """Held-out pictures: much nearer than other faces are."""
    z = vivid_model.latent.sample(range(100, 132))
    with torch.no_grad():
        images = vivid_model(z)
        guess = encoder.guess(vivid_model, images)
        error = (vivid_model(guess) - images).square().mean()
        others = (images.roll(1, 0) - images).square().mean()
    assert guess.shape == (32, 64) and float(error) < 0.8 * float(others)


def test_resumed_is_uninterrupted(
    vivid_model: Generator, photos, encoder: Encoder, tmp_path: Path, monkeypatch
) -> None:
    from facegan.inversion import encoder_training

    monkeypatch.setattr(encoder_training, "REPORT_EVERY", 2)
    state = tmp_path / "e.state"

    def stop(seen: int, losses: dict[str, float]) -> None:
        if seen >= 480:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_encoder(vivid_model, photos, QUICK, state=state, on_progress=stop)
    seen: list[int] = []
    again = fit_encoder(vivid_model, photos, QUICK, state=state, on_progress=lambda n, _: seen.append(n))
    assert seen[0] > 480 and seen[-1] == 960
    for name, tensor in encoder.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


def test_a_file_gives_the_same_guesses(
    vivid_model: Generator, photos, encoder: Encoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path / "e.safetensors")
    found = Encoder.load(tmp_path / "e.safetensors").check(vivid_model, "e")
    x = to_float(photos[:4])
    assert torch.equal(found.guess(vivid_model, x), encoder.guess(vivid_model, x))
    assert found.digest() == encoder.digest()


@pytest.mark.parametrize(("shape", "outputs"), [((3, 64, 64), 128), ((3, 64, 64), 512), ((1, 28, 28), 100)])
def test_the_usual_ones_fit_into_4_mib(shape, outputs: int) -> None:
    from facegan.inversion.encoder import EncoderNet

    network = EncoderNet(shape, outputs, EncoderTraining().width)
    assert 2 * sum(t.numel() for t in network.state_dict().values()) < 4 * 2**20 - 20_000
    assert network.eval()(torch.zeros(2, *shape)).shape == (2, outputs)


def test_another_models_encoder_is_refused(
    vivid_model_file: Path, vivid_model: Generator, encoder, tmp_path: Path
) -> None:
    model = tmp_path / "m.safetensors"
    model.write_bytes(vivid_model_file.read_bytes())
    assert find_encoder(vivid_model, model) is None
    with pytest.raises(ModelError, match="there is no such encoder"):
        find_encoder(vivid_model, model, str(tmp_path / "none.safetensors"))
    encoder.save(tmp_path / "m-encoder.safetensors")  # beside the model: found by itself
    assert find_encoder(vivid_model, model).digest() == encoder.digest()  # type: ignore[union-attr]
    assert find_encoder(vivid_model, model, "none") is None
    other = Generator(vivid_model.network, {**vivid_model.meta, "wings": 2})
    with pytest.raises(
        ModelError, match=r"m-encoder.safetensors: an encoder of another model .*--encoder none"
    ):
        find_encoder(other, model)
    tuned = Generator(vivid_model.network, {**vivid_model.meta, "delta": {"model": encoder.model_hash}})
    assert find_encoder(tuned, model) is not None
    for name, message in ((model, "no encoder"), (__file__, "this is a text file, not an encoder")):
        with pytest.raises(ModelError, match=message):
            Encoder.load(name)


def test_the_search_begins_at_the_guess(vivid_model: Generator, encoder: Encoder) -> None:
    pictures = vivid_model.sample([3, 4])
    config = preset("quick", loss="mse", norm=0.0, steps=0, restarts=3)
    found = invert_pictures(vivid_model, pictures, ["a", "b"], config=config, encoder=encoder)
    with torch.no_grad():
        guess = encoder.guess(vivid_model, to_float(pictures))
        loss = (vivid_model(guess) - to_float(pictures)).square().mean((1, 2, 3))
    assert (torch.from_numpy(found.errors["loss"]) <= loss + 1e-6).all()
    alone = invert_pictures(
        vivid_model, pictures, ["a", "b"], config=preset("quick", steps=0), encoder=encoder
    )
    assert torch.allclose(alone.vectors.z, guess, atol=1e-5)
    with pytest.raises(InputError, match="--start encoder: this model has none"):
        invert_pictures(vivid_model, pictures, ["a", "b"], config=preset("quick", start="encoder"))


def test_pictures_of_another_size(vivid_model: Generator) -> None:
    with pytest.raises(DatasetError, match=r"\(8x16 px\) are not of the model's size, 32x32 px"):
        fit_encoder(vivid_model, np.zeros((4, 16, 8, 3), np.uint8), QUICK)
    with pytest.raises(DatasetError, match="not of the model's size"):
        fit_encoder(vivid_model, np.zeros((0, 32, 32, 3), np.uint8), QUICK)


def test_from_end_to_end_and_with_mistakes(
    vivid_model_file: Path, portraits: Dataset, tmp_path: Path
) -> None:
    """A dataset in, a file out that the command would write, too; what must be named is named."""
    settings: dict[str, Any] = {"kimg": 0.032, "batch": 8, "width": 8, "loss": "mse=1"}
    file = tmp_path / "e.safetensors"
    made = facegan.train_encoder(vivid_model_file, portraits, out=file, **settings)
    assert torch.equal(Encoder.load(file).metric, made.metric) and not file.with_suffix(".state").exists()
    flags = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    other = tmp_path / "c.safetensors"
    assert (
        main(["train-encoder", str(vivid_model_file), str(portraits.path), "--out", str(other), *flags]) == 0
    )
    assert other.read_bytes() == file.read_bytes()
    with pytest.raises(InputError, match="batch even and at least 4"):
        facegan.train_encoder(vivid_model_file, portraits, batch=3)
    with pytest.raises(InputError, match="a Generator has no file"):
        facegan.train_encoder(facegan.load(vivid_model_file), portraits)
