"""Writing a network down as a graph: what readers of chains of layers, of Keras and of ONNX share.

    graph = Graph(z_dim=100)
    x = graph.add("reshape", graph.z, shape=(100, 1, 1))
    x = graph.add("conv_transpose", x, weights={"weight": kernel}, out=512, kernel=(4, 4), bias=False)
    x = graph.add("tanh", x)
    config, state, image_shape = graph.finish(x)

Each node is checked as it is added, so that mistakes name the layer that they come from. Weights are
PyTorch's (:data:`facegan.families.graph.ops.OPS`); pictures are channels-first, in [-1, 1] at the end. A
reader of channels-last networks reshapes to (H, W, C) and permutes by (2, 0, 1) after a dense layer. Labels
are one number for each name: an embedding of classes is a ``linear`` layer without bias on ``graph.labels``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facegan.errors import ConfigError, ModelError
from facegan.families.graph.config import Config, GraphConfig, Node
from facegan.families.graph.ops import MAX_NODES, Shape, check_node

if TYPE_CHECKING:
    from torch import Tensor


MAX_SIDE = 4096  # px


class Graph:
    """A graph that grows by :meth:`add`. ``z`` and ``labels`` are the names of its inputs."""

    z, labels = "z", "labels"

    def __init__(self, z_dim: int, label_dim: int = 0) -> None:
        if not 1 <= z_dim <= 1 << 20 or not 0 <= label_dim <= 1 << 16:
            raise ModelError(f"a latent of {z_dim} numbers and {label_dim} labels")
        self.z_dim, self.label_dim = z_dim, label_dim
        self.nodes: list[Node] = []
        self.state: dict[str, Tensor] = {}
        self.shapes: dict[str, Shape] = {"z": (z_dim,), **({"labels": (label_dim,)} if label_dim else {})}

    def add(
        self, op: str, *inputs: str, weights: Mapping[str, Tensor] | None = None, **attributes: Any
    ) -> str:
        """Add a node, and return its name.

        Args:
            op: a row of OPS.
            inputs: names that earlier calls returned, ``z`` or ``labels``.
            weights: all that the operation has, by name; floating-point numbers become float32.
            attributes: settings of the operation.

        Raises:
            ModelError: the node cannot be, or its weights are missing or have other shapes.
        """
        if len(self.nodes) >= MAX_NODES:
            raise ModelError(f"a network of more than {MAX_NODES} operations")
        node = Node(op, f"{op}_{len(self.nodes)}", inputs, attributes)
        try:
            step = check_node(node, self.shapes)
        except ConfigError as error:
            raise ModelError(str(error)) from None
        given = dict(weights or {})
        found = {name: tuple(value.shape) for name, value in given.items()}
        if found != step.weights:
            raise ModelError(f"node {node.name}: its weights have the shapes {found}, not {step.weights}")
        self.nodes.append(node)
        self.state |= {f"layers.{node.name}.{name}": value.float() for name, value in given.items()}
        self.shapes[node.name] = step.shape
        return node.name

    def shape(self, name: str) -> Shape:
        """Return the shape of an output, without the batch."""
        return self.shapes[name]

    def finish(self, output: str) -> tuple[Config, dict[str, Tensor], tuple[int, int, int]]:
        """Return configuration, state and the shape of the pictures; ``output`` is the last node.

        Raises:
            ModelError: the output is no picture of one or three channels.
        """
        shape = self.shapes[output]
        if not self.nodes or output != self.nodes[-1].name:
            raise ModelError("the picture is not what the last operation makes")
        if len(shape) != 3 or shape[0] not in (1, 3):
            raise ModelError(f"the network makes {shape}, not pictures of one or three channels (C, H, W)")
        if max(shape) > MAX_SIDE:
            raise ModelError(f"the network makes pictures of {shape[2]}x{shape[1]} px; at most {MAX_SIDE} px")
        return Config(GraphConfig(nodes=tuple(self.nodes))), self.state, (shape[0], shape[1], shape[2])
