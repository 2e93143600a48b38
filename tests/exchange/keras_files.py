"""Keras's files as its versions write them, without Keras, and what they make by NumPy's own formulas."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Array = np.ndarray
Z = 6
RNG = np.random.default_rng(0)


def drawn(*shape: int) -> Array:
    return (RNG.normal(size=shape) * 0.5).astype(np.float32)


def layer(kind: str, name: str = "", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name or kind.lower(), **config}}


# --- a narrow generator: dense, norm, "same" with odd pixels, in each layout --------------------------

WEIGHTS: dict[str, dict[str, Array]] = {
    "first": {"kernel": drawn(Z, 4 * 4 * 3), "bias": drawn(48)},
    "norm": {
        "gamma": drawn(3) + 1,
        "beta": drawn(3),
        "moving_mean": drawn(3),
        "moving_variance": np.abs(drawn(3)) + 0.5,
    },
    "larger": {"kernel": drawn(5, 5, 4, 3), "bias": drawn(4)},
    "unscaled": {"beta": drawn(4), "moving_mean": drawn(4), "moving_variance": np.abs(drawn(4)) + 0.5},
    "last": {"kernel": drawn(5, 5, 4, 3) * 0.1, "bias": drawn(3)},
}
LAYERS = [
    layer("Dense", "first", units=48, activation="linear", batch_input_shape=[None, Z]),
    layer("Reshape", target_shape=[4, 4, 3]),
    layer("BatchNormalization", "norm", axis=[3], epsilon=1e-3, momentum=0.8),
    layer("LeakyReLU", alpha={"class_name": "__numpy__", "config": {"value": 0.2, "dtype": "float32"}}),
    layer("Conv2DTranspose", "larger", filters=4, kernel_size=[5, 5], strides=[2, 2], padding="same"),
    layer("BatchNormalization", "unscaled", scale=False, axis=-1, epsilon=1e-3),
    layer("Activation", activation="relu"),
    layer("Dropout", rate=0.5),
    layer("UpSampling2D", size=[2, 2]),
    layer("Conv2D", "last", filters=3, kernel_size=[5, 5], strides=[2, 2], padding="same", activation="tanh"),
]
LAYERS[3]["config"]["unknown_to_all"] = {"deeply": ["nested"]}


def normed(x: Array, w: dict[str, Array]) -> Array:
    scale = w.get("gamma", 1) / np.sqrt(w["moving_variance"] + 1e-3)
    return (x - w["moving_mean"]) * scale + w["beta"]


def scattered(x: Array, w: dict[str, Array]) -> Array:
    """Conv2DTranspose, stride 2, kernel 5, "same": each pixel adds the kernel; 1 is cut before, 2 after."""
    n, h, wide, _ = x.shape
    full = np.zeros((n, 2 * h + 3, 2 * wide + 3, w["kernel"].shape[2]))
    for i in range(h):
        for j in range(wide):
            full[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5] += np.einsum(
                "nc,hwoc->nhwo", x[:, i, j], w["kernel"]
            )
    return full[:, 1:-2, 1:-2] + w["bias"]


def gathered(x: Array, w: dict[str, Array]) -> Array:
    """Conv2D, stride 2, kernel 5, "same" on an even size: 1 is padded before, 2 after."""
    padded = np.pad(x, ((0, 0), (1, 2), (1, 2), (0, 0)))
    size = x.shape[1] // 2
    rows = [
        [
            np.einsum("nhwc,hwco->no", padded[:, 2 * i : 2 * i + 5, 2 * j : 2 * j + 5], w["kernel"])
            for j in range(size)
        ]
        for i in range(size)
    ]
    return np.stack([np.stack(row, 1) for row in rows], 1) + w["bias"]


def expected(z: Array) -> Array:
    """What the generator makes, (N, H, W, C)."""
    w = WEIGHTS
    x = (z @ w["first"]["kernel"] + w["first"]["bias"]).reshape(-1, 4, 4, 3)
    x = normed(x, w["norm"])
    x = np.maximum(normed(scattered(np.where(x > 0, x, 0.2 * x), w["larger"]), w["unscaled"]), 0)
    return np.tanh(gathered(x.repeat(2, 1).repeat(2, 2), w["last"]))


# --- layouts ------------------------------------------------------------------------------------------


def sequential(layers: list[dict[str, Any]] = LAYERS, name: str = "painter") -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": name, "layers": layers}}


JUDGE = sequential(
    [
        layer("Flatten", batch_input_shape=[None, 8, 8, 3]),
        layer("Dense", "verdict", units=1, activation="sigmoid"),
    ],
    "judge",
)
VERDICT = {"verdict": {"kernel": drawn(192, 1), "bias": drawn(1)}}


def functional(layers: list[dict[str, Any]] = LAYERS, keras: int = 2) -> dict[str, Any]:
    """The same layers as a functional model, in the words of Keras 2 or 3."""
    found = [
        {
            "class_name": "InputLayer",
            "name": "z",
            "inbound_nodes": [],
            "config": {"name": "z", "batch_input_shape" if keras == 2 else "batch_shape": [None, Z]},
        }
    ]
    before = "z"
    for one in layers:
        name = one["config"]["name"]
        if keras == 2:
            node: Any = [[before, 0, 0, {}]]
        else:
            tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [before, 0, 0]}}
            node = {"args": [tensor], "kwargs": {"training": False}}
        found.append({**one, "name": name, "inbound_nodes": [node]})
        before = name
    ends = {"input_layers": ["z", 0, 0], "output_layers": [before, 0, 0]}
    if keras == 2:
        ends = {key: [value] for key, value in ends.items()}
    # Layers may stand in any order.
    return {"class_name": "Functional", "config": {"name": "painter", "layers": found[::-1], **ends}}


def stacked(keras: int) -> dict[str, Any]:
    """Generator and discriminator as one functional model. Keras 2 counts calls of inner models from 1."""
    parts = [sequential(), JUDGE]
    found = functional([{**part, "config": {**part["config"]}} for part in parts], keras)
    if keras == 2:
        for entry in found["config"]["layers"]:
            entry["inbound_nodes"] = [
                [[n, int(n != "z"), 0, {}] for n, *_ in node] for node in entry["inbound_nodes"]
            ]
        found["config"]["output_layers"] = [["judge", 1, 0]]
    found["config"]["name"] = "gan"
    return found


def write_h5(
    path: Path, config: dict[str, Any] | None, groups: dict[str, dict[str, Array]], **more: Any
) -> None:
    """The older layout: a group for each layer, datasets by the names of their variables."""
    with h5py.File(path, "w") as file:
        place = file
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
            place = file.create_group("model_weights")
        place.attrs["layer_names"] = [name.encode() for name in groups]
        for name, weights in groups.items():
            group = place.create_group(name)
            group.attrs["weight_names"] = [key.encode() for key in weights]
            for key, value in weights.items():
                group.create_dataset(key, data=value, **more)


def named(
    prefix: str = "", weights: dict[str, dict[str, Array]] = WEIGHTS, end: str = ":0"
) -> dict[str, Any]:
    return {
        name: {f"{prefix}{name}/{role}{end}": value for role, value in found.items()}
        for name, found in weights.items()
    }


def flat(groups: dict[str, dict[str, Array]]) -> dict[str, Array]:
    return {key: value for group in groups.values() for key, value in group.items()}


COUNTED = {
    "first": "dense",
    "norm": "batch_normalization",
    "larger": "conv2d_transpose",
    "unscaled": "batch_normalization_1",
    "last": "conv2d",
    "verdict": "dense",
}


def counted_bytes(prefixes: dict[str, dict[str, dict[str, Array]]], **more: Any) -> bytes:
    """The newer layout: layers/dense_1/vars/0, counted by class."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for prefix, weights in prefixes.items():
            for name, found in weights.items():
                for i, value in enumerate(found.values()):
                    file.create_dataset(f"{prefix}layers/{COUNTED[name]}/vars/{i}", data=value, **more)
    return buffer.getvalue()


def write_keras(path: Path, config: Any, content: bytes, **more: Any) -> None:
    with zipfile.ZipFile(path, "w", **more) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        archive.writestr("model.weights.h5", content)
