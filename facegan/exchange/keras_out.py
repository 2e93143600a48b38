"""Feed-forward generators as Keras 3's ``.keras``: a Sequential model that Keras loads without other code.

Configurations name only the settings that every Keras 3 knows, so that older versions load the file, too.
"""

from __future__ import annotations

import copy
import importlib.util
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from facegan.distributed import Dropout
from facegan.errors import InputError, ModelError
from facegan.exchange import read_keras
from facegan.exchange.base import ImportOptions, Source
from facegan.exchange.importing import build
from facegan.exchange.keras_config import snake_case
from facegan.exchange.own_files import ABOUT
from facegan.exchange.parity import Run
from facegan.exchange.tracing import described
from facegan.generator import Generator
from facegan.layers.feedforward import (
    FeedForwardGenerator,
    PixelNorm,
    Reshape,
    SameConv,
    SameConvTranspose,
)

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same model makes the same bytes
Array = np.ndarray[Any, Any]


class Layer(NamedTuple):
    """A layer of Keras: its class, its settings, and its weights in Keras's order."""

    kind: str
    config: dict[str, Any]
    weights: tuple[Array, ...] = ()


class Place(NamedTuple):
    """Where a module stands: what it takes, and which of its features Keras has in another order."""

    shape: Sequence[int]
    """Of what it takes, without the batch."""
    inputs: Array | None = None
    """For a dense layer of a picture, the features in Keras's order; None leaves them."""
    outputs: Array | None = None
    """The same for features that become a picture."""


# --- one module -----------------------------------------------------------------------------------------


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().cpu().float().numpy()


def _dense(module: nn.Linear, place: Place) -> Layer:
    kernel, bias = _array(module.weight).T, None if module.bias is None else _array(module.bias)
    if place.inputs is not None:
        kernel = kernel[place.inputs]
    if place.outputs is not None:
        kernel, bias = kernel[:, place.outputs], None if bias is None else bias[place.outputs]
    weights = (kernel,) if bias is None else (kernel, bias)
    return Layer("Dense", {"units": module.out_features, "use_bias": bias is not None}, weights)


def _batch_norm(module: _BatchNorm, place: Place) -> Layer:
    given = (module.weight, module.bias, module.running_mean, module.running_var)
    weights = tuple(_array(tensor) for tensor in given if tensor is not None)
    if place.outputs is not None:
        weights = tuple(array[place.outputs] for array in weights)
    affine = module.weight is not None
    momentum = 1 - (module.momentum or 0.0)
    settings = {"epsilon": module.eps, "momentum": momentum, "center": affine, "scale": affine}
    return Layer("BatchNormalization", settings, weights)


def _conv(module: nn.Conv2d | nn.ConvTranspose2d, place: Place) -> Layer:
    # PyTorch has (out, in, h, w), or (in, out, h, w) if transposed; Keras has these two last, as they are.
    kernel = _array(module.weight).transpose(2, 3, 1, 0)
    weights = (kernel,) if module.bias is None else (kernel, _array(module.bias))
    # Where nothing is padded, both words mean the same.
    same = isinstance(module, SameConvTranspose) or getattr(module, "uneven", None) or any(module.padding)
    settings = {
        "filters": module.out_channels,
        "kernel_size": list(module.kernel_size),
        "strides": list(module.stride),
        "padding": "same" if same else "valid",
        "use_bias": module.bias is not None,
    }
    return Layer("Conv2DTranspose" if module.transposed else "Conv2D", settings, weights)


MODULES: dict[type[nn.Module], Callable[[Any, Place], Layer]] = {
    nn.Linear: _dense,
    _BatchNorm: _batch_norm,
    SameConv: _conv,
    SameConvTranspose: _conv,
    Reshape: lambda m, place: Layer("Reshape", {"target_shape": [*m.shape[1:], m.shape[0]]}),
    nn.Flatten: lambda m, place: Layer("Flatten", {}),
    nn.Upsample: lambda m, place: Layer("UpSampling2D", {"size": 2}),
    nn.AvgPool2d: lambda m, place: Layer("AveragePooling2D", {"pool_size": 2}),
    nn.MaxPool2d: lambda m, place: Layer("MaxPooling2D", {"pool_size": 2}),
    PixelNorm: lambda m, place: Layer(
        "RMSNormalization", {"epsilon": 1e-8}, (np.ones(place.shape[0], np.float32),)
    ),
    nn.LeakyReLU: lambda m, place: Layer("LeakyReLU", {"negative_slope": m.negative_slope}),
    nn.ReLU: lambda m, place: Layer("Activation", {"activation": "relu"}),
    nn.SiLU: lambda m, place: Layer("Activation", {"activation": "silu"}),
    nn.GELU: lambda m, place: Layer("Activation", {"activation": "gelu"}),
    nn.Tanh: lambda m, place: Layer("Activation", {"activation": "tanh"}),
    nn.Sigmoid: lambda m, place: Layer("Activation", {"activation": "sigmoid"}),
    nn.Identity: lambda m, place: Layer("Activation", {"activation": "linear"}),
    Dropout: lambda m, place: Layer("Dropout", {"rate": m.p}),
}
"""The modules of the layer notation, and how each becomes a layer of Keras."""


