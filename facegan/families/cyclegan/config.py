"""Settings of the family; their defaults are the paper's for 256 px (Zhu et al. 2017, section 7)."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.families import translator_config as shared


@dataclass(frozen=True)
class GeneratorConfig(shared.GeneratorConfig):
    """Generators and their optimisers."""

    layout: str = "resnet"
    widths: tuple[int, ...] = (64, 128, 256)
    blocks: int = 9
    norm: str = "instance"


@dataclass(frozen=True)
class DiscriminatorConfig(shared.DiscriminatorConfig):
    """Discriminators and their optimisers."""

    norm: str = "instance"


@dataclass(frozen=True)
class Config:
    """Residual networks for both directions, and discriminators of patches of 70x70 px for both domains."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
