"""Configurations of Keras models as plain records: which layers there are, and what feeds them.

Unknown keys are ignored, so that configurations of all versions can be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from facegan.errors import ModelError

MAX_BYTES = 16 * 2**20
MAX_LAYERS = 4096
MAX_DEPTH = 12  # of models in models
MODELS = ("Sequential", "Functional", "Model", "Graph")
Ref = tuple[str, int, int]
"""A layer's name, which of its calls, and which of the outputs."""


@dataclass
class Layer:
    """A layer, or a model that serves as one."""

    kind: str
    """The name of its class."""
    name: str
    config: dict[str, Any]
    path: tuple[str, ...]
    """Names of the models around it, without the outermost, and its own: how ``.h5`` names weights."""
    stored: str
    """Where ``.keras`` and ``.weights.h5`` have its weights, ``layers/dense_1``: classes are counted."""
    calls: list[list[Ref]] = field(default_factory=list)
    model: Model | None = None


@dataclass
class Model:
    """A Sequential or Functional model as its configuration describes it."""

    name: str
    sequential: bool
    layers: list[Layer]
    inputs: list[Ref] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    input_shape: Any = None
    """Of a Sequential: that of the batch, where it is known."""


def parsed(text: str | bytes, what: str) -> dict[str, Any]:
    """Return a JSON object."""
    if len(text) > MAX_BYTES:
        raise ModelError(f"{what} of {len(text):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError(f"{what} is not readable JSON") from None
    if not isinstance(found, dict):
        raise ModelError(f"{what} is no configuration of a Keras model")
    return found


def models_of(raw: dict[str, Any]) -> list[Model]:
    """Return all models of a configuration that facegan can follow, the outer ones first.

    Raises:
        ModelError: there is none, or it cannot be understood.
    """
    found: list[Model] = []
    kind, config = raw.get("class_name"), raw.get("config")
    if kind in MODELS:
        found = list(_nested(_model(raw, (), "", depth=0)))
    elif isinstance(config, dict):  # a class of the user's own, which may hold whole models
        for key, value in config.items():
            if isinstance(value, dict) and value.get("class_name") in MODELS:
                found += _nested(_model(value, (str(key),), str(key), depth=0))
    if not found:
        raise ModelError(
            f"the model is of the class '{str(kind)[:60]}', whose code is not in the file and would not be "
            f"run; save its generator, a Sequential or functional model, by itself"
        )
    return found


def _nested(model: Model) -> Iterator[Model]:
    yield model
    for layer in model.layers:
        if layer.model is not None:
            yield from _nested(layer.model)


def snake_case(name: str) -> str:
    """Return a class's name as Keras writes it in files: Conv2DTranspose is conv2d_transpose."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _model(raw: dict[str, Any], path: tuple[str, ...], stored: str, *, depth: int) -> Model:
    if depth > MAX_DEPTH:
        raise ModelError(f"models within models, more than {MAX_DEPTH} deep")
    config = raw.get("config")
    sequential = raw["class_name"] == "Sequential"
    if isinstance(config, list):  # before Keras 2.2.3
        config = {"layers": config}
    entries = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(entries, list) or not entries:
        raise ModelError(f"the model '{raw['class_name']}' of the configuration has no layers")
    if len(entries) > MAX_LAYERS:
        raise ModelError(f"a model of {len(entries):,} layers; at most {MAX_LAYERS:,} are read")
    counted: dict[str, int] = {}
    layers = [
        _layer(entry, path, f"{stored}/layers".lstrip("/"), counted=counted, depth=depth) for entry in entries
    ]
    name = str(config.get("name") or raw.get("name") or raw["class_name"])
    if sequential:
        return Model(name, True, layers, input_shape=_input_shape(config, layers))
    if len({layer.name for layer in layers}) != len(layers):
        raise ModelError(f"the model '{name}' has two layers of one name")
    model = Model(name, False, layers, _refs(config.get("input_layers")), _refs(config.get("output_layers")))
    _renumber(model)
    return model


def _renumber(model: Model) -> None:
    """Count the calls of inner models from 0: Keras 2 counts from 1 those that begin with an input."""
    named = [*model.outputs, *(ref for layer in model.layers for call in layer.calls for ref in call)]
    most: dict[str, int] = {}
    for name, call, _ in named:
        most[name] = max(most.get(name, 0), call)
    shifted = {
        layer.name
        for layer in model.layers
        if layer.model is not None and most.get(layer.name, 0) == len(layer.calls) > 0
    }

    def counted(refs: list[Ref]) -> list[Ref]:
        return [(name, call - (name in shifted), output) for name, call, output in refs]

    model.outputs = counted(model.outputs)
    for layer in model.layers:
        layer.calls = [counted(call) for call in layer.calls]


def _layer(entry: Any, path: tuple[str, ...], stored: str, *, counted: dict[str, int], depth: int) -> Layer:
    kind = entry.get("class_name") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or len(kind) > 200:
        raise ModelError("the configuration has a layer without a class")
    config = entry.get("config")
    settings = config if isinstance(config, dict) else {}
    name = str(entry.get("name") or settings.get("name") or kind)
    base = snake_case(kind)
    counted[base] = counted.get(base, -1) + 1
    place = f"{stored}/{base}" + (f"_{counted[base]}" if counted[base] else "")
    calls = [_refs(node) for node in _list(entry.get("inbound_nodes"))]
    layer = Layer(kind, name, settings, (*path, name), place, calls)
    if kind in MODELS:
        layer.model = _model(entry, layer.path, place, depth=depth + 1)
    return layer


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _input_shape(config: dict[str, Any], layers: list[Layer]) -> Any:
    first = layers[0]
    if first.model is not None and first.model.sequential and first.model.input_shape is not None:
        return first.model.input_shape
    for key in ("batch_input_shape", "batch_shape"):
        if first.config.get(key) is not None:
            return first.config[key]
    return config.get("build_input_shape")


def _refs(value: Any) -> list[Ref]:
    """Return all outputs of layers that a node names: ``["dense", 0, 0, {}]``, or ``keras_history``."""
    found: list[Ref] = []
    todo = [value]
    for _ in range(100_000):
        if not todo:
            break
        item = todo.pop()
        if isinstance(item, list) and len(item) >= 3 and isinstance(item[0], str):
            if not all(type(n) is int for n in item[1:3]):
                raise ModelError("a layer takes a value that is no other layer's output")
            found.append((item[0], item[1], item[2]))
        elif isinstance(item, list):
            todo += reversed(item)
        elif isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            config = item.get("config")
            todo.append(config.get("keras_history") if isinstance(config, dict) else None)
        elif isinstance(item, dict):
            todo += reversed(list(item.values()))
    return found
