"""StyleGAN3, T and R (Karras et al. 2021, "Alias-free generative adversarial networks"), for sampling."""

from __future__ import annotations

from facegan.families.base import SampledFamily
from facegan.families.stylegan3.config import Config


class StyleGAN3(SampledFamily):
    """StyleGAN3-T and -R, which are only sampled."""

    config = Config
    conditional = True
    networks = "facegan.families.stylegan3.networks"


FAMILY = StyleGAN3()
