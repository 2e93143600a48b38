"""Our own networks: the best faces per CPU second (recipe ``faces-fast-64``; docs/results/faces-fast.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig


@dataclass(frozen=True)
class GeneratorConfig(OptimizerConfig):
    """Generator and its optimiser."""

    lr: float = 5e-4
    """Learning rate."""
    beta1: float = 0.0
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""
    widths: tuple[int, ...] = (256, 256, 128, 64)
    """Channels at each resolution, from the smallest to the one before the picture's head."""
    blocks: tuple[int, ...] = (0, 0, 1, 1)
    """Further residual blocks at each resolution."""
    head: int = 2
    """The picture is shuffled out of so many times as few pixels; 1 works at full resolution."""
    upsample: str = "convT"
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
    widths: tuple[int, ...] = (64, 128, 256, 256)
    """Channels at each resolution, from the highest that is worked at to the smallest."""
    blocks: tuple[int, ...] = (0, 0, 0)
    """Further residual blocks before each halving."""
    stem: int = 2
    """Pictures are shuffled into so many times as few pixels first; 1 works at full resolution."""
    down: str = "conv4"
    """How resolution is halved: conv4 (4 x 4, stride 2), shuffle, or res (residual, with averages)."""
    mbstd: bool = True
    """A channel with the deviation between pictures of the batch."""
    projected: str = ""
    """Heads judge by this bundled attribute network's feature maps, too; empty: none do."""
    projected_width: int = 128
    """Channels of those heads."""
    projected_weight: float = 0.6
    """Weight of their loss (hinge)."""


@dataclass(frozen=True)
class Config:
    """Two networks of about two million weights."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


UPSAMPLE, DOWN = ("nearest", "shuffle", "convT"), ("conv4", "shuffle", "res")


def _check(
    option: str,
    config: GeneratorConfig | DiscriminatorConfig,
    factor: int,
    blocks: int,
    size: Sequence[int],
) -> None:
    if len(config.widths) < 2 or min(config.widths) < 1:
        raise ConfigError(f"--{option}.widths needs at least two numbers above 0")
    if len(config.blocks) != blocks or min(config.blocks) < 0:
        raise ConfigError(f"--{option}.blocks needs {blocks} numbers, one for each resolution")
    whole = factor * 2 ** (len(config.widths) - 1)
    if factor < 1 or any(n % whole for n in size):
        raise ConfigError(
            f"--{option}.widths: {len(config.widths)} resolutions need sides that are multiples of {whole}, "
            f"not {size[0]}x{size[1]} px"
        )


def check_generator(config: GeneratorConfig, image_shape: Sequence[int]) -> None:
    """Raise ConfigError for settings that cannot be, or not for pictures of that shape."""
    _check("generator", config, config.head, len(config.widths), image_shape[1:])
    if config.upsample not in UPSAMPLE:
        raise ConfigError(
            f"--generator.upsample '{config.upsample}' is unknown (known: {', '.join(UPSAMPLE)})"
        )


def check_discriminator(
    config: DiscriminatorConfig, image_shape: Sequence[int], judges: Sequence[str]
) -> None:
    """Raise ConfigError as :func:`check_generator` does; ``judges`` are what ``projected`` may name."""
    _check("discriminator", config, config.stem, len(config.widths) - 1, image_shape[1:])
    if config.down not in DOWN:
        raise ConfigError(f"--discriminator.down '{config.down}' is unknown (known: {', '.join(DOWN)})")
    if config.projected and config.projected not in judges:
        raise ConfigError(
            f"--discriminator.projected '{config.projected}' is unknown (known: {', '.join(judges)})"
        )
    if config.projected and (config.projected_width < 1 or config.projected_weight <= 0):
        raise ConfigError("--discriminator.projected_width and projected_weight must be above 0")
