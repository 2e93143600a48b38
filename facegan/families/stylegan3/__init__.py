"""StyleGAN3, T and R (Karras et al. 2021, "Alias-free generative adversarial networks"), for sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import SampledFamily
from facegan.families.stylegan3.config import Config, GeneratorConfig

if TYPE_CHECKING:
    from facegan.layers.network import GeneratorNetwork


class StyleGAN3(SampledFamily):
    """StyleGAN3-T and -R, which are only sampled."""

    config = Config
    conditional = True

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.stylegan3.networks import Generator

        self.check("generator", settings, label_dim)
        return Generator(settings, image_shape, z_dim, label_dim=label_dim)


FAMILY = StyleGAN3()
