"""A node of ONNX in the making: its inputs, constant or not, and the graph that it joins.

Values have the batch as their first axis in ONNX, and none in the graph: axis n of ONNX is axis n - 1 there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from facegan.errors import ModelError
from facegan.exchange.graph import Graph
from facegan.exchange.onnx_fold import fold, whole_numbers
from facegan.exchange.windows import same_pads

BATCH = 7919
"""Stands for a free batch in arithmetic of shapes."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Known:
    """A constant."""

    array: np.ndarray


@dataclass(frozen=True)
class Value:
    """An output of the graph; ``rank`` is that of labels which ONNX has as numbers of classes."""

    name: str
    rank: int = 0


@dataclass
class Call:
    """A node in the making."""

    graph: Graph
    op: str
    attributes: dict[str, Any]
    given: list[Value | Known | None]
    batch: int
    opset: int

    def folded(self) -> Known:
        arrays = [one.array for one in self.given if isinstance(one, Known)]
        return Known(fold(self.op, self.attributes, arrays))

    def constant(self) -> Known:
        for key in ("value", "value_float", "value_int", "value_floats", "value_ints"):
            if key in self.attributes:
                found = np.asarray(self.attributes[key])
                return Known(found.astype(np.float32 if found.dtype.kind == "f" else np.int64))
        raise ModelError("a constant without numbers")

    def add(
        self, op: str, *inputs: str, weights: dict[str, np.ndarray] | None = None, **attributes: Any
    ) -> Value:
        tensors = {k: torch.from_numpy(np.array(v, np.float32)) for k, v in (weights or {}).items()}
        return Value(self.graph.add(op, *inputs, weights=tensors, **attributes))

    def shape(self, place: int = 0) -> Shape:
        """Return the shape of an input, without the batch."""
        return self.graph.shape(self.name(place))

    def name(self, place: int = 0) -> str:
        """Return the name of an input, which becomes a node if it is constant."""
        one = self.given[place]
        if isinstance(one, Known):
            return self.fixed(one.array)
        if one is None:
            raise ModelError("an input is missing")
        return one.name

    def fixed(self, array: np.ndarray) -> str:
        """Add a constant; ONNX aligns shapes at their ends, so a first axis of 1 may be the batch."""
        axes = max(len(self.graph.shape(one.name)) for one in self.given if isinstance(one, Value))
        shape = array.shape
        if len(shape) > axes:
            if shape[: len(shape) - axes] not in ((1,), (self.batch,)):
                raise ModelError(
                    f"a constant of the shape {shape} beside values of {axes} axes and the batch"
                )
            array = array[0]
        return (
            self.add("constant", weights={"value": array}, shape=array.shape or (1,)).name
            if array.shape
            else (self.add("constant", weights={"value": array.reshape(1)}, shape=(1,)).name)
        )

    def has(self, place: int) -> bool:
        return len(self.given) > place and self.given[place] is not None

    def known(self, place: int, attribute: str = "") -> np.ndarray:
        """Return an input that must be constant; in older versions it was an attribute."""
        if attribute in self.attributes:
            return np.asarray(self.attributes[attribute])
        one = self.given[place] if self.has(place) else None
        if not isinstance(one, Known):
            raise ModelError(
                f"its input {place + 1} is no constant, so that it is no layer with weights of its own"
            )
        return one.array

    def number(self, key: str, default: float) -> float:
        return float(self.attributes.get(key, default))

    def axis(self, value: Any, place: int = 0) -> int:
        """Return an axis of ONNX as one of the graph; ModelError if it is the batch."""
        axes = len(self.shape(place)) + 1
        found = int(value) + (axes if value < 0 else 0)
        if not 1 <= found < axes:
            raise ModelError(f"it works along axis {value}, the batch or none at all")
        return found - 1

    def axes(self, place: int) -> tuple[int, ...]:
        """Return the axes of an attribute, or of an input; () if none are given."""
        if "axes" not in self.attributes and not self.has(place):
            return ()
        return tuple(self.axis(n) for n in whole_numbers(self.known(place, "axes")))

    def reshaped(self, name: str, shape: Shape) -> Value:
        return Value(name) if self.graph.shape(name) == shape else self.add("reshape", name, shape=shape)


Row = Callable[[Call], "Value | Known | list[Value | Known]"]


def window(c: Call, kernel: Shape) -> tuple[Any, Any, Any]:
    """Return strides, dilations, and pads as (top, bottom, left, right)."""
    if len(kernel) != 2:
        raise ModelError(f"a kernel of {len(kernel)} axes; pictures have two")
    stride, dilation = c.attributes.get("strides", (1, 1)), c.attributes.get("dilations", (1, 1))
    auto = c.attributes.get("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = same_pads(c.shape()[1:], kernel, stride, dilation=dilation)
        return stride, dilation, pads if auto == "SAME_UPPER" else (pads[1], pads[0], pads[3], pads[2])
    top, left, bottom, right = c.attributes.get("pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
    return stride, dilation, (top, bottom, left, right)
