"""The networks of the library stylegan2-pytorch (Phil Wang), for sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import SampledFamily
from facegan.families.stylegan2_pytorch.config import Config, GeneratorConfig

if TYPE_CHECKING:
    from facegan.layers.network import GeneratorNetwork


class StyleGAN2PyTorch(SampledFamily):
    """stylegan2-pytorch, which is only sampled."""

    config = Config

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.stylegan2_pytorch.networks import Generator

        self.check("generator", settings, label_dim)
        return Generator(settings, image_shape, z_dim)


FAMILY = StyleGAN2PyTorch()
