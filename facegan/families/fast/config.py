"""Our own networks: the best faces per CPU second (recipe ``faces-fast-64``; docs/results/faces-fast.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.settings import setting


@dataclass(frozen=True)
class AdamConfig(OptimizerConfig):
    """Adam with the defaults of this family."""

    lr: float = 5e-4
    beta1: float = 0.0
    beta2: float = 0.99


@dataclass(frozen=True)
class GeneratorConfig(AdamConfig):
    """Generator and its optimiser."""

    widths: tuple[int, ...] = setting((256, 256, 128, 64), minimum=1)
    """Channels at each resolution, from the smallest to the one before the picture's head."""
    blocks: tuple[int, ...] = setting((0, 0, 1, 1), minimum=0)
    """Further residual blocks at each resolution."""
    head: int = setting(2, minimum=1)
    """The picture is shuffled out of so many times as few pixels; 1 works at full resolution."""
    upsample: str = setting("convT", choices=("nearest", "shuffle", "convT"))
    """nearest (then 3 x 3), shuffle (of four times the channels) or convT (4 x 4, stride 2)."""
    style: bool = True
    """The latent vector scales and shifts the channels of each stage."""
    excite: bool = False
    """Skip-layer excitation from the lowest to the highest resolution."""
    tanh: bool = True
    """End with tanh."""


@dataclass(frozen=True)
class DiscriminatorConfig(AdamConfig):
    """Discriminator and its optimiser."""

    widths: tuple[int, ...] = setting((64, 128, 256, 256), minimum=1)
    """Channels at each resolution, from the highest that is worked at to the smallest."""
    blocks: tuple[int, ...] = setting((0, 0, 0), minimum=0)
    """Further residual blocks before each halving."""
    stem: int = setting(2, minimum=1)
    """Pictures are shuffled into so many times as few pixels first; 1 works at full resolution."""
    down: str = setting("conv4", choices=("conv4", "shuffle", "res"))
    """How resolution is halved: conv4 (4 x 4, stride 2), shuffle, or res (residual, with averages)."""
    mbstd: bool = True
    """A channel with the deviation between pictures of the batch."""
    projected: str = ""
    """Heads judge by this bundled attribute network's feature maps, too; empty: none do."""
    projected_width: int = setting(128, minimum=1)
    """Channels of those heads."""
    projected_weight: float = setting(0.6, above=0)
    """Weight of their loss (hinge)."""


@dataclass(frozen=True)
class Config:
    """Two networks of about two million weights."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


def check_shape_of(
    side: str, config: GeneratorConfig | DiscriminatorConfig, blocks: int, *, image_shape: Sequence[int]
) -> None:
    """Raise ConfigError for lists of another length, and for pictures that do not halve so often."""
    factor = config.head if isinstance(config, GeneratorConfig) else config.stem
    if len(config.widths) < 2:
        raise ConfigError(f"--{side}.widths needs at least two numbers")
    if len(config.blocks) != blocks:
        raise ConfigError(f"--{side}.blocks needs {blocks} numbers, one for each resolution")
    whole = factor * 2 ** (len(config.widths) - 1)
    _, height, width = image_shape
    if height % whole or width % whole:
        raise ConfigError(
            f"--{side}.widths: {len(config.widths)} resolutions need sides that are multiples of {whole}, "
            f"not {height}x{width} px"
        )
