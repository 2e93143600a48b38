"""The content of an ONNX file as plain Python and NumPy; sizes are checked before memory is taken."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facegan.errors import InputError, ModelError
from facegan.exchange.base import Source

if TYPE_CHECKING:
    import numpy as np

MAX_BYTES = 2**31 - 1  # protobuf's own bound
MAX_NODES = 20_000
FLOATS = ("FLOAT", "DOUBLE", "FLOAT16")
INTEGERS = ("INT64", "INT32", "BOOL", "UINT8", "INT8")


@dataclass(frozen=True)
class OnnxNode:
    """One operation."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class OnnxGraph:
    """A graph as it stands in the file."""

    nodes: list[OnnxNode]
    constants: dict[str, np.ndarray]
    inputs: dict[str, tuple[int | None, ...]]
    """Shapes of the inputs that are no constants, with the batch; None is a free size."""
    output: str
    metadata: dict[str, str]
    opset: int


def looks_like_onnx(source: Source) -> bool:
    """Return whether the file begins as ONNX files do, with the version of the format."""
    return source.kind == "" and source.head[:1] == b"\x08" and b"\x01" <= source.head[1:2] <= b"\x40"


def load(source: Source) -> OnnxGraph:
    """Return the graph of a file; ModelError if it is damaged, or is more than one plain graph."""
    if importlib.util.find_spec("onnx") is None:
        raise InputError("ONNX needs the package onnx: pip install 'facegan[exchange]'")
    import onnx

    if source.size > MAX_BYTES:
        raise ModelError(f"a file of {source.size / 2**30:.0f} GiB; ONNX files have at most 2 GiB")
    try:
        proto = onnx.ModelProto.FromString(source.path.read_bytes())
    except Exception as error:  # protobuf's DecodeError; its package is none of ours to import
        raise ModelError(f"not a readable ONNX file ({type(error).__name__})") from None
    graph = proto.graph
    if not graph.node:
        raise ModelError("not a readable ONNX file (it has no nodes)")
    if len(graph.node) > MAX_NODES:
        raise ModelError(f"a graph of {len(graph.node):,} nodes; at most {MAX_NODES:,} are read")
    if len(graph.output) != 1:
        raise ModelError(f"a graph with {len(graph.output)} outputs; a generator has one, the pictures")
    if proto.functions:
        raise ModelError(
            f"it defines operations of its own ({proto.functions[0].name[:60]}); "
            "onnx.inliner.inline_local_functions writes them out"
        )
    constants = {tensor.name: array_of(tensor) for tensor in graph.initializer}
    if graph.sparse_initializer:
        raise ModelError("it has sparse weights, which are not read")
    inputs = {value.name: _shape(value) for value in graph.input if value.name not in constants}
    return OnnxGraph(
        [_node(node) for node in graph.node],
        constants,
        inputs,
        graph.output[0].name,
        {item.key: item.value for item in proto.metadata_props},
        max((item.version for item in proto.opset_import if item.domain in ("", "ai.onnx")), default=1),
    )


def _shape(value: Any) -> tuple[int | None, ...]:
    kind = value.type.tensor_type
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.shape.dim
    )


def array_of(tensor: Any) -> np.ndarray:
    """Return the numbers of a tensor, floating-point ones in single precision."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    name = tensor.name[:100]
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ModelError(
            f"the weights '{name}' are in another file, which is not opened; save the model as one file "
            "(onnx.save_model with save_as_external_data=False)"
        )
    kind = (
        TensorProto.DataType.Name(tensor.data_type) if 0 <= tensor.data_type <= 23 else "of an unknown type"
    )
    if kind not in (*FLOATS, *INTEGERS):
        raise ModelError(f"the weights '{name}' are {kind}, which is not read")
    if any(size < 0 for size in tensor.dims):
        raise ModelError(f"the weights '{name}' have the shape {tuple(tensor.dims)}")
    count = math.prod(tensor.dims)
    given = len(tensor.raw_data) or len(tensor.float_data) + len(tensor.int32_data) + len(
        tensor.int64_data
    ) + len(tensor.double_data)
    if given < count:
        raise ModelError(f"the weights '{name}' should be {count:,} numbers, which are not in the file")
    try:
        found = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError, LookupError) as error:
        raise ModelError(f"the weights '{name}' are damaged ({str(error)[:80]})") from None
    return found.astype(np.float32 if kind in FLOATS else np.int64, copy=False)


def _node(node: Any) -> OnnxNode:
    from onnx import AttributeProto

    name = (node.name or ", ".join(node.output))[:100]
    if node.domain not in ("", "ai.onnx"):
        raise ModelError(
            f"node '{name}': {node.domain[:40]}.{node.op_type[:40]} is no operation of ONNX itself"
        )
    attributes: dict[str, Any] = {}
    for item in node.attribute:
        if item.type == AttributeProto.FLOAT:
            attributes[item.name] = float(item.f)
        elif item.type == AttributeProto.INT:
            attributes[item.name] = int(item.i)
        elif item.type == AttributeProto.STRING:
            attributes[item.name] = item.s.decode("utf-8", "replace")
        elif item.type == AttributeProto.INTS:
            attributes[item.name] = tuple(map(int, item.ints))
        elif item.type == AttributeProto.FLOATS:
            attributes[item.name] = tuple(map(float, item.floats))
        elif item.type == AttributeProto.TENSOR:
            attributes[item.name] = array_of(item.t)
        elif item.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise ModelError(
                f"node '{name}': {node.op_type[:40]} runs a graph of its own, which is not followed"
            )
    return OnnxNode(node.op_type, name, tuple(node.input), tuple(node.output), attributes)
