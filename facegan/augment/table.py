"""The table of augmentations: ``AUGMENTS[name](images, p, draw)``.

``images`` are ``N,C,H,W`` in [-1, 1] with 1 or 3 channels, of any float type; the result has their
shape and type and is differentiable in them twice, so that gradient penalties see through it. ``p`` is
a strength from 0 (the identity) to 1; ``draw`` gives the random numbers (``draws.py``). To add one, write
its function and add its row here; ``tests/augment`` runs over the table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from facegan import arguments
from facegan.errors import InputError

if TYPE_CHECKING:
    import torch

    from facegan.augment.ada import Ada
    from facegan.augment.draws import Draw, Strength

Augment: TypeAlias = "Callable[[torch.Tensor, Strength, Draw], torch.Tensor]"


@functools.cache
def ada(**settings: Any) -> Ada:
    """Return ADA's pipeline with these settings."""
    from facegan.augment.ada import Ada

    return Ada(**settings)


def _ada(settings: dict[str, Any]) -> Augment:
    return lambda images, p, draw: ada(**settings)(images, p, draw)


def _diffaugment(images: torch.Tensor, p: Strength, draw: Draw) -> torch.Tensor:
    from facegan.augment.diffaugment import diffaugment

    return diffaugment(images, p, draw)


NOTHING: dict[str, Any] = {
    "x_flip": False,
    "rotate90": False,
    "int_translation": 0,
    "scale": 0,
    "rotation": 0,
    "anisotropy": 0,
    "frac_translation": 0,
    "brightness": 0,
    "contrast": 0,
    "luma_flip": False,
    "hue": 0,
    "saturation": 0,
}
"""Settings of ADA that leave pictures as they are."""

PRESETS: dict[str, dict[str, Any]] = {
    # Karras et al. 2020a: pixel blitting, geometric and colour transforms ("bgc"), their best on most data
    "ada": {},
    # Ours, for aligned faces: none that stands on its head or has the colours of a negative
    "ada-face": {
        "rotate90": False,
        "int_translation": 0.06,
        "scale": 0.1,
        "rotation": 1 / 18,
        "anisotropy": 0.07,
        "frac_translation": 0.04,
        "contrast": 0.4,
        "luma_flip": False,
        "hue": 0.1,
        "saturation": 0.5,
    },
    # Theirs with image-space filtering and corruption ("bgcfnc")
    "ada-full": {"image_filter": 1.0, "noise": 0.1, "cutout": 0.5},
    # Huang et al. 2024 (R3GAN), appendix D: "bgc" with colour half as often as the rest, and cutout
    "ada-r3gan": {"colour_share": 0.5, "cutout": 0.5},
    # Mirrored with probability p / 2
    "flip": {**NOTHING, "x_flip": True},
}
"""Settings of ADA by the name of their augmentation."""

AUGMENTS: dict[str, Augment] = {name: _ada(settings) for name, settings in PRESETS.items()}
"""What ``--augment`` accepts. No torch is imported before one of them is used."""
AUGMENTS["diffaugment"] = _diffaugment  # Zhao et al. 2020, "color,translation,cutout"


def register_augmentation(name: str, augmentation: Augment) -> None:
    """Add an augmentation to those that training knows.

    Do this in each process that trains with it, also before a run goes on.

    >>> def dim(images, p, draw):
    ...     hit = draw("dim", 1).to(images)[:, :, None, None] < p
    ...     return images.where(~hit, images / 2)
    >>> facegan.register_augmentation("dim", dim)
    >>> facegan.train("faces64", out="my_run", augment="dim")

    Args:
        name: What ``augment`` calls it: lower-case letters, digits and hyphens.
        augmentation: A function of images, strength and random numbers, as the module describes it.

    Raises:
        InputError: The name is taken or malformed, or the function breaks a promise: at strength 0 it must be
            the identity, and it must keep shape and type.
    """
    import torch

    name = arguments.new_name(name, "augmentation", AUGMENTS)
    if not callable(augmentation):
        raise InputError(
            f"augmentation '{name}': give a function of images, strength and random numbers, "
            f"not {arguments.shown(augmentation)}"
        )
    images = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)
    for p in (0.0, 1.0):
        try:
            made = augmentation(images.clone(), p, lambda purpose, k: torch.full((2, k), 0.25))
        except Exception as error:
            raise InputError(f"augmentation '{name}': it fails on two images of 8x8 px ({error})") from None
        if not isinstance(made, torch.Tensor) or made.shape != images.shape or made.dtype != images.dtype:
            raise InputError(f"augmentation '{name}': it must keep the images' shape and type")
        if p == 0 and not torch.equal(made, images):
            raise InputError(f"augmentation '{name}': at strength 0 it must return the images as they are")
    AUGMENTS[name] = augmentation
