"""Pictures that attack, dream and stylize read."""

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
    """Return a file or an array as upright uint8 ``H,W,3`` with a longer side of ``size`` px (0: unchanged).

    Raises:
        InputError: A side then has less than ``least`` px.
    """
    name = ""
    if isinstance(source, (str, Path)):
        photo, name = images.read_image_file(source), f"{source}: "
    else:
        photo = of_array([source], "the picture").at(np.array([0]))[0]
    photo = photo.repeat(3, -1) if photo.shape[2] == 1 else photo
    h, w = photo.shape[:2]
    if size:
        k = size / max(h, w)
        h, w = max(1, round(h * k)), max(1, round(w * k))
        photo = images.resize(photo, (h, w))
    if min(h, w) < least:
        raise InputError(f"{name}{w}x{h} px are too few: both sides must have at least {least}")
    return photo
