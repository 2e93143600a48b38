"""``facegan train-attributes``: a network that sees a dataset's yes/no attributes in other pictures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import tyro

from facegan.bars import Line
from facegan.cli.options import notify

if TYPE_CHECKING:
    from facegan.attributes.predictor import AttributePredictor


def main(
    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    out: str,
    architecture: str = "residual",
    *,
    width: int = 24,
    size: int = 64,
    epochs: int = 60,
    batch: int = 64,
    lr: float = 2e-3,
    seed: int = 0,
    attributes: str = "",
    licence: str = "as the dataset's; CelebA: non-commercial research only",
) -> None:
    """Train an attribute network on a dataset's train split; calibrate on val, score on test.

    After an interruption, the same command continues. The card FILE.md is written next to the network.

    Args:
        dataset: a folder made by 'facegan prepare' with --attributes.
        out: the network's file (.safetensors).
        architecture: residual or convolutional (about 64 px), plain or pooled (small pictures).
        width: channels of the first layer.
        size: resize pictures to this many px (0: keep their size).
        epochs: how many times each picture is seen.
        batch: pictures in one update.
        lr: highest learning rate.
        seed: another seed gives another network.
        attributes: only these, separated by commas (default: every yes/no attribute).
        licence: the licence in the card.
    """
    from facegan.attributes.card import table
    from facegan.attributes.train_attributes import train_attributes

    line, start = Line(), time.monotonic()

    def show(epoch: int, loss: float, _: AttributePredictor) -> None:
        spent = time.monotonic() - start
        line.say(f"epoch {epoch} of {epochs}  loss {loss:.4f}  {spent / 60:.1f} min")

    predictor = train_attributes(
        dataset,
        out,
        attributes=attributes,
        licence=licence,
        on_epoch=show,
        say=notify,
        architecture=architecture,
        width=width,
        size=size,
        epochs=epochs,
        batch=batch,
        lr=lr,
        seed=seed,
    )
    print(table(predictor))
