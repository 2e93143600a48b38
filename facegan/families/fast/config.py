"""Our own networks: the best faces per CPU second (recipe ``faces-fast-64``; docs/results/faces-fast.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.settings import check_values, setting


@dataclass(frozen=True)
class GeneratorConfig(OptimizerConfig):
    """Generator and its optimiser."""

    lr: float = 5e-4
    """Learning rate."""
    beta1: float = 0.0
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""
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
class DiscriminatorConfig(OptimizerConfig):
    """Discriminator and its optimiser."""

    lr: float = 5e-4
    """Learning rate."""
    beta1: float = 0.0
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""
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


def check(
    config: GeneratorConfig | DiscriminatorConfig,
    option: str,
    image_shape: Sequence[int],
    judges: Sequence[str] = (),
) -> None:
    """Raise ConfigError for settings that cannot be, or not for pictures of that shape.

    ``judges`` are what ``projected`` may name.
    """
    check_values(config, f"{option}.")
    scales = len(config.widths)
    if scales < 2:
        raise ConfigError(f"--{option}.widths needs at least two numbers")
    stages = scales if isinstance(config, GeneratorConfig) else scales - 1
    if len(config.blocks) != stages:
        raise ConfigError(f"--{option}.blocks needs {stages} numbers, one for each resolution")
    whole = (config.head if isinstance(config, GeneratorConfig) else config.stem) * 2 ** (scales - 1)
    _, height, width = image_shape
    if height % whole or width % whole:
        raise ConfigError(
            f"--{option}.widths: {scales} resolutions need sides that are multiples of {whole}, "
            f"not {height}x{width} px"
        )
    if isinstance(config, DiscriminatorConfig) and config.projected not in ("", *judges):
        raise ConfigError(
            f"--{option}.projected '{config.projected}' is unknown (known: {', '.join(judges)})"
        )
