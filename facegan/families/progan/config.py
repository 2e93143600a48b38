"""Progressive growing (Karras et al. 2018): training begins at 4 x 4 px, and larger layers fade in."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.families.base import OptimizerConfig
from facegan.settings import setting


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """One of the two mirrored networks, and its Adam (appendix A.1)."""

    lr: float = 1e-3
    beta1: float = 0.0
    beta2: float = 0.99
    channel_base: int = setting(16384, minimum=1)
    """Channels are channel_base / resolution, channel_max at most (the paper's table 2: 256 at 64 px)."""
    channel_max: int = setting(512, minimum=1)
    """Channels of any layer, at most."""


@dataclass(frozen=True)
class GeneratorConfig(NetworkConfig):
    """Generator, and the schedule of growing that both networks follow."""

    stage_kimg: float = setting(600.0, minimum=0, scales=True)
    """How long training stays at each resolution, once its layers have faded in. 600 is what the authors'
    published settings have; the paper's appendix A.1 says 800."""
    fade_kimg: float = setting(600.0, minimum=0, scales=True)
    """How long new layers take to fade in."""


@dataclass(frozen=True)
class DiscriminatorConfig(NetworkConfig):
    """Discriminator with minibatch standard deviation (section 3)."""

    mbstd_group: int = setting(4, minimum=0)
    """Pictures in a group of the minibatch standard deviation."""


@dataclass(frozen=True)
class Config:
    """The paper's networks for 4 to 1,024 px; table 2 has them layer by layer."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


def level_at(config: Config, images_seen: int, levels: int) -> float:
    """Return the level, 0 at the smallest resolution to ``levels - 1``; between two, one fades in."""
    stage, fade = config.generator.stage_kimg * 1000, config.generator.fade_kimg * 1000
    if stage + fade <= 0:
        return float(levels - 1)
    whole, rest = divmod(images_seen, stage + fade)
    part = (rest - stage) / fade if rest > stage and fade > 0 else 0.0
    return min(whole + part, float(levels - 1))
