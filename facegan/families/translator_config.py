"""Settings that families of translators share. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facegan.errors import ConfigError
from facegan.families.base import OptimizerConfig
from facegan.settings import setting

LAYOUTS = {
    "unet": "facegan.families.pix2pix.unet:UNet",
    "resnet": "facegan.families.cyclegan.resnet:ResNet",
    "light": "facegan.families.pix2pix.light:Light",
}
"""Layout of a translator's generator -> the class that takes (settings, image_shape)."""
NORMS = ("batch", "instance", "none")


@dataclass(frozen=True)
class GeneratorConfig(OptimizerConfig):
    """A generator of pictures from pictures, and its optimiser."""

    layout: str = setting("unet", choices=LAYOUTS)
    """unet (Isola et al. 2017), resnet (Zhu et al. 2017), or light, which works at low resolutions."""
    widths: tuple[int, ...] = setting((64, 128, 256, 512, 512, 512, 512, 512), minimum=1)
    """Channels at each resolution, from the picture's to the smallest."""
    blocks: int = setting(0, minimum=0)
    """Residual blocks at the smallest resolution (resnet and light)."""
    norm: str = setting("batch", choices=NORMS)
    """Normalisation; at use, batch is computed for each picture by itself. light has none."""
    dropout: float = setting(0.0, minimum=0, below=1)
    """Probability of dropout in the three blocks after the bottleneck (unet), also at use, as the noise."""
    stem: int = setting(1, minimum=1)
    """Pictures are shuffled into so many times as few pixels first (light)."""
    residual: bool = False
    """What the network makes is added to its input (light)."""


@dataclass(frozen=True)
class DiscriminatorConfig(OptimizerConfig):
    """A discriminator that judges patches, and its optimiser."""

    widths: tuple[int, ...] = setting((64, 128, 256, 512), minimum=1)
    """Channels of its layers. All but the last halve the resolution: four layers see patches of 70x70 px."""
    norm: str = setting("batch", choices=NORMS)
    """Normalisation in all layers but the first."""
    stem: int = setting(1, minimum=1)
    """Pictures are shuffled into so many times as few pixels first."""
    projected: str = ""
    """Heads judge by this bundled attribute network's feature maps, too; empty: none do."""
    projected_width: int = setting(128, minimum=1)
    """Channels of those heads."""
    projected_weight: float = setting(0.6, above=0)
    """Weight of their loss (hinge)."""


def check_halvings(flag: str, image_shape: Sequence[int], factor: int) -> None:
    """Raise ConfigError, which begins with ``flag``, unless both sides are multiples of ``factor``."""
    _, height, width = image_shape
    if height % factor or width % factor:
        raise ConfigError(
            f"{flag}: this layout needs sides that are multiples of {factor}, not {width}x{height} px"
        )
