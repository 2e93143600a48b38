"""What the feed-forward families share: settings in the layer notation, and building from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facegan.errors import ConfigError
from facegan.layers.notation import Layer, parse, scale

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam (Kingma and Ba 2015) for one network."""

    lr: float = 2e-4
    """Learning rate."""
    beta1: float = 0.5
    """Decay of the first moment."""
    beta2: float = 0.999
    """Decay of the second moment."""
    eps: float = 1e-8
    """Adam's epsilon."""
    eps_hat: bool = False
    """Add epsilon before the second moment's bias is corrected, as Keras does (Adam, end of section 2)."""
    lr_decay: float = 0.0
    """Divides the rate by 1 + lr_decay x updates, as Keras's `decay` does."""


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """One network and its optimiser. The quick settings change what the notation says."""

    layers: str = ""
    """The network in the layer notation (see facegan/layers/notation.py)."""
    width: float = 1.0
    """Multiplies every hidden channel count."""
    depth: int = 0
    """Further 3 x 3 convolutions after each change of resolution."""
    activation: str = ""
    """Replaces every hidden activation: relu, lrelu, lrelu0.3, silu, gelu, tanh. Empty leaves them."""
    kernel_size: int = 0
    """Replaces the kernel size of hidden convolutions; 0 leaves them."""
    unit_range: bool = False
    """The network works on [0, 1] instead of [-1, 1]."""
    init: str = "dcgan"
    """Initial weights: glorot, dcgan (N(0, 0.02)) or he."""
    bn_eps: float = 1e-5
    """Batch norm's epsilon."""
    bn_momentum: float = 0.1
    """Weight of the new batch in batch norm's running statistics (1 minus Keras's momentum)."""


def resolved_layers(config: NetworkConfig, option: str) -> list[Layer]:
    """The layers after the quick settings; raises ConfigError that names ``option``."""
    if config.init not in ("glorot", "dcgan", "he"):
        raise ConfigError(f"{option}.init: '{config.init}' is unknown (known: glorot, dcgan, he)")
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
