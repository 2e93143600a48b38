"""The range of pictures, from the last activation of a graph, or from ``--output-range``."""

from __future__ import annotations

from facegan.errors import ModelError
from facegan.exchange.base import ImportOptions
from facegan.exchange.graph import Graph

SAME = ("reshape", "permute", "slice", "upsample", "depth_to_space")
"""Operations that leave the range of their input as it is."""
SCALES = {"-1..1": (1.0, 0.0), "0..1": (2.0, -1.0), "0..255": (2 / 255, -1.0)}


def to_pictures(graph: Graph, output: str, options: ImportOptions) -> str:
    """Add what brings the output to [-1, 1], and return its name.

    Raises:
        ModelError: the range is unknown; the line names the option.
    """
    ends_in = _range(graph, output)
    wanted = options.output_range
    if wanted in ("tanh", "sigmoid") and ends_in != {"tanh": "-1..1", "sigmoid": "0..1"}[wanted]:
        output, ends_in = graph.add(wanted, output), {"tanh": "-1..1", "sigmoid": "0..1"}[wanted]
    elif wanted in SCALES:
        ends_in = wanted
    if not ends_in:
        raise ModelError(
            "its last layer does not tell the range of its pictures; give --output-range (-1..1, 0..1, "
            "0..255; tanh or sigmoid if that is still to be applied)"
        )
    factor, offset = SCALES[ends_in]
    if (factor, offset) != (1.0, 0.0) or output != graph.nodes[-1].name:
        output = graph.add("scale", output, factor=factor, offset=offset)
    return output


def _range(graph: Graph, output: str) -> str:
    """Return the range that the last operation gives; "" if it has none."""
    nodes = {node.name: node for node in graph.nodes}
    while output in nodes and nodes[output].op in SAME:
        output = nodes[output].inputs[0]
    node = nodes.get(output)
    if node is None:
        return ""
    if node.op == "clip":
        bounds = (node.attributes.get("low"), node.attributes.get("high"))
        return {(-1.0, 1.0): "-1..1", (0.0, 1.0): "0..1", (0.0, 255.0): "0..255"}.get(bounds, "")  # type: ignore[arg-type]
    return {"tanh": "-1..1", "sigmoid": "0..1"}.get(node.op, "")
