"""Progressive growing (Karras et al. 2018, "Progressive growing of GANs")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from facegan.families.base import Family
from facegan.families.progan.config import Config, DiscriminatorConfig, GeneratorConfig, level_at

if TYPE_CHECKING:
    from facegan.families.progan.networks import Growing
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork


class ProGAN(Family):
    """Networks that grow while they train."""

    config = Config
    conditional = True
    any_shape = True
    width_setting = "channel_base"

    def build_generator(
        self, settings: GeneratorConfig, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        from facegan.families.progan.networks import Generator

        self.check("generator", settings, label_dim)
        return Generator(settings, image_shape, z_dim, label_dim=label_dim)

    def build_discriminator(
        self, settings: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.progan.networks import Discriminator

        self.check("discriminator", settings, label_dim)
        return Discriminator(settings, image_shape, label_dim)

    def begin_update(
        self,
        model: Config,
        generator: GeneratorNetwork,
        discriminator: DiscriminatorNetwork,
        *,
        images_seen: int,
    ) -> bool:
        """Set both networks' level; the optimisers begin again where a fade begins or ends.

        What has grown stays so: networks that begin with a trained model wait for the schedule to pass it.
        """
        g, d = cast("Growing", generator), cast("Growing", discriminator)
        before = float(g.level)
        now = max(before, level_at(model, images_seen, g.levels))
        g.level.fill_(now)
        d.level.fill_(now)  # a fresh one, too, beside a generator that has grown
        return images_seen > 0 and (int(before) != int(now) or (before % 1 > 0) != (now % 1 > 0))

    def kimg_until_settled(self, model: Config, image_shape: Sequence[int]) -> tuple[float, str]:
        from facegan.families.progan.networks import resolutions

        g, stages = model.generator, len(resolutions(*image_shape[1:])) - 1
        name = "growing to the full size (--generator.stage-kimg, --generator.fade-kimg)"
        return stages * (g.stage_kimg + g.fade_kimg), name


FAMILY = ProGAN()
