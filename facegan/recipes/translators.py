"""Recipes that turn pictures into pictures: those of the papers, and small ones for small machines."""

from __future__ import annotations

from typing import Any

from facegan.families.cyclegan import config as cyclegan
from facegan.families.pix2pix import config as pix2pix
from facegan.families.translator_config import DiscriminatorConfig
from facegan.recipes.config import TrainConfig, TranslationConfig
from facegan.recipes.row import Recipe

# 200 epochs, half of them with falling rates: cool-down is a share of the run, whatever its length.
_PAPER: dict[str, Any] = {
    "size": 256, "batch": 1, "cooldown": 0.5, "ema_halflife_kimg": 0.0, "grid_count": 8,
}  # fmt: skip
_ADAM: dict[str, Any] = {"lr": 5e-4, "beta1": 0.0, "beta2": 0.99}
_LIGHT: dict[str, Any] = {
    "layout": "light", "widths": (48, 128, 256), "blocks": 1, "norm": "none", "dropout": 0.0, "stem": 2,
    **_ADAM,
}  # fmt: skip
_JUDGE: dict[str, Any] = {"widths": (64, 128, 256), "norm": "none", "stem": 2, **_ADAM}
_SMALL: dict[str, Any] = {
    "size": 64, "batch": 16, "loss": "hinge", "r1_gamma": 0.5, "r1_every": 4, "cooldown": 0.3,
    "ema_halflife_kimg": 5.0, "precision": "auto", "grid_count": 16, "metric_count": 500,
}  # fmt: skip

ROWS: dict[str, Recipe] = {
    "pix2pix-256": Recipe(
        TrainConfig(
            family="pix2pix", model=pix2pix.Config(), loss="bce", kimg=80.0, metric="perceptual", **_PAPER,
            translation=TranslationConfig(jitter=30),
        ),
        "256 px, from inputs to targets; 200 epochs of 400 pairs, as for facades",
        "Isola et al. 2017",
    ),
    "cyclegan-256": Recipe(
        TrainConfig(
            # The paper's generator minimises (D(x) - 1)^2, twice what the loss of this name does.
            family="cyclegan", model=cyclegan.Config(), loss="leastsquares", kimg=200.0, **_PAPER,
            translation=TranslationConfig(adversarial_weight=2.0, jitter=30),
        ),
        "256 px, between two domains without pairs; 200 epochs of 1,000 pictures",
        "Zhu et al. 2017",
    ),
    "pix2pix-64": Recipe(
        TrainConfig(
            family="pix2pix", kimg=250.0, metric="perceptual", **_SMALL,
            model=pix2pix.Config(pix2pix.GeneratorConfig(**_LIGHT), DiscriminatorConfig(**_JUDGE)),
            translation=TranslationConfig(l1_weight=10.0, perceptual_weight=5.0),
        ),
        "64 px, from inputs to targets, for small machines",
        "ours",
    ),
    "cyclegan-64": Recipe(
        TrainConfig(
            family="cyclegan", kimg=72.0, metric="kid", **_SMALL,
            model=cyclegan.Config(
                cyclegan.GeneratorConfig(**_LIGHT, residual=True),
                cyclegan.DiscriminatorConfig(**_JUDGE, projected="critic"),
            ),
            translation=TranslationConfig(cycle_weight=10.0, identity_weight=0.0, pool=0),
        ),
        "64 px, between two domains without pairs, for small machines",
        "ours",
    ),
}  # fmt: skip
