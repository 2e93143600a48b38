"""Recipes of BigGAN: the paper's settings, and small ones for small machines."""

from __future__ import annotations

import math
from typing import Any

from facegan.families.biggan.config import Config, DiscriminatorConfig, GeneratorConfig
from facegan.recipes.config import LatentConfig, TrainConfig
from facegan.recipes.row import Recipe

_BATCH, _D_UPDATES = 2048, 2
_UPDATE_KIMG = _BATCH * _D_UPDATES / 1000


def _paper(size: int, attention: int, z_dim: int) -> TrainConfig:
    """Return the paper's settings (Brock et al. 2019, section 3 and appendix C): 140,000 updates."""
    return TrainConfig(
        family="biggan", size=size, batch=_BATCH, d_updates=_D_UPDATES, loss="hinge", orthogonal=1e-4,
        kimg=140_000 * _UPDATE_KIMG, latent=LatentConfig("truncated", z_dim), reuse_fakes=False,
        ema_halflife_kimg=round(_UPDATE_KIMG * math.log(0.5) / math.log(0.9999), 1),  # 0.9999 an update
        ema_rampup=0.0, ema_start_kimg=20_000 * _UPDATE_KIMG, precision="auto",
        model=Config(GeneratorConfig(attention=attention), DiscriminatorConfig(attention=attention)),
        grid_kimg=4096.0, checkpoint_kimg=4096.0,
    )  # fmt: skip


def _small(size: int, g: dict[str, Any], d: dict[str, Any], **settings: Any) -> TrainConfig:
    """Return what small networks share: one generated batch for both, and an average from early on."""
    common = {
        "batch": 32, "loss": "hinge", "orthogonal": 1e-4, "precision": "auto", "ema_halflife_kimg": 10.0,
        "grid_kimg": 10.0, "checkpoint_kimg": 20.0,
        "model": Config(GeneratorConfig(**g), DiscriminatorConfig(**d)),
    }  # fmt: skip
    return TrainConfig(family="biggan", size=size, **{**common, **settings})


ROWS: dict[str, Recipe] = {
    "biggan-128": Recipe(
        _paper(128, 64, 120),
        "128 px by class or attributes, the paper's: 2,048 pictures in each of its batches",
        "Brock et al. 2019",
    ),
    "biggan-64": Recipe(
        _paper(64, 32, 100), "64 px by class or attributes, likewise", "Brock et al. 2019",
    ),
    "biggan-64-small": Recipe(
        _small(
            64,
            {"width": 8, "multipliers": (16, 16, 8, 4, 2), "attention": 16, "shared_dim": 32, "lr": 4e-4},
            {"width": 12, "multipliers": (1, 2, 4, 8, 16), "attention": 16, "lr": 4e-4},
            latent=LatentConfig("truncated", 100), kimg=500.0, cooldown=0.3, augment="ada-face",
        ),
        "3 million weights and batches of 32, for small machines",
        "ours; Brock et al. 2019",
    ),
    "digits-biggan-32": Recipe(
        _small(
            32,
            {"width": 16, "multipliers": (8, 8, 4, 2), "attention": 16, "shared_dim": 32, "lr": 4e-4},
            {"width": 16, "multipliers": (1, 2, 4, 8), "attention": 16, "lr": 4e-4},
            channels=1, flip=False, latent=LatentConfig("truncated", 64), kimg=300.0, cooldown=0.3,
        ),
        "MNIST digits by class, prepared with --size 32",
        "ours; Brock et al. 2019",
    ),
}  # fmt: skip
