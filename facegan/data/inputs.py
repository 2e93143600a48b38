"""Pictures that are derived from a picture, to train a translator on pairs without further data.

A derivation is a deterministic function of each picture alone: it is computed when needed, of whatever cut or
mirrored picture training draws. docs/prepare.md describes each of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan import arguments
from facegan.data.sketch import sketch
from facegan.errors import InputError

LEAST_SIDE = 16  # px
HOLE_LEVEL = 128
HOLE_SHARES = 0.25, 0.5  # of the picture's height and width, from and to
BLUR_SHARE = 1 / 48  # of the shorter side: the standard deviation


@dataclass(frozen=True)
class Derivation:
    """One kind of input."""

    function: Callable[[np.ndarray], np.ndarray]
    """Takes uint8 ``N,H,W,C`` (C = 1 or 3) and returns as much of the same shape."""
    text: str
    """What it does, for help texts: a verb and its object."""
    idempotent: bool = False
    """Whether pictures that are such inputs already may be derived again without a change."""
    least_side: int = LEAST_SIDE
    """The smallest height and width in px."""


def edges(pictures: np.ndarray) -> np.ndarray:
    """Draw pictures as thin dark lines on white (:mod:`facegan.data.sketch`)."""
    drawn = [np.repeat(sketch(picture)[..., None], picture.shape[2], axis=2) for picture in pictures]
    return np.stack(drawn) if drawn else pictures.copy()


def grey(pictures: np.ndarray) -> np.ndarray:
    """Take the colours away: all channels become the luma (ITU-R BT.601)."""
    import cv2

    n, h, w, c = pictures.shape
    if c == 1 or not n:
        return pictures.copy()
    luma = cv2.cvtColor(np.ascontiguousarray(pictures).reshape(n * h, w, c), cv2.COLOR_RGB2GRAY)
    return np.repeat(luma.reshape(n, h, w, 1), c, axis=3)


def small(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that reduces the shorter side to ``side`` px and enlarges to the old size again."""

    def function(pictures: np.ndarray) -> np.ndarray:
        from facegan import images

        h, w = pictures.shape[1:3]
        reduced = (max(1, round(h * side / min(h, w))), max(1, round(w * side / min(h, w))))
        made = [images.resize(images.resize(p, reduced, "bicubic"), (h, w), "bicubic") for p in pictures]
        return np.stack(made) if made else pictures.copy()

    return function


def hole(pictures: np.ndarray) -> np.ndarray:
    """Fill a rectangle with grey, at a place and of a size that depend on the picture's content alone."""
    made = np.array(pictures)
    for picture in made:
        drawn = np.frombuffer(hashlib.sha256(picture.tobytes()).digest()[:16], "<u4") / 2**32
        low, high = HOLE_SHARES
        spans = []
        for length, size, place in zip(picture.shape[:2], drawn[:2], drawn[2:], strict=True):
            span = round(length * (low + (high - low) * float(size)))
            start = int((length - span + 1) * float(place))
            spans.append(slice(start, start + span))
        picture[spans[0], spans[1]] = HOLE_LEVEL
    return made


def blur(pictures: np.ndarray) -> np.ndarray:
    """Blur with a Gaussian whose standard deviation is 1/48 of the shorter side (1.3 px at 64 px)."""
    import cv2

    made = np.array(pictures)
    for picture in made:
        sigma = min(picture.shape[:2]) * BLUR_SHARE
        picture[:] = cv2.GaussianBlur(picture, (0, 0), sigma).reshape(picture.shape)
    return made


INPUTS: dict[str, Derivation] = {
    "edges": Derivation(edges, "draw thin dark lines on white, as a person would"),
    "grey": Derivation(grey, "take the colours away", idempotent=True),
    "small-16": Derivation(small(16), "reduce the shorter side to 16 px and enlarge it again", least_side=17),
    "small-64": Derivation(small(64), "reduce the shorter side to 64 px and enlarge it again", least_side=65),
    "hole": Derivation(hole, "cover a part with grey, at a place that differs from picture to picture"),
    "blur": Derivation(blur, "blur with a standard deviation of 1/48 of the shorter side"),
}
"""What ``train --input`` accepts, by name."""


