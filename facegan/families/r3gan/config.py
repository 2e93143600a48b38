"""R3GAN (Huang et al. 2024): a modern residual network for the relativistic loss with R1 and R2.

The loss is ``--loss relativistic``, the penalties ``r1_gamma`` and ``r2_gamma`` at every update. What the
paper moves while training is in :mod:`facegan.training.schedules`, with its values in docs/r3gan.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.layers.halving import halve
from facegan.settings import setting


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """One network, from its smallest resolution upwards, and its optimiser."""

    widths: tuple[int, ...] = setting((), minimum=1)
    """Channels of each stage, 4x4 first: 64x64 pictures need five. Empty takes the paper's for the size."""
    blocks: tuple[int, ...] = setting((2,), minimum=0)
    """Residual blocks of each stage; a single number is for all of them."""
    group_size: int = setting(16, minimum=0)
    """Channels of a group in the 3x3 convolutions; 1 is depthwise, 0 is one group of all."""
    expansion: int = setting(2, minimum=1)
    """How many times wider than their stage residual blocks are inside."""
    kernel: int = setting(3, minimum=1)
    """Size of the grouped convolutions, odd."""
    beta1: float = 0.0
    beta2: float = 0.99


@dataclass(frozen=True)
class Config:
    """The paper's networks for the size of the pictures, of the same design on both sides."""

    generator: NetworkConfig = field(default_factory=NetworkConfig)
    discriminator: NetworkConfig = field(default_factory=NetworkConfig)


# Widths from 4x4 to 256x256: the paper's (table 9: FFHQ-256, whose first stages are those of FFHQ-64 and
# CIFAR-10), and ours for CPUs, which give each resolution about the same work.
WIDTHS = (768, 768, 768, 768, 384, 192, 96)
SMALL_WIDTHS = (256, 192, 128, 64, 32, 16, 8)


def base_size(height: int, width: int) -> tuple[tuple[int, int], int]:
    """Return the first stage's (height, width), with a shorter side of 4 to 7 px, and how many there are."""
    levels = halve(height, width)
    if not 4 <= min(levels[0]) <= 7 or len(levels) > len(WIDTHS):
        raise ConfigError(
            f"r3gan cannot make {width}x{height} pictures: both sides must be multiples of a power of two, "
            f"up to {2 ** (len(WIDTHS) - 1)}, that goes 4 to 7 times into the shorter{_near(height, width)}"
        )
    return levels[0], len(levels)


def _near(height: int, width: int) -> str:
    """Return the nearest sizes that work; "" for pictures that are not square."""
    if height != width:
        return ""
    sizes = [b << k for b in (4, 5, 6, 7) for k in range(len(WIDTHS))]
    near = sorted(sizes, key=lambda s: (abs(s - height), s))[:2]
    return f"; prepare with --size {min(near)} or {max(near)}"


def default_widths(size: int | Sequence[int], small: bool = False) -> tuple[int, ...]:
    """Return the stages' widths for pictures of ``size``, one side or (height, width), 4x4 first.

    ``small`` takes widths that a CPU can train, to go with ``group_size=1``: 0.14 GMAC a picture at 64 px, a
    ninetieth of the paper's. Measured on one core, channels-last, batch 16, discriminator forward, R1 and
    backward: 0.40 s in groups of 1, 0.69 of 8, 0.72 of 16, 0.75 of 32, 1.6 of all. Groups of 1 also leave
    most of the work to the 1x1 convolutions, as in the paper: its groups of 16 have a tenth of it at width
    768, but would have half at width 64.
    """
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    _, stages = base_size(height, width)
    return (SMALL_WIDTHS if small else WIDTHS)[:stages]


@dataclass(frozen=True)
class Stages:
    """What both networks' stages are made of, from the smallest resolution upwards."""

    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    expansion: int
    group_size: int
    kernel: int


def stages_of(
    config: NetworkConfig, image_shape: Sequence[int], option: str
) -> tuple[tuple[int, int], Stages]:
    """Return the size of the first stage and what all are made of; ConfigError names ``option``."""
    _, height, width = image_shape
    base, count = base_size(height, width)
    widths = tuple(config.widths) or default_widths((height, width))
    blocks = tuple(config.blocks) * count if len(config.blocks) == 1 else tuple(config.blocks)
    sizes = f"{width}x{height} pictures have {count} stages, from {base[1]}x{base[0]} upwards"
    for name, values in (("widths", widths), ("blocks", blocks)):
        if len(values) != count:
            raise ConfigError(f"--{option}.{name}: {sizes}, but {len(values)} numbers are given")
    if config.kernel % 2 == 0:
        raise ConfigError(f"--{option}.kernel must be odd, not {config.kernel}")
    for inner in (n * config.expansion for n in widths):
        if config.group_size and inner % config.group_size:
            raise ConfigError(
                f"--{option}.group-size {config.group_size} does not divide the {inner} channels inside the "
                f"blocks of width {inner // config.expansion} (0 is one group of all)"
            )
    return base, Stages(widths, blocks, config.expansion, config.group_size, config.kernel)
