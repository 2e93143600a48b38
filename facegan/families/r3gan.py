"""R3GAN (Huang et al. 2024): a modern residual network for the relativistic loss with R1 and R2.

The loss is ``--loss relativistic``, the penalties ``r1_gamma`` and ``r2_gamma`` at every update. What the
paper moves while training is in :mod:`facegan.nets.schedule`, with its values in docs/r3gan.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from facegan.errors import ConfigError
from facegan.families.feedforward import OptimizerConfig

if TYPE_CHECKING:
    from torch import nn

    from facegan.nets.r3gan_nets import Stages

CONDITIONAL = True
"""The networks take labels."""


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """One network, from its smallest resolution upwards, and its optimiser."""

    widths: tuple[int, ...] = ()
    """Channels of each stage, 4x4 first, so that 64x64 pictures need five; empty takes the paper's for
    the size."""
    blocks: tuple[int, ...] = (2,)
    """Residual blocks of each stage; a single number is for all of them."""
    group_size: int = 16
    """Channels of a group in the 3x3 convolutions; 1 is depthwise, 0 is one group of all."""
    expansion: int = 2
    """How many times wider than their stage residual blocks are inside."""
    kernel: int = 3
    """Size of the grouped convolutions, odd."""
    lr: float = 2e-4
    """Learning rate."""
    beta1: float = 0.0
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""


@dataclass(frozen=True)
class Config:
    """The paper's networks for the size of the pictures, of the same design on both sides."""

    generator: NetworkConfig = field(default_factory=NetworkConfig)
    discriminator: NetworkConfig = field(default_factory=NetworkConfig)


def base_size(height: int, width: int) -> tuple[tuple[int, int], int]:
    """(height, width) of the first stage, with a short side from 4 to 7, and the number of stages."""
    h, w, stages = height, width, 1
    while h % 2 == 0 and w % 2 == 0 and min(h, w) >= 8:
        h, w, stages = h // 2, w // 2, stages + 1
    if not 4 <= min(h, w) <= 7:
        near = {s for n in (height, width) for s in _neighbours(n)}
        raise ConfigError(
            f"r3gan cannot make {height}x{width} pictures: halved as often as it goes they are {h}x{w}, and "
            f"the short side must come to 4, 5, 6 or 7; prepare with --size {' or '.join(map(str, sorted(near)))}"
        )
    return (h, w), stages


def _neighbours(n: int) -> list[int]:
    """The sizes just below and above ``n`` that halve down to 4, 5, 6 or 7."""
    sizes = [b << k for b in (4, 5, 6, 7) for k in range(12)]
    return [*(max(s for s in sizes if s <= n) for _ in range(n >= 4)), min(s for s in sizes if s > n)]


def default_widths(size: int | Sequence[int], small: bool = False) -> tuple[int, ...]:
    """Widths of the stages for pictures of ``size``, one side or (height, width)."""
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    _, stages = base_size(height, width)
    return tuple(max(16, 768 >> max(0, i - 3)) for i in range(stages))


def _stages(config: NetworkConfig, image_shape: Sequence[int], option: str) -> tuple[tuple[int, int], Stages]:
    from facegan.nets.r3gan_nets import Stages

    _, height, width = image_shape
    base, count = base_size(height, width)
    widths = config.widths or default_widths((height, width))
    blocks = config.blocks * count if len(config.blocks) == 1 else config.blocks
    return base, Stages(widths, blocks, config.expansion, config.group_size, config.kernel)


def build_generator(
    config: NetworkConfig, image_shape: Sequence[int], z_dim: int, label_dim: int = 0
) -> nn.Module:
    from facegan.nets.r3gan_nets import Generator

    base, stages = _stages(config, image_shape, "generator")
    return Generator(z_dim, label_dim, base, image_shape[0], stages)


def build_discriminator(config: NetworkConfig, image_shape: Sequence[int], label_dim: int = 0) -> nn.Module:
    from facegan.nets.r3gan_nets import Discriminator

    base, stages = _stages(config, image_shape, "discriminator")
    return Discriminator(label_dim, base, image_shape[0], stages)
