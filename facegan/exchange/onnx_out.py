"""A part of a generator as one ONNX graph, checked against PyTorch.

Modulation stays where the networks have it, on activations (:func:`facegan.layers.ops.modulated_conv2d`), so
that one graph serves every batch. A network's own noise is a constant of the graph: a seed is the same
picture in any batch and any session.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facegan.errors import InputError
from facegan.exchange.parity import Run
from facegan.exchange.tracing import axes, described, inputs_of, traced
from facegan.generator import Generator
from facegan.machine import cores
from facegan.tensor_files import MAX_HALF
from facegan.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18  # the oldest that PyTorch's exporter writes without converting
_HALVED = (
    2048  # smaller tensors, such as the scales of batch norms, stay as they are: halving them saves nothing
)


def onnx_graph(model: Generator, part: str = "all", weights: str = "float32") -> bytes:
    """Return the content of an ``.onnx`` file: ``z`` (and ``labels``) or ``w`` in, ``images`` or ``w`` out.

    Args:
        model: the generator.
        part: ``all`` (z to pictures), ``map`` (z to w) or ``synthesize`` (w to pictures).
        weights: how they are stored: float32, or float16 behind Cast nodes, which runtimes fold when they
            load the graph. It computes in float32 either way.

    Raises:
        InputError: a package is missing.
    """
    check_packages()
    proto = to_onnx(
        traced(model, part),
        inputs=inputs_of(model, part),
        output="w" if part == "map" else "images",
        weights=weights,
    )
    names = [", ".join(v.name for v in values) for values in (proto.graph.input, proto.graph.output)]
    describe(
        proto,
        axes(model),
        name=f"{model.meta['family']}-{part}",
        text=f"A face generator of facegan: {' -> '.join(names)}. The metadata say more.",
        facts=described(model, part),
    )
    return checked(proto)


def check_packages() -> None:
    """Raise InputError if a package is missing that writes graphs."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"ONNX needs the package {missing[0]}: pip install 'facegan[exchange]'")


def to_onnx(
    program: torch.export.ExportedProgram, *, inputs: list[str], output: str, weights: str
) -> ModelProto:
    """Return a traced program as a graph that says nothing yet of the model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = torch.onnx.export(
            program,
            dynamo=True,
            input_names=inputs,
            output_names=[output],
            opset_version=OPSET,
            external_data=False,
            optimize=True,
            verbose=False,
        )
    assert written is not None
    proto: ModelProto = written.model_proto
    _strip(proto)
    if weights == "float16":
        _halve(proto.graph)
    return proto


def checked(proto: ModelProto) -> bytes:
    """Return the content of the file; onnx raises if the graph breaks a rule of the format."""
    import onnx

    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString())


def _strip(proto: ModelProto) -> None:
    """Remove what the tracer notes of every node: lines of source code, with the paths of this machine."""
    graph = proto.graph
    graph.ClearField("value_info")
    for item in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        item.ClearField("doc_string")
        item.ClearField("metadata_props")


def _halve(graph: Any) -> None:
    """Store large tensors in half precision, each behind a Cast to float32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _HALVED:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        if np.abs(values).max() > MAX_HALF:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.float16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    graph.ClearField("node")
    graph.node.extend(nodes)


def describe(
    proto: ModelProto, about: Mapping[str, str], *, name: str, text: str, facts: Mapping[str, str]
) -> None:
    """Write into the file who made it, what the model is, and ``about`` what goes in and comes out."""
    from onnx import helper

    proto.producer_name, proto.producer_version = "facegan", __version__
    proto.graph.name = name
    for value in (*proto.graph.input, *proto.graph.output):
        value.doc_string = about[value.name]
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    proto.doc_string = text
    helper.set_model_props(proto, dict(facts))


def onnx_runner(content: bytes) -> Run | None:
    """Return what runs a graph with onnxruntime; None where that is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]
