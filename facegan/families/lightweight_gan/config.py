"""The generator of the library lightweight-gan (Phil Wang), after Liu et al. 2021."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.settings import setting


@dataclass(frozen=True)
class GeneratorConfig:
    """From 4x4 upwards; each layer doubles the resolution."""

    widths: tuple[int, ...] = setting((), minimum=1)
    """Channels that each layer gives: 8x8 first."""
    attention: tuple[int, ...] = setting((), minimum=0)
    """Layers, counted from 0, that begin with attention."""
    frequencies: bool = False
    """Whether excitation looks at frequencies of a map, not at a weighted mean of its pixels."""


@dataclass(frozen=True)
class Config:
    """The generator alone."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
