"""BigGAN (Brock, Donahue and Simonyan 2019): settings, and the shape of both networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.layers.halving import halve
from facegan.settings import setting

DEPTH = 2
"""Residual blocks at each resolution of the deep variant, of which one changes the resolution."""


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """What both networks have in common, and the optimiser."""

    width: int = setting(96, minimum=1)
    """Channels that the multipliers multiply: ch in the paper, 96 there, or 128 with `deep`."""
    multipliers: tuple[int, ...] = setting((), minimum=1)
    """Channels of each stage in units of `width`, in the order in which a picture is made or judged. Empty
    takes the paper's for the size."""
    attention: int = setting(64, minimum=0)
    """Self-attention on the maps whose shorter side has this many px; 0 leaves it out."""
    deep: bool = False
    """BigGAN-deep: blocks with bottlenecks, two for each resolution; each block sees all of z."""
    spectral_norm: bool = True
    """Divide each weight by its largest singular value."""
    beta1: float = 0.0


@dataclass(frozen=True)
class GeneratorConfig(NetworkConfig):
    """The generator; its first multiplier is that of the smallest maps, 4x4."""

    shared_dim: int = setting(128, minimum=1)
    """Numbers in the embedding of the labels that all blocks share."""
    bn_eps: float = setting(1e-5, above=0)
    """Batch norm's epsilon."""
    bn_momentum: float = setting(0.1, minimum=0, maximum=1)
    """Weight of the new batch in batch norm's running statistics."""
    lr: float = 5e-5


@dataclass(frozen=True)
class DiscriminatorConfig(NetworkConfig):
    """The discriminator; its first multiplier is that of the first block (`deep`: of the first layer)."""


@dataclass(frozen=True)
class Config:
    """The paper's networks for the size of the pictures (appendix B, tables 4 to 9)."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


# By the number of resolutions from 4 px on: 128 px have 6. The paper has tables for 128, 256 and 512 px;
# those for 32 and 64 px are its authors' elsewhere.
UP = {
    4: (4, 4, 4, 4),
    5: (16, 16, 8, 4, 2),
    6: (16, 16, 8, 4, 2, 1),
    7: (16, 16, 8, 8, 4, 2, 1),
    8: (16, 16, 8, 8, 4, 2, 1, 1),
}
DOWN = {
    4: (4, 4, 4, 4),
    5: (1, 2, 4, 8, 16),
    6: (1, 2, 4, 8, 16, 16),
    7: (1, 2, 4, 8, 8, 16, 16),
    8: (1, 1, 2, 4, 8, 8, 16, 16),
}


@dataclass(frozen=True)
class Plan:
    """The shape of a network: sizes (height, width) from the smallest map up, and channels of each stage."""

    sizes: tuple[tuple[int, int], ...]
    channels: tuple[int, ...]

    def stage_of(self, side: int) -> int:
        """Return which of ``sizes`` has this shorter side; -1 for none."""
        return next((i for i, size in enumerate(self.sizes) if min(size) == side), -1)


def plan_of(settings: NetworkConfig, image_shape: Sequence[int], option: str) -> Plan:
    """Return the shape of the network that ``option`` (generator or discriminator) names.

    Raises:
        ConfigError: There is no such network for these pictures.
    """
    _, height, width = image_shape
    sizes = halve(height, width)
    if not 4 <= min(sizes[0]) <= 7 or not 2 <= len(sizes) <= max(UP):
        raise ConfigError(
            f"biggan cannot make {width}x{height} pictures: both sides must be multiples of a power of two, "
            f"from 2 to {2 ** (max(UP) - 1)}, that goes 4 to 7 times into the shorter; prepare with "
            "--size 64 or 128"
        )
    table = UP if option == "generator" else DOWN
    multipliers = tuple(settings.multipliers) or table.get(len(sizes), ())
    if len(multipliers) != len(sizes):
        raise ConfigError(
            f"--{option}.multipliers: {width}x{height} pictures have {len(sizes)} stages, but "
            f"{len(multipliers)} numbers are given"
        )
    plan = Plan(tuple(sizes), tuple(settings.width * m for m in multipliers))
    inside = plan.sizes[1:] if option == "generator" else plan.sizes[:-1]
    if settings.attention and settings.attention not in [min(size) for size in inside]:
        known = ", ".join(str(min(size)) for size in inside)
        raise ConfigError(
            f"--{option}.attention {settings.attention}: there are no such maps for {width}x{height} "
            f"pictures; choose {known}, or 0 for none"
        )
    return plan


def slots_of(settings: GeneratorConfig, stages: int) -> int:
    """Return how many layers take w: the first one, and each block."""
    return 1 + (stages - 1) * (DEPTH if settings.deep else 1)


def chunk_of(settings: GeneratorConfig, stages: int, z_dim: int) -> int:
    """Return how many numbers of z each layer takes; ConfigError if they cannot be shared out equally."""
    slots = slots_of(settings, stages)
    if settings.deep:
        return z_dim
    if z_dim % slots:
        near = sorted({max(slots, z_dim // slots * slots), (z_dim // slots + 1) * slots})
        raise ConfigError(
            f"--latent.dim {z_dim}: these networks share z out equally to {slots} layers; choose "
            f"{' or '.join(map(str, near))}"
        )
    return z_dim // slots
