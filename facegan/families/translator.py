"""The contract of families that turn pictures into pictures. No torch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from facegan.errors import ConfigError
from facegan.families.base import Family
from facegan.families.translator_config import LAYOUTS, DiscriminatorConfig, GeneratorConfig

if TYPE_CHECKING:
    from facegan.layers.network import DiscriminatorNetwork, GeneratorNetwork, TranslatorNetwork


class TranslatorFamily(Family):
    """A family of networks that turn pictures into pictures of the same shape."""

    translates = True
    next_command = "translate {} PHOTO"
    any_shape = True
    width_setting = "widths"
    directions: ClassVar[tuple[str, ...]] = ()
    """Names of the directions, one for each generator of a model."""

    sees_input: ClassVar[bool] = False
    """Whether the discriminator sees the input beside the result."""

    def build_translator(self, settings: GeneratorConfig, image_shape: Sequence[int]) -> TranslatorNetwork:
        """Return a fresh generator for one direction; raise ConfigError for settings that cannot be."""
        self.check("generator", settings, 0)
        module, name = LAYOUTS[settings.layout].split(":")
        network: TranslatorNetwork = getattr(importlib.import_module(module), name)(settings, image_shape)
        return network

    def build_discriminator(
        self, settings: DiscriminatorConfig, image_shape: Sequence[int], label_dim: int = 0
    ) -> DiscriminatorNetwork:
        from facegan.families.fast.projected import networks
        from facegan.families.pix2pix.patches import PatchDiscriminator

        self.check("discriminator", settings, label_dim)
        judges = networks()
        if settings.projected not in ("", *judges):
            raise ConfigError(
                f"--discriminator.projected '{settings.projected}' is unknown (known: {', '.join(judges)})"
            )
        return PatchDiscriminator(settings, image_shape, sees_input=self.sees_input)

    def build_generator(
        self, settings: Any, image_shape: Sequence[int], z_dim: int, *, label_dim: int = 0
    ) -> GeneratorNetwork:
        raise ConfigError("a translator makes pictures of pictures, and none of latent vectors")
