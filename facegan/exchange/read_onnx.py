"""Reads ONNX generators: a graph of z, and of labels, to pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping

from facegan.errors import ModelError
from facegan.exchange.base import Imported, ImportOptions, Source
from facegan.exchange.graph import Graph
from facegan.exchange.onnx_call import BATCH, Call, Known, Value
from facegan.exchange.onnx_file import OnnxGraph, OnnxNode, load, looks_like_onnx
from facegan.exchange.onnx_ops import OPS
from facegan.exchange.output_range import to_pictures
from facegan.exchange.own_files import about, latent_of, named_labels, ranged
from facegan.exchange.stylegan2 import class_labels

MAX_FOLDED = 2**25  # numbers of the constants that a graph may compute, beside four times its weights

recognises = looks_like_onnx


def read(source: Source, options: ImportOptions) -> Imported:
    """Return the generator; ModelError names the node that cannot be understood."""
    onnx = load(source)
    z_name, labels_name = _inputs(onnx)
    label_dim = _label_dim(onnx, labels_name)
    z_shape = _sizes(onnx.inputs[z_name], z_name)
    graph = Graph(math.prod(z_shape), label_dim)
    values: dict[str, Value | Known] = {name: Known(array) for name, array in onnx.constants.items()}
    z = graph.z if len(z_shape) == 1 else graph.add("reshape", graph.z, shape=z_shape)
    values[z_name] = Value(z)
    if labels_name:
        embedded = len(onnx.inputs[labels_name]) < 2 or onnx.inputs[labels_name][-1] in (1, None)
        values[labels_name] = Value(graph.labels, rank=len(onnx.inputs[labels_name]) if embedded else 2)
    output = _follow(onnx, graph, values, batch=onnx.inputs[z_name][0])
    ours = about(onnx.metadata)
    pictures = _channels_first(graph, output)
    config, state, image_shape = graph.finish(to_pictures(graph, pictures, ranged(ours, options)))
    labels = {**class_labels(label_dim), **named_labels(ours, label_dim)}
    notes = [] if options.prior or ours else ["the latent is not in the file: normal is assumed (--prior)"]
    if label_dim:
        named = ", ".join(labels["labels"][:3])
        notes.append(f"its {label_dim} labels are called {named}{', ...' * (label_dim > 3)}")
    numbers = sum(value.numel() for value in state.values())
    return Imported(
        "graph",
        config,
        state,
        image_shape,
        latent_of(ours, graph.z_dim, options),
        taken=[f"{len(onnx.nodes)} nodes, {numbers:,} numbers"],
        notes=notes,
        licence=options.licence or str(onnx.metadata.get("licence", "")),
        **labels,
    )


# --- inputs ------------------------------------------------------------------------------------------


def _inputs(onnx: OnnxGraph) -> tuple[str, str]:
    """Return the names of z and of the labels, "" if there are none."""
    names = list(onnx.inputs)
    if list(names) == ["w"] and "facegan" in onnx.metadata:
        raise ModelError("this graph takes w; facegan export --part all writes one that takes z")
    if not 1 <= len(names) <= 2:
        raise ModelError(
            f"a graph with {len(names)} inputs ({', '.join(names[:5])}); a generator takes z, or z and labels"
        )
    if len(names) == 1:
        return names[0], ""
    words = ("label", "class", "cond", "y", "c")
    called = [n for n in names if any(w in n.lower() if len(w) > 1 else n.lower() == w for w in words)]
    labels = called[0] if called else names[1]
    return next(name for name in names if name != labels), labels


def _sizes(shape: tuple[int | None, ...], name: str) -> tuple[int, ...]:
    found = tuple(n for n in shape[1:] if n is not None)
    if len(shape) < 2 or len(found) != len(shape) - 1 or sum(n > 1 for n in found) > 1:
        raise ModelError(f"the input '{name[:60]}' has the shape {shape}; a generator takes a vector, (N, z)")
    return found


def _label_dim(onnx: OnnxGraph, name: str) -> int:
    if not name:
        return 0
    shape = onnx.inputs[name]
    if len(shape) == 2 and shape[1] not in (1, None):
        return int(shape[1] or 0)
    # The number of a class, which some node looks up in a table.
    tables = [
        node
        for node in onnx.nodes
        if node.op == "Gather" and node.inputs[:1] and node.inputs[0] in onnx.constants
    ]
    found = [
        len(onnx.constants[node.inputs[0]]) for node in tables if onnx.constants[node.inputs[0]].ndim == 2
    ]
    return found[0] if found else 1


# --- nodes -------------------------------------------------------------------------------------------


def _follow(onnx: OnnxGraph, graph: Graph, values: dict[str, Value | Known], *, batch: int | None) -> Value:
    """Add the nodes that the output depends on, in the file's order, which runs from inputs to outputs."""
    needed, left = _needed(onnx), MAX_FOLDED + 4 * sum(array.size for array in onnx.constants.values())
    for node in onnx.nodes:
        if not needed & set(node.outputs):
            continue
        try:
            made = _call(node, graph, values, batch=batch or BATCH, opset=onnx.opset)
        except ModelError as error:
            raise ModelError(f"node '{node.name}' ({node.op[:60]}): {error}") from None
        for name, value in zip(node.outputs, made, strict=False):
            values[name] = value
            left -= value.array.size if isinstance(value, Known) else 0
        if left < 0:
            raise ModelError(f"node '{node.name}': the graph computes more constants than a model has")
    output = values.get(onnx.output)
    if not isinstance(output, Value):
        raise ModelError("its output does not depend on z")
    return output


def _needed(onnx: OnnxGraph) -> set[str]:
    needed = {onnx.output}
    for node in reversed(onnx.nodes):
        if needed & set(node.outputs):
            needed |= set(node.inputs)
    return needed


def _call(
    node: OnnxNode, graph: Graph, values: Mapping[str, Value | Known], *, batch: int, opset: int
) -> list[Value | Known]:
    given = []
    for name in node.inputs:
        if name and name not in values:
            raise ModelError(f"its input '{name[:60]}' has not been made")
        given.append(values[name] if name else None)
    call = Call(graph, node.op, node.attributes, given, batch, opset)
    if node.op == "Constant":
        return [call.constant()]
    if all(one is None or isinstance(one, Known) for one in given):
        return [call.folded()]
    if node.op not in OPS:
        raise ModelError("the operation is unknown")
    try:
        made = OPS[node.op](call)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise ModelError(f"its inputs or attributes do not fit ({str(error)[:80]})") from None
    return made if isinstance(made, list) else [made]


def _channels_first(graph: Graph, output: Value) -> str:
    """Return the pictures as (C, H, W)."""
    shape = graph.shape(output.name)
    if len(shape) == 3 and shape[0] not in (1, 3) and shape[2] in (1, 3):
        return graph.add("permute", output.name, order=(2, 0, 1))
    return output.name
