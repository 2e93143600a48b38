"""The generator of the library stylegan2-pytorch (Phil Wang)."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.settings import setting


@dataclass(frozen=True)
class GeneratorConfig:
    """Mapping and synthesis network, from 4x4 upwards."""

    mapping_layers: int = setting(8, minimum=1)
    """Layers of the mapping network."""
    widths: tuple[int, ...] = setting((), minimum=1)
    """Channels of each resolution."""
    attention: tuple[int, ...] = setting((), minimum=0)
    """Resolutions, counted from 0, that begin with attention."""
    const: bool = True
    """Whether the first map is learned; else it is made of the mean w."""


@dataclass(frozen=True)
class Config:
    """The generator alone."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
