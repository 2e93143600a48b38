"""Pictures that dream and stylize read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facegan import images
from facegan.errors import InputError
from facegan.files import photo_path
from facegan.metrics.shapes import of_array
from facegan.pixels.settings import MIN_SIDE

Picture = str | Path | np.ndarray


def as_list(pictures: Any) -> list[Any]:
    """Return one picture or several as a list."""
    return [pictures] if isinstance(pictures, (str, Path, np.ndarray)) else list(pictures)


def name_of(picture: Picture) -> str:
    """Return the name of a picture's file; an array is called "photo"."""
    return photo_path(picture).name if isinstance(picture, (str, Path)) else "photo"


def photo_of(source: Picture, size: int = 0, least: int = MIN_SIDE) -> np.ndarray:
    """Return a file or an array as uint8 ``H,W,3``, upright, its longer side made ``size`` px (0: as it is).

    Raises:
        InputError: A side then has less than ``least`` px.
    """
    if isinstance(source, (str, Path)):
        photo = images.read_image_file(source)
    else:
        photo = of_array([source], "the picture").at(np.array([0]))[0]
    photo = photo.repeat(3, -1) if photo.shape[2] == 1 else photo
    if size:
        k = size / max(photo.shape[:2])
        photo = images.resize(photo, (max(1, round(photo.shape[0] * k)), max(1, round(photo.shape[1] * k))))
    if min(photo.shape[:2]) < least:
        h, w = photo.shape[:2]
        name = f"{source}: " if isinstance(source, (str, Path)) else ""
        raise InputError(f"{name}{w}x{h} px are too few: both sides must have at least {least}")
    return photo