# --- the whole network ------------------------------------------------------------------------------------


def layers_of(model: Generator) -> list[Layer]:
    """Return the layers of a generator; ModelError if Keras has no layers for its network."""
    network = model.network
    if not isinstance(network, FeedForwardGenerator):
        raise ModelError(
            f"the family '{model.meta['family']}' has no counterpart in Keras's layers, as dcgan and vanilla "
            "have; choose .onnx for a whole program, or .npz for the weights"
        )
    if network.label_dim:
        raise ModelError(".keras holds models without labels; choose .onnx for conditional ones, or .npz")
    modules, found = list(copy.deepcopy(network.layers).cpu()), []
    x = torch.zeros(1, network.z_dim)
    inputs: Array | None = None  # the order of a picture that has become features
    for i, module in enumerate(modules):
        make = next((row for kind, row in MODULES.items() if isinstance(module, kind)), None)
        if make is None:
            raise ModelError(f"its layer '{type(module).__name__}' is none of Keras's; choose .onnx or .npz")
        flat = x.ndim == 2
        place = Place(x.shape[1:], inputs, _picture_order(modules[i + 1 :]) if flat else None)
        found.append(make(module, place))
        if isinstance(module, nn.Linear):
            inputs = None
        elif isinstance(module, nn.Flatten) and not flat:
            inputs = _order(x.shape[1:])
        with torch.inference_mode():
            x = module(x)
    if network.unit_range:
        found.append(Layer("Rescaling", {"scale": 2.0, "offset": -1.0}))
    return found


def _order(shape: Sequence[int]) -> Array:
    """Return which of PyTorch's features (C, H, W) each of Keras's (H, W, C) is."""
    c, h, w = shape
    return np.arange(c * h * w).reshape(c, h, w).transpose(1, 2, 0).ravel()


def _picture_order(following: Sequence[nn.Module]) -> Array | None:
    """Return the order of features that become a picture before the next dense layer; None if they do not."""
    for module in following:
        if isinstance(module, Reshape):
            return _order(module.shape)
        if isinstance(module, nn.Linear):
            return None
    return None


def _named(layers: Sequence[Layer]) -> Iterator[tuple[str, Layer]]:
    """Yield each layer with the name that Keras counts for it: dense, dense_1."""
    counted: dict[str, int] = {}
    for layer in layers:
        base = snake_case(layer.kind)
        counted[base] = counted.get(base, -1) + 1
        yield base + (f"_{counted[base]}" if counted[base] else ""), layer


def _configuration(model: Generator, layers: Sequence[Layer]) -> dict[str, Any]:
    shape = [None, model.latent.dim]
    entries = [Layer("InputLayer", {"batch_shape": shape, "dtype": "float32"}), *layers]
    written = [
        {
            "module": "keras.layers",
            "class_name": layer.kind,
            "config": {"name": name, **layer.config},
            "registered_name": None,
        }
        for name, layer in _named(entries)
    ]
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "generator", "layers": written, "build_input_shape": shape},
        "registered_name": None,
        "build_config": {"input_shape": shape},
    }


def keras_model(model: Generator, part: str, weights: str) -> bytes:
    """Return a generator as the content of a ``.keras`` file.

    Raises:
        InputError: a package is missing.
        ModelError: Keras has no layers for its network.
    """
    if importlib.util.find_spec("h5py") is None:
        raise InputError(".keras needs the package h5py: pip install 'facegan[exchange]'")
    import h5py

    layers, kind = layers_of(model), np.float16 if weights == "float16" else np.float32
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        for name, layer in _named(layers):
            group = file.create_group(f"layers/{name}/vars")
            for i, array in enumerate(layer.weights):
                group.create_dataset(str(i), data=np.ascontiguousarray(array, kind))
        file.create_group("vars")
    members: dict[str, str | bytes] = {
        "metadata.json": json.dumps({"keras_version": "3.0.0", "date_saved": "1980-01-01@00:00:00"}),
        "config.json": json.dumps(_configuration(model, layers)),
        ABOUT: json.dumps(described(model, part)),
        "model.weights.h5": stored.getvalue(),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), member)
    return content.getvalue()


def keras_runner(content: bytes) -> Run:
    """Return what draws with such a file: facegan's own reader of Keras's files."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model.keras"
        place.write_bytes(content)
        model = build(read_keras.read(Source(place), ImportOptions()), {})
    return lambda inputs: model(torch.from_numpy(inputs["z"])).numpy()
