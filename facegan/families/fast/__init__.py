"""Our own networks: the best faces per CPU second (recipe ``faces-fast-64``; docs/results/faces-fast.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from facegan.errors import ConfigError
from facegan.families.base import Family
from facegan.families.fast.config import Config, DiscriminatorConfig, GeneratorConfig, check_shape_of

if TYPE_CHECKING:
    import numpy as np

    from facegan.families.sampling import SamplingGraph
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


class Fast(Family):
    """Networks that do most of their work at low resolutions."""

    config = Config
    conditional = True
    width_setting = "widths"

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.fast.networks import FastGenerator

        self.check("generator", settings, label_dim)
        check_shape_of("generator", settings, len(settings.widths), image_shape=image_shape)
        return FastGenerator(settings, image_shape, z_dim, label_dim=label_dim)

    def build_discriminator(
        self, settings: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.fast.networks import FastDiscriminator
        from facegan.families.fast.projected import networks

        self.check("discriminator", settings, label_dim)
        check_shape_of("discriminator", settings, len(settings.widths) - 1, image_shape=image_shape)
        judges = networks()
        if settings.projected not in ("", *judges):
            raise ConfigError(
                f"--discriminator.projected '{settings.projected}' is unknown (known: {', '.join(judges)})"
            )
        return FastDiscriminator(settings, image_shape, label_dim)

    def sampling_graph(
        self,
        settings: GeneratorConfig,
        image_shape: Sequence[int],
        z_dim: int,
        *,
        arrays: Mapping[str, np.ndarray],
    ) -> SamplingGraph | None:
        from facegan.families.fast.graph import sampling_graph

        self.check("generator", settings, 0)
        check_shape_of("generator", settings, len(settings.widths), image_shape=image_shape)
        return sampling_graph(settings, image_shape, z_dim, arrays=arrays)


FAMILY = Fast()
