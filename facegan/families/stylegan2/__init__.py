"""StyleGAN2 (Karras et al. 2020, "Analyzing and improving the image quality of StyleGAN")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import Family, PathLength
from facegan.families.stylegan2.config import Config, DiscriminatorConfig, GeneratorConfig
from facegan.layers.halving import resolutions

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


class StyleGAN2(Family):
    """Style-based networks with a path length penalty."""

    config = Config
    conditional = True
    any_shape = True
    width_setting = "channel_base"

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.stylegan2.networks import Generator

        self.check("generator", settings, label_dim)
        return Generator(settings, image_shape, z_dim, label_dim=label_dim)

    def build_discriminator(
        self, settings: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.stylegan2.networks import Discriminator

        self.check("discriminator", settings, label_dim)
        return Discriminator(settings, image_shape, label_dim)

    def check_shape(self, height: int, width: int) -> None:
        resolutions(height, width)

    def style_mixing(self, model: Config) -> float:
        return model.generator.style_mixing

    def path_length(self, model: Config) -> PathLength | None:
        g = model.generator
        if not g.path_length_weight:
            return None
        return PathLength(g.path_length_weight, g.path_length_every, g.path_length_decay)


FAMILY = StyleGAN2()
