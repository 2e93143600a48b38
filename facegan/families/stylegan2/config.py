"""StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN").

Defaults are those of the authors' automatic settings below 512 px ("Training generative adversarial
networks with limited data", Karras et al. 2020, appendix C and its code); but penalties are no steps of their
own here, for which the authors lower Adam's rate by k / (k + 1) and raise its decays to that power.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig


@dataclass(frozen=True)
class AdamConfig(OptimizerConfig):
    """The authors' Adam."""

    lr: float = 2.5e-3
    """Learning rate."""
    beta1: float = 0.0
    """Decay of the first moment."""
    beta2: float = 0.99
    """Decay of the second moment."""
    eps: float = 1e-8
    """Adam's epsilon."""


@dataclass(frozen=True)
class GeneratorConfig(AdamConfig):
    """Mapping and synthesis network, and what regularises them."""

    w_dim: int = 512
    """Dimensions of w, the mapping network's output."""
    mapping_layers: int = 2
    """Layers of the mapping network: 2 in the authors' automatic settings, 8 in the paper."""
    mapping_lr_multiplier: float = 0.01
    """The mapping network's learning rate, as a share of `lr`."""
    channel_base: int = 16384
    """Channels are channel_base / resolution, channel_max at most; from 512 px on the authors take 32768."""
    channel_max: int = 512
    """Channels of any layer, at most."""
    style_mixing: float = 0.9
    """Share of training pictures whose later layers take the style of a second latent."""
    w_avg_beta: float = 0.998
    """Decay by batches of the average of w, for truncation: StyleGAN3's; StyleGAN2's code has 0.995."""
    path_length_weight: float = 2.0
    """Weight of the path length penalty (equation 4); 0 leaves it out."""
    path_length_every: int = 4
    """The penalty joins every so many updates, with its weight raised as much."""
    path_length_decay: float = 0.01
    """Share of the new batch in the mean path length."""


@dataclass(frozen=True)
class DiscriminatorConfig(AdamConfig):
    """Residual discriminator."""

    channel_base: int = 16384
    """Channels are channel_base / resolution, channel_max at most."""
    channel_max: int = 512
    """Channels of any layer, at most."""
    mbstd_group: int = 4
    """Pictures in a group of the minibatch standard deviation; 0 leaves it out."""
    mapping_layers: int = 8
    """Layers of the labels' mapping network; without labels there is none."""
    mapping_lr_multiplier: float = 0.01
    """That network's learning rate, as a share of `lr`."""


@dataclass(frozen=True)
class Config:
    """Skip generator and residual discriminator (the paper's configuration E), for 32 to 256 px."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)


_AT_LEAST = {
    "w_dim": 1, "mapping_layers": 1, "channel_base": 1, "channel_max": 1, "path_length_weight": 0,
    "path_length_every": 1, "mbstd_group": 0,
}  # fmt: skip
_SHARES = ("style_mixing", "w_avg_beta", "path_length_decay")


def check(config: GeneratorConfig | DiscriminatorConfig, option: str) -> None:
    """Raise ConfigError, which names ``option``, for settings that cannot be."""
    for name, least in _AT_LEAST.items():
        if (value := getattr(config, name, least)) < least:
            raise ConfigError(f"--{option}.{name.replace('_', '-')} must be at least {least}, not {value}")
    for name in _SHARES:
        if not 0 <= (value := getattr(config, name, 0.0)) <= 1:
            raise ConfigError(f"--{option}.{name.replace('_', '-')} must be from 0 to 1, not {value}")
    if config.mapping_lr_multiplier <= 0:
        raise ConfigError(
            f"--{option}.mapping-lr-multiplier must be above 0, not {config.mapping_lr_multiplier}"
        )
