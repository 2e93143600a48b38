"""``facegan layers``: what a classifier is made of, by the names that other commands take."""

from __future__ import annotations

from typing import Annotated

import tyro

from facegan.errors import InputError
from facegan.pixels.settings import ClassifierConfig


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CLASSIFIER")],
    contains: str = "",
    weights: str = "",
    *,
    input_size: int = 0,
    random_weights: bool = False,
) -> None:
    """List a classifier's layers in the order of execution, with their output shapes C x H x W.

    Args:
        model: faces (bundled), efficientnet_lite0, a name of torchvision's (vgg19), an exported program
            (.pt2), or FILE.py:FUNCTION.
        contains: only layers whose name, or Keras's name, contains this text.
        weights: file of weights for ImageNet's networks; '' looks into torch's cache, then downloads.
        input_size: side of the pictures, in px; 0 is what the network was trained with.
        random_weights: do without weights: names and shapes do not depend on them.
    """
    from facegan.pixels.loading import load_configured

    settings = ClassifierConfig(model, weights=weights, input_size=input_size, random_weights=random_weights)
    classifier = load_configured(settings)
    keras = {ours: theirs for theirs, ours in classifier.aliases().items()}
    rows = [
        (name, "x".join(map(str, shape)), keras.get(name, "")) for name, shape in classifier.layer_names()
    ]
    shown = [row for row in rows if contains.casefold() in f"{row[0]} {row[2]}".casefold()]
    if not shown:
        raise InputError(f"--contains {contains}: {model} has no such layer (it has {len(rows)})")
    wide = max(len(name) for name, _, _ in shown)
    for name, shape, other in shown:
        print(f"{name:<{wide}}  {shape:<14} {other}".rstrip())
