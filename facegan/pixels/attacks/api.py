"""``facegan.attack``: all that the command does, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from facegan.errors import FaceganError
from facegan.pixels.attacks import attack as attacks
from facegan.pixels.attacks.config import AttackConfig
from facegan.pixels.attacks.output import warn
from facegan.pixels.attacks.result import AttackResult
from facegan.pixels.loading import Model, with_settings
from facegan.pixels.loop import OnStep
from facegan.pixels.pictures import Picture


def attack(
    photos: Picture | Sequence[Picture],
    target: str | int | Sequence[str | int] | None = None,
    *,
    model: Model = "faces",
    config: AttackConfig | None = None,
    out: str | Path | None = None,
    figure: bool = True,
    report: str = "",
    on_step: OnStep | None = None,
    on_result: Callable[[AttackResult], None] | None = None,
    on_unread: Callable[[FaceganError], None] = warn,
    **settings: Any,
) -> list[AttackResult]:
    """Change photos, a little, until a classifier sees something else in them.

    >>> [found] = facegan.attack("sample:officer", "smiling face", epsilon=4 / 255, out="officer.png")

    Args:
        photos: A photo or several: files, folders, or arrays uint8 ``H,W,3``.
        target: A class for all or one for each photo, by name or number; None is any other class.
        model: What ``load_classifier`` takes, its result, or a ``ClassifierConfig``.
        config: Settings of the attack.
        out: Where results go: a .png, or a folder for several photos; "" is PHOTO-attacked.png in the current
            folder, or attacked/; None writes nothing.
        figure: Write the amplified difference and a figure, too, beside each picture.
        report: A table of all photos to write: .html, .json or .csv.
        on_step: Sees each step's numbers.
        on_result: Sees each photo's result as soon as it is there.
        on_unread: Sees the error of each file in a folder that cannot be read, which is then left out.
        settings: Fields of ``AttackConfig`` and ``ClassifierConfig``, such as ``device="cuda"``.

    Returns:
        A result for each photo; after Ctrl-C those of the photos that were begun, the last with ``signum``.
    """
    network, own = with_settings(model, settings, config or AttackConfig())
    return attacks.attack(
        network,
        photos,
        target,
        config=own,
        out=out,
        figure=figure,
        report=report,
        on_step=on_step,
        on_result=on_result,
        on_unread=on_unread,
    )
