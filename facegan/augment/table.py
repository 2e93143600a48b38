"""The table AUGMENTS: what ``--augment`` accepts."""

from __future__ import annotations

from collections.abc import Callable

import torch

from facegan.augment import ada
from facegan.augment.diffaugment import diffaugment

Draw = Callable[[str, int], torch.Tensor]
Augment = Callable[[torch.Tensor, float, Draw], torch.Tensor]

AUGMENTS: dict[str, Augment] = {
    # Karras et al. 2020b: pixel blitting, geometry and colour, which worked best (figure 4)
    "ada": ada.Pipeline(),
    # Aligned faces keep their eyes level: small turns and moves, no inverted colours (ours)
    "ada-face": ada.Pipeline(
        rotate90=False, translate_int=1 / 16, scale_std=0.1, rotate=1 / 12, stretch_std=0.05,
        translate_std=1 / 24, luma_flip=False, hue=0.1, saturation_std=0.5,
    ),
    # All of the paper's transforms
    "ada-full": ada.Pipeline(filter_std=1.0, noise_std=0.1, cutout=0.5),
    # Zhao et al. 2020: colour, translation and cutout
    "diffaugment": diffaugment,
    "flip": ada.Pipeline(
        rotate90=False, translate_int=0, scale_std=0, rotate=0, stretch_std=0, translate_std=0,
        brightness_std=0, contrast_std=0, luma_flip=False, hue=0, saturation_std=0,
    ),
}  # fmt: skip
