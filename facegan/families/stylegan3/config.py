"""StyleGAN3's generator (Karras et al. 2021), with its geometry spelt out layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field

from facegan.settings import setting


@dataclass(frozen=True)
class GeneratorConfig:
    """Mapping and synthesis network.

    Lists begin with the Fourier features and end with the layer that makes the image.
    """

    w_dim: int = setting(512, minimum=1)
    """Dimensions of w, the mapping network's output."""
    mapping_layers: int = setting(2, minimum=1)
    """Layers of the mapping network."""
    mapping_lr_multiplier: float = setting(0.01, above=0)
    """The share of the learning rate at which the mapping network was trained: a factor of its weights."""
    channels: tuple[int, ...] = setting((), minimum=1)
    """Channels that each layer gives."""
    sizes: tuple[int, ...] = setting((), minimum=1, maximum=8192)
    """Sides of the square maps that each layer gives, margins included."""
    rates: tuple[int, ...] = setting((), minimum=1, maximum=8192)
    """Sampling rates of these maps: samples along a side of the picture, without margins."""
    bandwidth: float = setting(2.0, above=0)
    """Highest frequency of the Fourier features, in cycles along a side of the picture."""
    kernel: int = setting(3, minimum=1, maximum=31)
    """Size of the convolutions: 3 in T, 1 in R."""
    filter_taps: int = setting(6, minimum=1)
    """Length of the filters around leaky ReLUs, as a multiple of the factor of resampling."""
    oversampling: int = setting(2, minimum=1, maximum=8)
    """Sampling rate at which leaky ReLUs work, as a multiple of the higher one around them."""
    radial: tuple[bool, ...] = ()
    """Whether the second filter of each layer is radially symmetric: R's, but the last ones."""
    clamp: float = setting(256.0, minimum=0)
    """Largest magnitude of a leaky ReLU's output; 0 is no limit."""
    output_scale: float = setting(0.25, above=0)
    """A factor of the picture."""


@dataclass(frozen=True)
class Config:
    """The generator alone."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
