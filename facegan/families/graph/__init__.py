"""Generators that are described as data, node by node: what other programs' models become when they come in.

:mod:`facegan.families.graph.ops` says which operations there are, :mod:`facegan.families.graph.config` how a
network is written down. ``facegan.exchange.graph.Graph`` writes one, node by node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import SampledFamily
from facegan.families.graph.config import Config, GraphConfig

if TYPE_CHECKING:
    from facegan.layers.network import GeneratorNetwork


class Graph(SampledFamily):
    """Networks that are described as data."""

    config = Config
    conditional = True
    any_shape = True

    def build_generator(
        self, settings: GraphConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.graph.networks import Generator

        self.check("generator", settings, label_dim)
        return Generator(settings.nodes, image_shape, z_dim, label_dim=label_dim)


FAMILY = Graph()
