"""R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN!")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import Family
from facegan.families.r3gan.config import Config, NetworkConfig, stages_of

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


class R3GAN(Family):
    """Residual networks without normalisation."""

    config = Config
    conditional = True
    width_setting = "widths"

    def build_generator(
        self, settings: NetworkConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.r3gan.networks import Generator

        self.check("generator", settings, label_dim)
        base, stages = stages_of(settings, image_shape, "generator")
        return Generator(stages, base, channels=image_shape[0], z_dim=z_dim, label_dim=label_dim)

    def build_discriminator(
        self, settings: NetworkConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.r3gan.networks import Discriminator

        self.check("discriminator", settings, label_dim)
        base, stages = stages_of(settings, image_shape, "discriminator")
        return Discriminator(stages, base, channels=image_shape[0], label_dim=label_dim)


FAMILY = R3GAN()
