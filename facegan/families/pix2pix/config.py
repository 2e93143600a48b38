"""Settings of the family; their defaults are the paper's for 256 px (Isola et al. 2017, appendix 6.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.families import translator_config as shared


@dataclass(frozen=True)
class GeneratorConfig(shared.GeneratorConfig):
    """Generator and its optimiser."""

    dropout: float = 0.5


@dataclass(frozen=True)
class Config:
    """A U-Net, and a discriminator of patches of 70x70 px that sees input and result."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: shared.DiscriminatorConfig = field(default_factory=shared.DiscriminatorConfig)
