"""A network as data: nodes in the order in which they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig


@dataclass(frozen=True)
class Node:
    """One operation.

    Its weights are ``layers.NAME.WEIGHT`` in the network's state: ``layers.conv_3.weight``.
    """

    op: str
    """A row of ``OPS`` (:mod:`facegan.families.graph.ops`)."""
    name: str
    """What others call its output: letters, digits and underscores, with a digit among them."""
    inputs: tuple[str, ...] = ()
    """Names of earlier nodes, ``z`` (the latent, ``z_dim``), or ``labels`` (``label_dim``)."""
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Settings of the operation; what is left out has the default that OPS says."""


@dataclass(frozen=True)
class GraphConfig(OptimizerConfig):
    """The generator. The last node's output is the picture, (C, H, W) in [-1, 1]."""

    nodes: tuple[Node, ...] = ()

    def __post_init__(self) -> None:
        """Take nodes as JSON has them, too."""
        try:
            nodes = tuple(node if isinstance(node, Node) else _node(**node) for node in self.nodes)
        except TypeError:
            raise ConfigError("generator.nodes: not a list of nodes") from None
        object.__setattr__(self, "nodes", nodes)


def _node(op: str, name: str, *, inputs: Any = (), attributes: Any = None) -> Node:
    return Node(op, name, tuple(inputs), dict(attributes or {}))


@dataclass(frozen=True)
class Config:
    """A generator without a discriminator, whose settings stay unused."""

    generator: GraphConfig = field(default_factory=GraphConfig)
    discriminator: OptimizerConfig = field(default_factory=OptimizerConfig)
