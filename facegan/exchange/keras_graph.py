"""Following a Keras model from its inputs to its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facegan.errors import ModelError
from facegan.exchange.graph import Graph
from facegan.exchange.keras_config import Layer, Model, Ref
from facegan.exchange.keras_context import Context, Value
from facegan.exchange.keras_layers import add_layer
from facegan.exchange.keras_weights import Store

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Inputs:
    """What a generator takes."""

    z_shape: Shape
    """Without the batch, as Keras has it; (100,), or (1, 1, 100)."""
    z_place: int = 0
    """Which of the model's inputs z is."""
    label_shape: Shape | None = None
    label_dim: int = 0
    embedded: bool = False
    """Whether labels are the numbers of classes, which an Embedding looks up."""


def inputs_of(model: Model) -> Inputs | None:
    """Return what a model takes; None if that is neither a vector nor a vector with labels."""
    if model.sequential:
        shapes, names = [_shape(model.input_shape)], [""]
    else:
        layers = {layer.name: layer for layer in model.layers}
        given = [layers[name] for name, _, _ in model.inputs if name in layers]
        shapes, names = [_shape(_declared(layer)) for layer in given], [layer.name for layer in given]
    if not 1 <= len(shapes) <= 2 or any(shape is None for shape in shapes):
        return None
    found = [shape for shape in shapes if shape is not None]
    if len(found) == 1:
        return Inputs(found[0]) if _is_vector(found[0]) else None
    count = _classes(model)
    # The labels are those that are embedded, or are called so; else what comes second.
    called = [i for i, name in enumerate(names) if any(w in name.lower() for w in ("label", "class", "cond"))]
    numbers = [i for i, shape in enumerate(found) if count and shape in ((), (1,))]
    place = (numbers or called or [1])[0]
    z, labels = found[1 - place], found[place]
    if not _is_vector(z) or len(labels) > 1:
        return None
    return Inputs(z, 1 - place, labels, count or (labels[0] if labels else 1), bool(count))


def _declared(layer: Layer) -> Any:
    config = layer.config
    own = next((config[k] for k in ("batch_input_shape", "batch_shape") if config.get(k) is not None), None)
    return layer.model.input_shape if own is None and layer.model is not None else own


def _shape(value: Any) -> Shape | None:
    """Return the shape without the batch; None if some size is unknown."""
    if not isinstance(value, list) or not value or not all(type(n) is int and n >= 1 for n in value[1:]):
        return None
    return tuple(value[1:])


def _is_vector(shape: Shape) -> bool:
    return bool(shape) and sum(n > 1 for n in shape) <= 1


def _classes(model: Model) -> int:
    """Return the classes of the model's embedding, of inner models', too; 0 if it has none."""
    for layer in model.layers:
        if layer.kind == "Embedding" and type(layer.config.get("input_dim")) is int:
            return int(layer.config["input_dim"])
        if layer.model is not None and (count := _classes(layer.model)):
            return count
    return 0


def draw(model: Model, inputs: Inputs, store: Store) -> tuple[Graph, Value]:
    """Return the graph of a model and its output.

    Raises:
        ModelError: a layer is unknown, its weights are missing, or shapes do not fit.
    """
    size = max(inputs.z_shape)
    graph = Graph(size, inputs.label_dim)
    z = Value(graph.z)
    if inputs.z_shape != (size,):
        z = Value(graph.add("reshape", graph.z, shape=inputs.z_shape))
    given = [z]
    if inputs.label_shape is not None:
        given.insert(1 - inputs.z_place, Value(graph.labels))
    follower = Follower(graph, store, inputs.label_shape or ())
    return graph, follower.run(model, given)


class Follower:
    """Adds models to a graph, the inner ones as the outer ones call them."""

    def __init__(self, graph: Graph, store: Store, label_shape: Shape) -> None:
        self.graph, self.store, self.label_shape = graph, store, label_shape

    def run(self, model: Model, given: Sequence[Value]) -> Value:
        if model.sequential:
            if len(given) != 1:
                raise ModelError(f"the model '{model.name}' takes {len(given)} values")
            value = given[0]
            for layer in model.layers:
                value = self._call(layer, [value])
            return value
        if len(given) != len(model.inputs) or len(model.outputs) != 1:
            raise ModelError(
                f"the model '{model.name}' has {len(model.inputs)} inputs, of which {len(given)} are given, "
                f"and {len(model.outputs)} outputs"
            )
        layers = {layer.name: layer for layer in model.layers}
        values: dict[tuple[str, int], Value] = {}
        for (name, call, _), value in zip(model.inputs, given, strict=True):
            values[name, call] = value
        return self._follow(model.outputs[0], layers, values)

    def _follow(self, wanted: Ref, layers: dict[str, Layer], values: dict[tuple[str, int], Value]) -> Value:
        """Call layers until the wanted value is there, each after those that feed it."""
        todo, waiting = [wanted], set()
        while todo:
            name, call, output = todo[-1]
            place = (name, call)
            if place in values:
                todo.pop()
                continue
            layer = layers.get(name)
            if layer is None or not 0 <= call < len(layer.calls) or output:
                raise ModelError(f"the configuration names a value '{name[:60]}' that no layer makes")
            missing = [ref for ref in layer.calls[call] if ref[:2] not in values]
            if not missing:
                values[place] = self._call(layer, [values[ref[:2]] for ref in layer.calls[call]])
            elif place in waiting:
                raise ModelError(f"the layer '{name[:60]}' waits for its own output")
            waiting.add(place)
            todo += missing
        return values[wanted[:2]]

    def _call(self, layer: Layer, given: list[Value]) -> Value:
        if layer.model is not None:
            return self.run(layer.model, given)
        return add_layer(Context(self.graph, layer, self.store, label_shape=self.label_shape), given)
