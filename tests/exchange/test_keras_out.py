"""Models for Keras: layers, order of features and padding as Keras has them, and one line for other networks.

They are read back by facegan's reader, which ``benchmarks/foreign_keras.py`` compares with Keras's own, as it
does with the files written here.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from narrow import TRAINED
from test_export import draw, levels
from untrained import model_of, notation_model

import facegan
from facegan.cli.main import main
from facegan.errors import ModelError
from facegan.families import FAMILIES
from facegan.prior import Latent

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "paper": ("dense 4x4x8; bn relu; convT 6 4 s2 bn lrelu; convT image 4 s2 tanh", {}),
    "dense": ("dense 20 lrelu bn; dense image tanh", {"bn_eps": 1e-3}),
    "uneven": ("dense 4x4x6 bn relu; convT 5 5 s2 bn; convT 5 3 s2 relu; conv image 5 s1 tanh", {}),
    "back to features": (
        "dense 4x4x6 lrelu bn; convT 5 4 s2 relu; dense 30 bn silu; dense 8x8x4; convT image 4 s2 sigmoid",
        {"unit_range": True, "bn_eps": 1e-3},
    ),
    "there and back": (
        "pixelnorm; dense 5x5x6 lrelu bn; down; up; conv 3 4 s2 gelu; dense 7x7x4 lrelu0.3 bn; pool; "
        "convT 4 5 s2 silu; pixelnorm; drop 0.3; convT 3 4 s2; up; conv image 9 valid sigmoid",
        {"unit_range": True},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_draws_the_same(name: str, tmp_path: Path) -> None:
    layers, settings = CASES[name]
    model = notation_model(layers, latent=Latent("uniform", 17, std=3**-0.5), **settings)
    expected = model.images(range(8))
    assert expected.std(0).mean() > 8
    done = facegan.export_model(model, tmp_path / "a.keras")
    assert done.parity and done.parity.levels <= 1
    again = facegan.export_model(model, tmp_path / "b.keras").path
    assert again.read_bytes() == done.path.read_bytes()
    back = facegan.import_model(done.path, tmp_path / "back.safetensors").model
    assert levels(back.images(range(8)), expected) <= 1, "the prior comes back, too"
    assert back.meta["licence"] == "CC0-1.0"
    if "pixelnorm" in layers:
        assert back.meta["family"] == "graph"
        return
    assert back.meta["family"] == "dcgan", "what is a chain of the notation can be trained on"
    for key, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[key], tensor), key


def test_the_archive_is_one_that_keras_knows(tmp_path: Path) -> None:
    import h5py

    model = notation_model(CASES["paper"][0], bn_momentum=0.2)
    with zipfile.ZipFile(facegan.export_model(model, tmp_path / "a.keras").path) as archive:
        config = json.loads(archive.read("config.json"))
        assert json.loads(archive.read("metadata.json"))["keras_version"].startswith("3.")
        about = json.loads(archive.read("facegan-model.json"))
        archive.extract("model.weights.h5", tmp_path)
    assert about["model_hash"] == model.hash
    layers = {entry["config"]["name"]: entry for entry in config["config"]["layers"]}
    assert list(layers) == [
        "input_layer", "dense", "reshape", "batch_normalization", "activation", "conv2d_transpose",
        "batch_normalization_1", "leaky_re_lu", "conv2d_transpose_1", "activation_1",
    ]  # fmt: skip
    assert layers["input_layer"]["config"]["batch_shape"] == [None, 17]
    assert layers["batch_normalization_1"]["config"]["momentum"] == 0.8
    network = model.network.state_dict()
    with h5py.File(tmp_path / "model.weights.h5") as file:
        # PyTorch: (in, out, h, w). Keras: (h, w, out, in).
        kernel = file["layers/conv2d_transpose/vars/0"][()]
        assert np.array_equal(kernel[1, 2, 3, 4], network["layers.4.weight"][4, 3, 1, 2])
        # The feature of pixel (1, 2) and channel 3 among 4 x 4 x 8.
        dense = file["layers/dense/vars/0"][()]
        assert np.array_equal(dense[:, (1 * 4 + 2) * 8 + 3], network["layers.0.weight"][3 * 16 + 1 * 4 + 2])


def test_half_the_weights(tmp_path: Path) -> None:
    model = notation_model(CASES["dense"][0])
    sizes = [
        facegan.export_model(model, tmp_path / f"{kind}.keras", weights=kind).size
        for kind in ("float32", "float16")
    ]
    assert sizes[1] < 0.8 * sizes[0]


def test_the_program_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keras is stood in for by facegan's reader."""
    model = notation_model(CASES["paper"][0])
    model.save(tmp_path / "m.safetensors")
    assert main(["export", f"{tmp_path}/m.safetensors", "--out", f"{tmp_path}/a.keras", "--example"]) == 0
    assert "a model of Keras 3" in capsys.readouterr().out

    def load_model(place: Path, compile: bool) -> Any:
        back = facegan.import_model(place, tmp_path / "back.safetensors").model
        return SimpleNamespace(predict=lambda z, verbose: back(torch.from_numpy(z)).movedim(1, -1).numpy())

    fake = SimpleNamespace(models=SimpleNamespace(load_model=load_model))
    monkeypatch.setitem(sys.modules, "keras", fake)
    expected = facegan.load(tmp_path / "m.safetensors").images([0, 3])
    assert levels(draw(tmp_path / "a.py", [0, 3], monkeypatch), expected) <= 1


@pytest.mark.parametrize("family", TRAINED)
def test_other_families_are_one_line(family: str, tmp_path: Path) -> None:
    if family in ("vanilla", "dcgan"):
        assert facegan.export_model(model_of(family), tmp_path / "a.keras").parity.levels <= 1
        return
    with pytest.raises(ModelError, match=rf"the family '{family}' has no counterpart in Keras's layers"):
        facegan.export_model(model_of(family), tmp_path / "a.keras")
    assert not list(tmp_path.iterdir()) and family in FAMILIES


def test_conditional_models_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"\.keras holds models without labels; choose \.onnx"):
        facegan.export_model(model_of("dcgan", labelled=True), tmp_path / "a.keras")
    assert not list(tmp_path.iterdir())


def test_residual_blocks_and_parts_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = notation_model("dense 4x4x6; res 6 up; res 6 up; conv image 3 tanh")
    with pytest.raises(ModelError, match="its layer 'ResidualBlock' is none of Keras's; choose"):
        facegan.export_model(model, tmp_path / "a.keras")
    assert main(["export", "celeba64", "--out", f"{tmp_path}/a.keras", "--part", "map"]) == 2
    assert "--part map: .keras holds the whole; choose .onnx or .pt2" in capsys.readouterr().err
