"""What the feed-forward families share: settings in the layer notation, and building from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facegan.errors import ConfigError
from facegan.layers.notation import Layer, parse, scale
from facegan.settings import setting

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam (Kingma and Ba 2015) for one network."""

    lr: float = setting(2e-4, above=0)
    """Learning rate."""
    beta1: float = setting(0.5, minimum=0, below=1)
    """Decay of the first moment."""
    beta2: float = setting(0.999, minimum=0, below=1)
    """Decay of the second moment."""
    eps: float = setting(1e-8, minimum=0)
    """Adam's epsilon."""
    eps_hat: bool = False
    """Add epsilon before the second moment's bias is corrected, as Keras does (Adam, end of section 2)."""
    lr_decay: float = setting(0.0, minimum=0)
    """Divides the rate by 1 + lr_decay x updates, as Keras's `decay` does."""


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
    """The layers after the quick settings; raises ConfigError that names ``option``."""
    layers = parse(config.layers, f"{option}.layers")
    return scale(layers, config.width, config.activation, config.kernel_size, config.depth)


def _no_labels(label_dim: int) -> None:
    if label_dim:
        raise ConfigError("--condition: this recipe's networks take no labels; see 'facegan recipes'")


def build_generator(
    config: NetworkConfig, image_shape: Sequence[int], z_dim: int, label_dim: int = 0
) -> nn.Module:
    from facegan.layers.feedforward import Builder, FeedForwardGenerator

    _no_labels(label_dim)
    builder = Builder(image_shape, config.bn_eps, config.bn_momentum, "generator.layers")
    layers = resolved_layers(config, "generator")
    return FeedForwardGenerator(layers, z_dim, builder, config.unit_range, config.init)


def build_discriminator(config: NetworkConfig, image_shape: Sequence[int], label_dim: int = 0) -> nn.Module:
    from facegan.layers.feedforward import Builder, FeedForwardDiscriminator

    _no_labels(label_dim)
    builder = Builder(image_shape, config.bn_eps, config.bn_momentum, "discriminator.layers")
    layers = resolved_layers(config, "discriminator")
    return FeedForwardDiscriminator(layers, builder, config.unit_range, config.init)
