"""What the feed-forward families share: settings in the layer notation, and building from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facegan.families.base import Family, OptimizerConfig
from facegan.layers.notation import Layer, parse, scale
from facegan.settings import setting

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """One network and its optimiser. The quick settings change what the notation says."""

    layers: str = ""
    """The network in the layer notation (see facegan/layers/notation.py)."""
    width: float = setting(1.0, above=0, quiet=True)
    """Multiplies every hidden channel count."""
    depth: int = setting(0, minimum=0, quiet=True)
    """Further 3 x 3 convolutions after each change of resolution."""
    activation: str = setting("", quiet=True)
    """Replaces every hidden activation: relu, lrelu, lrelu0.3, silu, gelu, tanh. Empty leaves them."""
    kernel_size: int = setting(0, minimum=0, quiet=True)
    """Replaces the kernel size of hidden convolutions; 0 leaves them."""
    unit_range: bool = False
    """The network works on [0, 1] instead of [-1, 1]."""
    init: str = setting("dcgan", choices=("glorot", "dcgan", "he"))
    """Initial weights; dcgan is N(0, 0.02)."""
    bn_eps: float = setting(1e-5, minimum=0)
    """Batch norm's epsilon."""
    bn_momentum: float = setting(0.1, minimum=0, maximum=1)
    """Weight of the new batch in batch norm's running statistics (1 minus Keras's momentum)."""


def resolved_layers(config: NetworkConfig, option: str) -> list[Layer]:
    """Return the layers after the quick settings; ConfigError names ``option``."""
    layers = parse(config.layers, f"{option}.layers")
    return scale(layers, config.width, config.activation, kernel=config.kernel_size, depth=config.depth)


class FeedForward(Family):
    """A family whose networks are written in the layer notation."""

    conditional = True
    width_setting = "width"

    def build_generator(
        self, settings: NetworkConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.layers.feedforward import Builder, FeedForwardGenerator

        self.check("generator", settings, label_dim)
        builder = Builder(image_shape, settings.bn_eps, settings.bn_momentum, option="generator.layers")
        layers = resolved_layers(settings, "generator")
        return FeedForwardGenerator(
            layers,
            z_dim,
            builder,
            unit_range=settings.unit_range,
            init=settings.init,
            label_dim=label_dim,
        )

    def build_discriminator(
        self, settings: NetworkConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.layers.feedforward import Builder, FeedForwardDiscriminator

        self.check("discriminator", settings, label_dim)
        builder = Builder(image_shape, settings.bn_eps, settings.bn_momentum, option="discriminator.layers")
        layers = resolved_layers(settings, "discriminator")
        return FeedForwardDiscriminator(
            layers, builder, settings.unit_range, init=settings.init, label_dim=label_dim
        )
