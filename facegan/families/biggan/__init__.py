"""BigGAN (Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import Family
from facegan.families.biggan.config import (
    Config,
    DiscriminatorConfig,
    GeneratorConfig,
    chunk_of,
    plan_of,
)

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


class BigGAN(Family):
    """Residual networks with spectral norm, whose batch norm the labels and the latent control."""

    config = Config
    conditional = True
    width_setting = "width"

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.biggan.networks import Generator

        self.check("generator", settings, label_dim)
        plan = plan_of(settings, image_shape, "generator")
        chunk_of(settings, len(plan.sizes), z_dim)
        return Generator(settings, plan, channels=image_shape[0], z_dim=z_dim, label_dim=label_dim)

    def build_discriminator(
        self, settings: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.biggan.networks import Discriminator

        self.check("discriminator", settings, label_dim)
        plan = plan_of(settings, image_shape, "discriminator")
        return Discriminator(settings, plan, channels=image_shape[0], label_dim=label_dim)


FAMILY = BigGAN()
