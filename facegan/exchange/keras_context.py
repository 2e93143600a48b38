"""A layer of Keras in the making: its settings, its weights, and the graph that it joins.

Keras keeps pictures channels-last by default, the graph channels-first. A :class:`Value` remembers which of
both it is, so that axes are moved only where a layer (Reshape, Flatten, a dense layer) sees their order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from facegan.errors import ModelError
from facegan.exchange.graph import Graph
from facegan.exchange.keras_config import Layer
from facegan.exchange.keras_weights import Store

if TYPE_CHECKING:
    from torch import Tensor

Shape = tuple[int, ...]


class Value(NamedTuple):
    """An output of the graph; ``last`` is whether Keras has it as (H, W, C) and the graph as (C, H, W)."""

    name: str
    last: bool = False


class Context:
    """One layer in the making."""

    def __init__(self, graph: Graph, layer: Layer, store: Store, *, label_shape: Shape = ()) -> None:
        self.graph, self.layer, self.store, self.label_shape = graph, layer, store, label_shape
        self.config = layer.config

    def add(self, op: str, *inputs: str, weights: dict[str, Tensor] | None = None, **attributes: Any) -> str:
        return self.graph.add(op, *inputs, weights=weights, **attributes)

    def shape(self, value: Value) -> Shape:
        """Return the shape that Keras sees, without the batch."""
        shape = self.graph.shape(value.name)
        return (*shape[1:], shape[0]) if value.last else shape

    def plain(self, value: Value) -> str:
        """Return the name of the value in Keras's order of axes."""
        return self.add("permute", value.name, order=(1, 2, 0)) if value.last else value.name

    def picture(self, value: Value, last: bool) -> str:
        """Return the name of the value as (C, H, W), of which ``last`` says where Keras has the channels."""
        if len(self.graph.shape(value.name)) != 3:
            raise ModelError(f"it needs a picture, not {self.shape(value)}")
        if last:
            return value.name if value.last else self.add("permute", value.name, order=(2, 0, 1))
        return self.plain(value)

    @property
    def last(self) -> bool:
        """Whether the layer has channels last."""
        return self.config.get("data_format") != "channels_first"

    def number(self, *keys: str, default: float) -> float:
        """Return the first of the settings that is there; a dictionary's ``value`` is what Keras 2 wrote."""
        value = next((self.config[key] for key in keys if self.config.get(key) is not None), default)
        for _ in range(3):
            if isinstance(value, dict):
                value = value.get("value", value.get("config"))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ModelError(f"its {keys[0]} is no number")
        return float(value)

    def whole(self, key: str, default: int | None = None) -> int:
        value = self.config.get(key, default)
        if type(value) is not int or not 0 <= value <= 1 << 24:
            raise ModelError(f"its {key} is no whole number")
        return value

    def pair(self, key: str, default: int | None = None) -> tuple[int, int]:
        """Return (height, width)."""
        return pair_of(self.config.get(key, default), key)

    def on(self, key: str, default: bool = True) -> bool:
        value = self.config.get(key, default)
        return bool(value)

    def tensor(self, role: str, order: tuple[str, ...], *shape: int) -> Tensor:
        return self.store.tensor(self.layer, role, order, shape=shape)

    def weights(self, kernel: str, *shape: int, out: int) -> tuple[Tensor, Tensor | None]:
        """Return kernel, and bias if the layer has one."""
        order = (kernel, "bias") if self.on("use_bias") else (kernel,)
        bias = self.tensor("bias", order, out) if len(order) == 2 else None
        return self.tensor(kernel, order, *shape), bias

    def padding(self) -> str:
        value = self.config.get("padding", "valid")
        if value not in ("same", "valid"):
            raise ModelError(f"its padding '{value}' is unknown")
        return str(value)

    def constant(self, values: Tensor) -> str:
        return self.add("constant", weights={"value": values}, shape=tuple(values.shape))


def one_axis(c: Context, axes: int) -> int:
    """Return the axis that the layer names, without the batch."""
    value = c.config.get("axis", -1)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if type(value) is not int or not (1 <= value <= axes or -axes <= value < 0):
        raise ModelError(f"its axis {value} is none of {axes} behind the batch")
    return value - 1 if value > 0 else value + axes


def pair_of(value: Any, key: str) -> tuple[int, int]:
    """Return a pair of whole numbers, also of one that counts twice."""
    found = [value, value] if type(value) is int else value
    if (
        not isinstance(found, list)
        or len(found) != 2
        or not all(type(one) is int and 0 <= one <= 1 << 20 for one in found)
    ):
        raise ModelError(f"its {key} is no pair of whole numbers")
    return found[0], found[1]
