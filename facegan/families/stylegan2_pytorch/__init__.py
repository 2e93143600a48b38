"""The networks of the library stylegan2-pytorch (Phil Wang), for sampling."""

from __future__ import annotations

from facegan.families.base import SampledFamily
from facegan.families.stylegan2_pytorch.config import Config


class StyleGAN2PyTorch(SampledFamily):
    """stylegan2-pytorch, which is only sampled."""

    config = Config
    networks = "facegan.families.stylegan2_pytorch.networks"


FAMILY = StyleGAN2PyTorch()
