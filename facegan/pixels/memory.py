"""Check that a step fits into memory before it is tried: operating systems rarely say no in time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from facegan.devices import free_memory
from facegan.errors import InputError
from facegan.pixels.classifiers import Classifier
from facegan.training.out_of_memory import is_out_of_memory


def activation_bytes(classifier: Classifier, pixels: int) -> int:
    """Estimate what one step over so many px keeps for its gradient: every layer's output, once."""
    count = 0
    for _, shape in classifier.layer_names():
        if len(shape) == 3:
            count += shape[0] * shape[1] * shape[2]
    return round(4 * count * pixels / (classifier.input_size[0] * classifier.input_size[1]))


@contextlib.contextmanager
def require_memory(classifier: Classifier, pixels: int, tile: int, *, hint: str = "") -> Iterator[None]:
    """InputError where a step over ``pixels`` px does not fit; the ``hint`` is, by itself, a --tile."""
    need, free = activation_bytes(classifier, pixels), free_memory(classifier.device)
    hint = hint or (
        "use --tile 512" if tile <= 0 or tile > 512 else f"use less than --tile {tile}, and less --overlap"
    )
    if free is not None and need > free:
        raise InputError(
            f"{pixels / 1e6:.1f} megapixels at a time take about {need / 1e9:.1f} GB, "
            f"and {free / 1e9:.1f} GB are free: {hint}"
        )
    try:
        yield
    except (RuntimeError, MemoryError, AssertionError) as error:
        if is_out_of_memory(error):
            raise InputError(f"out of memory on {classifier.device}: {hint}") from None
        if any(
            sign in str(error)
            for sign in ("Expected input at", "cannot be multiplied", "size mismatch", "Wrong image")
        ):
            height, width = classifier.input_size
            raise InputError(
                f"{classifier.name}: takes pictures of {width}x{height} px only, and this needs any size "
                "(an exported program: with dynamic height and width)"
            ) from None
        raise
