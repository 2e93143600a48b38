"""The networks of the library lightweight-gan (Phil Wang), for sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import SampledFamily
from facegan.families.lightweight_gan.config import Config, GeneratorConfig

if TYPE_CHECKING:
    from facegan.layers.network import GeneratorNetwork


class LightweightGAN(SampledFamily):
    """lightweight-gan, which is only sampled."""

    config = Config

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.lightweight_gan.networks import Generator

        self.check("generator", settings, label_dim)
        return Generator(settings, image_shape, z_dim)


FAMILY = LightweightGAN()
