"""Progressive growing (Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and
variation"): training begins at 4 x 4 px and doubles the resolution again and again, fading new layers in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facegan.errors import ConfigError
from facegan.families.feedforward import OptimizerConfig
from facegan.settings import setting

if TYPE_CHECKING:
    from torch import nn

NON_SQUARE = True
"""Its networks make pictures of other shapes."""


@dataclass(frozen=True)
class NetworkConfig(OptimizerConfig):
    """One of the two mirrored networks, and its Adam (appendix A.1)."""

    lr: float = 1e-3
    """Learning rate."""
    beta1: float = 0.0
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""
    channel_base: int = 16384
    """Channels are channel_base / resolution, channel_max at most (the paper's table 2: 256 at 64 px)."""
    channel_max: int = 512
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

    mbstd_group: int = 4
    """Pictures in a group of the minibatch standard deviation."""


@dataclass(frozen=True)
class Config:
    """The paper's networks for 4 to 1,024 px; table 2 has them layer by layer."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


def level_at(config: Config, images_seen: int, levels: int) -> float:
    """0 at the smallest resolution, ``levels - 1`` at the last; in between the next one fades in."""
    stage, fade = config.generator.stage_kimg * 1000, config.generator.fade_kimg * 1000
    if stage + fade <= 0:
        return float(levels - 1)
    whole, rest = divmod(images_seen, stage + fade)
    part = (rest - stage) / fade if rest > stage and fade > 0 else 0.0
    return min(whole + part, float(levels - 1))


def kimg_until_settled(config: Config, image_shape: Sequence[int]) -> tuple[float, str]:
    """How long the networks grow for images of ``C,H,W``, and which flags say so."""
    from facegan.families.progan.networks import resolutions

    stages = len(resolutions(*image_shape[1:])) - 1
    lasting = stages * (config.generator.stage_kimg + config.generator.fade_kimg)
    return lasting, "growing to the full size (--generator.stage-kimg, --generator.fade-kimg)"


def begin_update(config: Config, generator: Any, discriminator: Any, images_seen: int) -> bool:
    """Set both networks' level. True where a fade begins or ends: there the optimisers begin again.

    What has grown stays so: networks that begin with a trained model wait for the schedule to pass it.
    """
    before = float(generator.level)
    now = max(before, level_at(config, images_seen, generator.levels))
    generator.level.fill_(now)
    discriminator.level.fill_(now)  # a fresh one, too, beside a generator that has grown
    return images_seen > 0 and (int(before) != int(now) or (before % 1 > 0) != (now % 1 > 0))


def _check(config: NetworkConfig, option: str) -> None:
    for name in ("channel_base", "channel_max"):
        if getattr(config, name) < 1:
            raise ConfigError(f"--{option}.{name.replace('_', '-')} must be at least 1")
    for name in ("stage_kimg", "fade_kimg"):
        if getattr(config, name, 0) < 0:
            raise ConfigError(f"--{option}.{name.replace('_', '-')} must be 0 or more")


def _no_labels(label_dim: int) -> None:
    if label_dim:
        raise ConfigError("--condition: this recipe's networks take no labels; see 'facegan recipes'")


def build_generator(
    config: GeneratorConfig, image_shape: Sequence[int], z_dim: int, label_dim: int = 0
) -> nn.Module:
    from facegan.families.progan.networks import Generator

    _no_labels(label_dim)
    _check(config, "generator")
    return Generator(image_shape, z_dim, config.channel_base, config.channel_max)


def build_discriminator(
    config: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
) -> nn.Module:
    from facegan.families.progan.networks import Discriminator

    _no_labels(label_dim)
    _check(config, "discriminator")
    return Discriminator(image_shape, config.channel_base, config.channel_max, config.mbstd_group)
