"""Faces in photos from outside. This imports no torch, for the process that decodes has little memory."""

from __future__ import annotations

from typing import Any

from facegan import figures, images
from facegan.data import crops
from facegan.data.crops import Crop
from facegan.files import photo_path
from facegan.studio.tasks import Given, Result

MAX_FACES = 24
"""Faces of a photo that are shown."""


def edit_faces(arguments: Given, content: bytes) -> Result:
    """Return the faces in the photo at ``path``, the largest first.

    ``path`` is the server's own, or a sample; ``crop`` are the fields of a ``Crop``. Boxes are shares of the
    photo: left, top, width, height. Each face comes with its crop, the base64 text of a PNG; a model of
    pictures without faces gets one crop of the whole picture instead (``whole``).
    """
    photo = figures.colour(images.read_image_file(photo_path(arguments["path"])))
    given = arguments["crop"]
    crop = Crop(**{**given, "size": tuple(given["size"])})
    height, width = photo.shape[:2]
    found: dict[str, Any] = {"width": width, "height": height, "faces": [], "whole": "", "why": ""}
    detector = crops.make_detector(crop)
    kept, rejected = crops.apply_each(photo, crop, detector)
    if detector is None:
        found["whole"] = images.base64_png(kept[0].image)
    elif not kept:
        found["why"] = rejected[0].reason
    for number, each in enumerate(kept[:MAX_FACES] if detector else (), 1):
        assert each.face is not None
        x, y, w, h = each.face.box
        box = [x / width, y / height, w / width, h / height]
        found["faces"].append({"number": number, "box": box, "crop": images.base64_png(each.image)})
    return found, b""
