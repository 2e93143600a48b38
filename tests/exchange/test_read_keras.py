"""Keras's generators come in from every layout of its files and make the pictures that Keras makes."""

from __future__ import annotations

import copy
import ctypes
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from keras_files import (
    JUDGE,
    LAYERS,
    VERDICT,
    WEIGHTS,
    Z,
    counted_bytes,
    drawn,
    expected,
    flat,
    functional,
    layer,
    named,
    sequential,
    stacked,
    write_h5,
    write_keras,
)

import facegan
from facegan.cli.main import main

INNER = {"layers/sequential_1/": WEIGHTS, "layers/sequential/": VERDICT}  # the layers stand backwards
STACK = {"painter": flat(named()), "judge": flat(named(weights=VERDICT))}
# Frozen, an inner model lists its weights layer by layer; within another scope its names are longer.
FROZEN = {
    "painter": dict(reversed(flat(named("gan/painter/")).items())),
    "judge": flat(named(weights=VERDICT)),
}
OLD = {"class_name": "Sequential", "config": LAYERS}
DENSE_ONLY = [
    layer("Dense", "first", units=48, batch_input_shape=[None, Z]),
    layer("Reshape", target_shape=[4, 4, 3]),
]


def weights_h5(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    Path("model.json").write_text(json.dumps(sequential()))


def channels_first() -> dict[str, Any]:
    """The same network, whose pictures are (C, H, W) from the first on."""
    layers = copy.deepcopy(LAYERS)
    for one in layers[2:]:
        config = one["config"]
        config.update({"axis": 1} if "axis" in config else {"data_format": "channels_first"})
    return sequential([*layers[:2], layer("Permute", dims=[3, 1, 2]), *layers[2:]])


LAYOUTS: dict[str, tuple[str, Callable[[Path], None], dict[str, str]]] = {
    "h5": ("h5", lambda p: write_h5(p, sequential(), named()), {}),
    "h5 of Keras 3": ("h5", lambda p: write_h5(p, sequential(), named("painter/", end="")), {}),
    "h5, a plain list": ("h5", lambda p: write_h5(p, OLD, named()), {}),
    "h5, channels first": ("h5", lambda p: write_h5(p, channels_first(), named()), {}),
    "h5, functional": ("h5", lambda p: write_h5(p, functional(), named()), {}),
    "h5, stack": ("h5", lambda p: write_h5(p, stacked(2), STACK), {}),
    "h5, frozen stack": ("h5", lambda p: write_h5(p, sequential([sequential(), JUDGE], "gan"), FROZEN), {}),
    "h5, weights alone": (
        "h5",
        lambda p: (write_h5(p, None, named()), Path("model.json").write_text(json.dumps(functional()))),
        {"config": "model.json"},
    ),
    "keras": ("keras", lambda p: write_keras(p, sequential(), counted_bytes({"": WEIGHTS})), {}),
    "keras, functional": ("keras", lambda p: write_keras(p, functional(LAYERS[::1], 3), ordered()), {}),
    "keras, stack": (
        "keras",
        lambda p: write_keras(p, stacked(2), counted_bytes(INNER)),
        {"network": "painter"},
    ),
    "keras, a class of one's own": (
        "keras",
        lambda p: write_keras(
            p,
            {
                "class_name": "GAN",
                "registered_name": "mine>GAN",
                "config": {"generator": sequential(), "z": 6},
            },
            counted_bytes({"generator/": WEIGHTS}),
        ),
        {},
    ),
    "weights.h5": (
        "weights.h5",
        lambda p: weights_h5(p, counted_bytes({"": WEIGHTS})),
        {"config": "model.json"},
    ),
}


def ordered() -> bytes:
    """The weights in the order of :func:`functional`, whose layers stand backwards."""
    swapped = {**WEIGHTS, "norm": WEIGHTS["unscaled"], "unscaled": WEIGHTS["norm"]}
    return counted_bytes({"": swapped})


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_makes_the_same_pictures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, write, options = LAYOUTS[name]
    monkeypatch.chdir(tmp_path)
    write(Path(f"g.{ending}"))
    made = facegan.import_model(f"g.{ending}", "m.safetensors", **options)
    z = drawn(5, Z) * 2
    with torch.inference_mode():
        images = made.model(torch.from_numpy(z)).permute(0, 2, 3, 1).numpy()
    wanted = expected(z)
    assert (np.abs(wanted) < 0.99).mean() > 0.8 and wanted.std() > 0.2
    np.testing.assert_allclose(images, wanted, atol=2e-5)
    assert made.format == "keras"
    if "stack" in name:
        assert any("judge" in line for line in made.left_out)


def conditional(keras: int) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """A vector of z times the embedded label, to a grey picture by a sigmoid, with two more merges."""

    def node(*names: str) -> list[Any]:
        if keras == 2:
            return [[[name, 0, 0, {}] for name in names]]
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [n, 0, 0]}} for n in names]
        return [{"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}]

    shape = "batch_input_shape" if keras == 2 else "batch_shape"
    parts = [
        (layer("InputLayer", "label", **{shape: [None, 1]}), []),
        (layer("InputLayer", "z", **{shape: [None, Z]}), []),
        (layer("Embedding", "table", input_dim=3, output_dim=Z), node("label")),
        (layer("Flatten", "flat"), node("table")),
        (layer("Multiply", "both"), node("z", "flat")),
        (layer("Concatenate", "joined", axis=-1), node("both", "z")),
        (layer("Dense", "first", units=16, activation="sigmoid"), node("joined")),
        (layer("Reshape", "picture", target_shape=[4, -1, 1]), node("first")),
    ]
    layers = [{**part, "name": part["config"]["name"], "inbound_nodes": nodes} for part, nodes in parts]
    config = {
        "layers": layers,
        "input_layers": [["label", 0, 0], ["z", 0, 0]],
        "output_layers": [["picture", 0, 0]],
    }
    weights = {
        "table": {"embeddings": drawn(3, Z) + 1},
        "first": {"kernel": drawn(2 * Z, 16), "bias": drawn(16)},
    }
    return {"class_name": "Functional", "config": config}, weights


@pytest.mark.parametrize("keras", [2, 3])
def test_embedded_labels_are_classes(keras: int, tmp_path: Path) -> None:
    config, weights = conditional(keras)
    write_h5(tmp_path / "g.h5", config, named(weights=weights))
    model = facegan.import_model(tmp_path / "g.h5", tmp_path / "m.safetensors", prior="uniform").model
    assert model.labels == ("label=0", "label=1", "label=2") and model.latent.kind == "uniform"
    z = drawn(3, Z)
    both = np.concatenate([z * weights["table"]["embeddings"], z], 1)
    wanted = 1 / (1 + np.exp(-(both @ weights["first"]["kernel"] + weights["first"]["bias"])))
    with torch.inference_mode():
        images = model(torch.from_numpy(z), labels=torch.eye(3))
    np.testing.assert_allclose(images.reshape(3, 16), wanted * 2 - 1, atol=1e-5)


def one(*layers: dict[str, Any], **weights: dict[str, np.ndarray]) -> Callable[[Path], None]:
    return lambda p: write_h5(p, sequential([*DENSE_ONLY, *layers]), named(weights={**FIRST, **weights}))


FIRST = {"first": WEIGHTS["first"]}
TANH = layer("Activation", activation="tanh")
MISTAKES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a Lambda": (
        "h5",
        one(layer("Lambda", function="x")),
        "layer 'lambda': it is of the class Lambda, which is a",
    ),
    "a custom layer": (
        "h5",
        one(layer("Mine>Noise", "n1")),
        "layer 'n1': it is of the class Noise, which facegan",
    ),
    "no range": ("h5", one(), "give --output-range"),
    "an activation": (
        "h5",
        one(layer("Activation", activation="os.system")),
        "activation 'os.system' is unknown",
    ),
    "a class of one's own": (
        "h5",
        lambda p: write_h5(p, {"class_name": "GAN", "config": {}}, {}),
        "class 'GAN'",
    ),
    "weights alone": ("h5", lambda p: write_h5(p, None, named()), "--config model.json"),
    "another shape": (
        "h5",
        lambda p: write_h5(p, sequential(), named(weights={**WEIGHTS, "last": WEIGHTS["larger"]})),
        "have the shape (4,), not (3,)",
    ),
    "missing weights": (
        "h5",
        lambda p: write_h5(p, sequential(), named(weights=FIRST)),
        "of the layer 'norm'",
    ),
    "a discriminator": ("h5", lambda p: write_h5(p, JUDGE, named(weights=VERDICT)), "it takes no vector"),
    "no config": (
        "keras",
        lambda p: write_keras(p, "[]", counted_bytes({"": FIRST})),
        "is no configuration of a Keras model",
    ),
    "compressed": (
        "keras",
        lambda p: write_keras(p, sequential(), b"x" * 99, compression=8),
        "is compressed",
    ),
    "filters": ("h5", lambda p: write_h5(p, sequential(), named(), compression="gzip"), "h5repack -f NONE"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_keras_file_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ending, write, said = MISTAKES[name]
    monkeypatch.chdir(tmp_path)
    write(Path(f"g.{ending}"))
    assert main(["import", f"g.{ending}", "--out", "m.safetensors"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error
    assert not Path("m.safetensors").exists()


def _external(file: h5py.File, other: Path) -> None:
    del file["model_weights/first/first/kernel:0"]
    file["model_weights/first/first/kernel:0"] = h5py.ExternalLink(str(other), "/kernel")


def _external_group(file: h5py.File, other: Path) -> None:
    del file["model_weights/first"]
    file["model_weights/first"] = h5py.ExternalLink(str(other), "/")


def _virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((Z, 48), np.float32, maxshape=(None, 48))
    source = h5py.VirtualSource(str(other), "kernel", (Z, 48), np.float32, (None, 48))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    del file["model_weights/first/first/kernel:0"]
    file["model_weights/first/first"].create_virtual_dataset("kernel:0", layout)


def _stored_elsewhere(file: h5py.File, other: Path) -> None:
    del file["model_weights/first/first/kernel:0"]
    file["model_weights/first/first"].create_dataset(
        "kernel:0", (Z, 48), np.float32, external=[(str(other), 0, Z * 48 * 4)]
    )


ELSEWHERE = {
    "external link": (_external, "are not in the file"),
    "external group": (_external_group, "a link to elsewhere"),
    "virtual": (_virtual, "are in another file"),
    "external storage": (_stored_elsewhere, "are in another file"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_hdf5_opens_no_other_file(name: str, tmp_path: Path) -> None:
    """HDF5 opens files behind Python's back, so the kernel watches."""
    change, said = ELSEWHERE[name]
    other = tmp_path / "other" / "secret.h5"
    other.parent.mkdir()
    with h5py.File(other, "w") as file:
        file["kernel"] = WEIGHTS["first"]["kernel"]
    write_h5(tmp_path / "g.h5", sequential(), named())
    with h5py.File(tmp_path / "g.h5", "a") as file:
        change(file, other)
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, str(other.parent).encode(), 0x20) > 0  # IN_OPEN
    with pytest.raises(facegan.FaceganError, match=said):
        facegan.import_model(tmp_path / "g.h5", tmp_path / "m.safetensors")
    with pytest.raises(BlockingIOError):
        os.read(watch, 4096)
    os.close(watch)