def derive(name: str, pictures: np.ndarray) -> np.ndarray:
    """Return the inputs of kind ``name``: uint8 of the pictures' shape.

    Args:
        name: A row of ``INPUTS``.
        pictures: uint8 ``N,H,W,C``, C = 1 or 3.

    Raises:
        InputError: The name is unknown, or the pictures are of another type or shape, or too small.
    """
    row = known(name)
    if not _are_pictures(pictures):
        need = "give an array of uint8 pictures N,H,W,C with C = 1 or 3"
        raise InputError(f"input '{name}': {need}, not {arguments.shown(pictures)}")
    check_size(name, (pictures.shape[1], pictures.shape[2]))
    made = row.function(pictures)
    if made.dtype != np.uint8 or made.shape != pictures.shape:
        raise InputError(f"input '{name}': its function must keep the pictures' shape and type")
    return made


def _are_pictures(given: Any) -> bool:
    known = isinstance(given, np.ndarray) and given.dtype == np.uint8
    return known and given.ndim == 4 and given.shape[3] in (1, 3)


def known(name: str) -> Derivation:
    """Return the row of a kind of input; InputError lists the kinds if it is unknown."""
    if not isinstance(name, str) or name not in INPUTS:
        raise InputError(f"--input {arguments.shown(name)} is unknown (known: {', '.join(INPUTS)})")
    return INPUTS[name]


def check_size(name: str, size: tuple[int, int]) -> None:
    """Raise InputError if pictures of ``size`` = (height, width) are too small for a kind of input."""
    least = known(name).least_side
    if min(size) < least:
        raise InputError(
            f"--input {name} needs pictures of at least {least}x{least} px; these have {size[1]}x{size[0]}"
        )


def register_input(
    name: str, function: Callable[[np.ndarray], np.ndarray], *, text: str = "", idempotent: bool = False
) -> None:
    """Add a kind of input to those that translators can be trained on.

    Do this in each process that trains with it, or that translates photos with a model of it.

    >>> def dark(pictures):  # uint8 N,H,W,C
    ...     return pictures // 4
    >>> facegan.register_input("dark", dark)
    >>> facegan.train("faces64", "pix2pix-64", "my_run", input="dark")

    Args:
        name: What ``input`` calls it: lower-case letters, digits and hyphens.
        function: Takes uint8 pictures ``N,H,W,C`` and returns inputs of the same shape and type; the input of
            a picture must not depend on the others, and must be the same each time.
        text: What it does, for help texts.
        idempotent: Whether inputs stay as they are if the function takes them again.

    Raises:
        InputError: The name is taken or malformed, or the function breaks a promise.
    """
    name = arguments.new_name(name, "kind of input", INPUTS)
    if not callable(function):
        raise InputError(f"input '{name}': give a function of pictures, not {arguments.shown(function)}")
    pictures = (np.arange(3 * 32 * 32 * 3) * 7 % 251).astype(np.uint8).reshape(3, 32, 32, 3)
    try:
        made = [function(pictures.copy()) for _ in range(2)]
        alone = function(pictures[1:2].copy())
    except Exception as error:
        raise InputError(f"input '{name}': it fails on three pictures of 32x32 px ({error})") from None
    first, again = made
    for one in (first, again, alone):
        if not isinstance(one, np.ndarray) or one.dtype != np.uint8 or one.shape[1:] != pictures.shape[1:]:
            raise InputError(f"input '{name}': it must keep the pictures' shape and type (uint8)")
    if first.shape != pictures.shape or not np.array_equal(first, again):
        raise InputError(f"input '{name}': it must return the same inputs each time, one for each picture")
    if not np.array_equal(alone[0], first[1]):
        raise InputError(f"input '{name}': the input of a picture must not depend on the other pictures")
    INPUTS[name] = Derivation(function, text or f"as {name} does", idempotent)
