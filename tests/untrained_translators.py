"""Translators with random weights, small enough for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from facegan.data import crops
from facegan.data.crops import Crop
from facegan.families import get_family
from facegan.translator import Translator, build_networks, describe_translator

LIGHT = {"layout": "light", "norm": "none", "dropout": 0.0, "widths": (8, 16), "blocks": 1, "stem": 2}


def translator(
    family: str = "pix2pix",
    side: int = 32,
    channels: int = 3,
    *,
    input: str = "",
    crop: str = "",
    **changes: Any,
) -> Translator:
    """A light network; ``crop`` is the kind of crop that its data had."""
    model = get_family(family).config()
    model = replace(model, generator=replace(model.generator, **LIGHT, **changes))
    more = {"alignment": crops.describe(Crop(crop, side))} if crop else {}
    meta = describe_translator(family, model, image_shape=(channels, side, side), input=input, **more)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = build_networks(meta)
        for parameter in networks.parameters():  # branches that begin as zero would be seen by no test
            nn.init.normal_(parameter, 0.0, 0.1)
    return Translator(networks, meta)


def pictures(count: int, side: int = 32, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)
