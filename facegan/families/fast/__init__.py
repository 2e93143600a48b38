"""Our own networks: the best faces per CPU second (recipe ``faces-fast-64``; docs/results/faces-fast.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facegan.families.base import Family
from facegan.families.fast.config import (
    Config,
    DiscriminatorConfig,
    GeneratorConfig,
    check,
)

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


class Fast(Family):
    config = Config
    width_setting = "widths"

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.fast.networks import FastGenerator

        self.check_labels(label_dim)
        check(settings, "generator", image_shape)
        return FastGenerator(
            image_shape,
            z_dim,
            settings.widths,
            settings.blocks,
            style=settings.style,
            upsample=settings.upsample,
            head=settings.head,
            excite=settings.excite,
            tanh=settings.tanh,
        )

    def build_discriminator(
        self, settings: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.fast.networks import FastDiscriminator
        from facegan.families.fast.projected import networks

        self.check_labels(label_dim)
        check(settings, "discriminator", image_shape, networks())
        return FastDiscriminator(
            image_shape,
            settings.widths,
            settings.blocks,
            stem=settings.stem,
            down=settings.down,
            mbstd=settings.mbstd,
            projected=settings.projected,
            projected_width=settings.projected_width,
            projected_weight=settings.projected_weight,
        )


FAMILY = Fast()
