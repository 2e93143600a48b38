"""The networks of the library lightweight-gan (Phil Wang), for sampling."""

from __future__ import annotations

from facegan.families.base import SampledFamily
from facegan.families.lightweight_gan.config import Config


class LightweightGAN(SampledFamily):
    """lightweight-gan, which is only sampled."""

    config = Config
    networks = "facegan.families.lightweight_gan.networks"


FAMILY = LightweightGAN()
