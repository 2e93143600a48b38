"""Pictures from outside: decoded here, where it may fail."""

from __future__ import annotations

from pathlib import Path

from facegan import images
from facegan.errors import ImageError, InputError
from facegan.marks import read_mark
from facegan.studio.tasks import Given, Result

MAX_PIXELS = images.MAX_PIXELS
REASONS = {
    "too many pixels": f"the picture has more than {MAX_PIXELS // 10**6} million pixels; make it smaller",
    "truncated": "the file ends in the middle of the picture; copy it again from where it came",
    "unreadable": "the picture is damaged and cannot be read; copy it again from where it came",
}
"""What people read, for reasons that need a way out."""


def decode(arguments: Given, content: bytes) -> Result:
    """Return the size of the picture at ``path``, and with ``side`` a PNG of at most so many pixels a side.

    ``path`` is the server's own; it comes from no request.
    """
    try:
        image = images.read_image_file(Path(arguments["path"]))
    except ImageError as error:
        raise InputError(why_not(error)) from None
    height, width = image.shape[:2]
    found = {"width": width, "height": height}
    if not (side := int(arguments.get("side", 0))):
        return found, b""
    return found, images.png_bytes(images.shrink(image, side))


def why_not(error: ImageError) -> str:
    """Return why a picture cannot be used, in a sentence without the server's name of the file."""
    return REASONS.get(error.reason, f"the picture cannot be read: {error.reason}")


def mark(arguments: Given, content: bytes) -> Result:
    """Return what the file at ``path`` says of its making; None if it says nothing, or is no picture."""
    try:
        found = read_mark(Path(arguments["path"]))
    except InputError:  # of another format, or damaged: there is nothing to restore
        found = None
    return {"mark": found.to_dict() if found else None}, b""
