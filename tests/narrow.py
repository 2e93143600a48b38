"""How each family is made narrow, the one entry that tests of what all families share need of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from facegan.families import FAMILIES, get_family
from facegan.families.r3gan.config import default_widths
from facegan.recipes.config import TrainConfig, check, override
from facegan.recipes.table import RECIPES, recipe
from facegan.training.objective import objective_of
from facegan.training.sampler import ImageSampler


@dataclass(frozen=True)
class Narrow:
    """``sides`` are settings of both networks that suit every recipe of the family, ``more`` others by name.

    ``typical`` is a recipe for its usual size; ``small`` one that trains at 32 px with the settings
    ``small_sides`` and ``small_more``.
    """

    typical: str
    sides: dict[str, Any]
    small: str
    small_sides: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)
    small_more: dict[str, Any] = field(default_factory=dict)


NARROW = {
    "vanilla": Narrow(
        "digits-vanilla-28",
        {"width": 0.25},
        "digits-vanilla-28-plus",
        {"width": 0.1},
        small_more={"channels": 0, "warmup_kimg": 0.048},
    ),
    "dcgan": Narrow(
        "faces-dcgan-64",
        {"width": 0.25},
        "faces-tiny-32",
        {"width": 0.25},
        small_more={"cooldown": 0.0},  # which hangs on the length
    ),
    "fast": Narrow(
        "faces-fast-64",
        {"widths": [16, 8, 8, 8]},
        "faces-fast-64",
        {"widths": (16, 8, 8)},
        {"discriminator.projected_width": 8},
        {
            "generator.blocks": (0, 0, 1),
            "discriminator.blocks": (1, 0),
            "generator.excite": True,
            "discriminator.projected_width": 8,
            "cooldown": 0.0,
        },
    ),
    "progan": Narrow(
        "progan-64-short",
        {"channel_base": 128, "channel_max": 16},
        "progan-64-short",
        {"channel_base": 128, "channel_max": 16},
        {"generator.stage_kimg": 0.002, "generator.fade_kimg": 0.005},
        {"generator.stage_kimg": 0.008, "generator.fade_kimg": 0.008, "latent.dim": 16},
    ),
    "stylegan2": Narrow(
        "stylegan2-64-small",
        {"channel_base": 128, "channel_max": 16},
        "stylegan2-32",
        {"channel_base": 128, "channel_max": 16},
        {"generator.w_dim": 16},
        {"generator.w_dim": 16, "latent.dim": 16, "augment_p": 0.5, "augment_kimg": 0.1},
    ),
    "r3gan": Narrow(
        "r3gan-64-small",
        {"group_size": 1, "blocks": [1]},
        "r3gan-32",
        {"widths": (8, 8, 8, 8), "group_size": 1, "blocks": (1,)},
        small_more={"augment_p": 0.5, "burnin_kimg": 0.048},
    ),
    "pix2pix": Narrow(
        "pix2pix-64",
        {},
        "pix2pix-64",
        {"widths": (8, 16)},
        small_more={"input": "grey", "discriminator.projected_width": 8, "cooldown": 0.5, "metric": ""},
    ),
    "cyclegan": Narrow(
        "cyclegan-64",
        {},
        "cyclegan-64",
        {"widths": (8, 16)},
        small_more={"translation.pool": 6, "discriminator.projected_width": 8, "metric": ""},
    ),
    "biggan": Narrow(
        "biggan-64-small",
        {"width": 2, "attention": 16},
        "digits-biggan-32",
        {"width": 2, "attention": 16},
        {"generator.shared_dim": 8},
        {"channels": 0, "generator.shared_dim": 8, "cooldown": 0.0, "latent.dim": 40},
    ),
}
FROM_NOISE = [name for name, row in RECIPES.items() if not get_family(row.config.family).translates]
TRAINED = [name for name in FAMILIES if get_family(name).trains]


def of_both(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings of one network as those of both, by name."""
    return {
        f"{side}.{key}": value for side in ("generator", "discriminator") for key, value in settings.items()
    }


def reductions(name: str) -> dict[str, Any]:
    """Return changes by name that make a recipe's networks narrow and its batches 4."""
    config = recipe(name)
    narrow = NARROW[config.family]
    found = {"batch": 4, **narrow.more, **of_both(narrow.sides)}
    if config.family == "r3gan":
        found |= of_both({"widths": [8] * len(default_widths(config.size))})
    if get_family(config.family).translates:
        for side in ("generator", "discriminator"):
            found[f"{side}.widths"] = [4] * len(getattr(config.model, side).widths)
        found |= {"generator.blocks": min(config.model.generator.blocks, 1)}
        found |= {"discriminator.projected_width": 4, "translation.pool": min(config.translation.pool, 3)}
    if not config.size:  # for pictures of any size
        found["size"] = 40
    if config.latent.dim > 128:
        found["latent.dim"] = 16
    if config.g_batch:
        found["g_batch"] = 8
    return found


def sampler(config: TrainConfig, pictures: np.ndarray, device: torch.device) -> ImageSampler:
    """Return what draws a recipe's batches of pictures; a translator gets them in another order, too."""
    return objective_of(config).sampler(pictures, config, device, beside=pictures[::-1].copy())


def reduced(name: str, **changes: Any) -> TrainConfig:
    """Return the recipe's configuration with narrow networks and batches of 4."""
    return check(override(recipe(name), {**reductions(name), **changes}))


def at_32(family: str, **changes: Any) -> TrainConfig:
    """Return one of the family's recipes for 32 px, narrow, in batches of 8."""
    narrow = NARROW[family]
    run = {
        "batch": 8,
        "size": 32,
        "kimg": 0.064,
        "grid_count": 4,
        "quality_count": 0,
        "checkpoint_kimg": 0.032,
        "grid_kimg": 0.032,
        "precision": "float32",
    }
    changes = {**run, **of_both(narrow.small_sides), **narrow.small_more, **changes}
    return override(recipe(narrow.small), changes)
