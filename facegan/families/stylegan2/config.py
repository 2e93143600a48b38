"""StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN").

Defaults are those of the authors' automatic settings below 512 px ("Training generative adversarial
networks with limited data", Karras et al. 2020, appendix C and its code); but penalties are no steps of their
own here, for which the authors lower Adam's rate by k / (k + 1) and raise its decays to that power.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.families.base import OptimizerConfig
from facegan.settings import setting


@dataclass(frozen=True)
class AdamConfig(OptimizerConfig):
    """The authors' Adam."""

    lr: float = 2.5e-3
    beta1: float = 0.0
    beta2: float = 0.99


@dataclass(frozen=True)
class GeneratorConfig(AdamConfig):
    """Mapping and synthesis network, and what regularises them."""

    w_dim: int = setting(512, minimum=1)
    """Dimensions of w, the mapping network's output."""
    mapping_layers: int = setting(2, minimum=1)
    """Layers of the mapping network: 2 in the authors' automatic settings, 8 in the paper."""
    mapping_lr_multiplier: float = setting(0.01, above=0)
    """The mapping network's learning rate, as a share of `lr`."""
    channel_base: int = setting(16384, minimum=1)
    """Channels are channel_base / resolution, channel_max at most; from 512 px on the authors take 32768."""
    channel_max: int = setting(512, minimum=1)
    """Channels of any layer, at most."""
    clamp: float = setting(0.0, minimum=0)
    """Largest magnitude of a layer's output, 256 in the authors' half-precision networks; 0 is no limit."""
    style_mixing: float = setting(0.9, minimum=0, maximum=1)
    """Share of training pictures whose later layers take the style of a second latent."""
    w_avg_beta: float = setting(0.998, minimum=0, maximum=1)
    """Decay by batches of the average of w, for truncation: StyleGAN3's; StyleGAN2's code has 0.995."""
    path_length_weight: float = setting(2.0, minimum=0)
    """Weight of the path length penalty (equation 4); 0 leaves it out."""
    path_length_every: int = setting(4, minimum=1)
    """The penalty joins every so many updates, with its weight raised as much."""
    path_length_decay: float = setting(0.01, minimum=0, maximum=1)
    """Share of the new batch in the mean path length."""


@dataclass(frozen=True)
class DiscriminatorConfig(AdamConfig):
    """Residual discriminator."""

    channel_base: int = setting(16384, minimum=1)
    """Channels are channel_base / resolution, channel_max at most."""
    channel_max: int = setting(512, minimum=1)
    """Channels of any layer, at most."""
    clamp: float = setting(0.0, minimum=0)
    """Largest magnitude of a layer's output, 256 in the authors' half-precision networks; 0 is no limit."""
    mbstd_group: int = setting(4, minimum=0)
    """Pictures in a group of the minibatch standard deviation; 0 leaves it out."""
    mapping_layers: int = setting(8, minimum=1)
    """Layers of the labels' mapping network; without labels there is none."""
    mapping_lr_multiplier: float = setting(0.01, above=0)
    """That network's learning rate, as a share of `lr`."""


@dataclass(frozen=True)
class Config:
    """Skip generator and residual discriminator (the paper's configuration E), for 32 to 256 px."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
