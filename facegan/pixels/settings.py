"""Settings that attack, dream and stylize share: the classifier, and snapshots of the work.

Nothing here imports torch, since the command line makes its help from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from facegan import arguments
from facegan.errors import InputError
from facegan.settings import check_values, setting

MIN_SIDE = 32  # px that any of the usual networks still takes
_Config = TypeVar("_Config")


def replace_fields(config: _Config, changes: Mapping[str, Any]) -> _Config:
    """Return checked settings with some fields replaced; None leaves a field as it is.

    Raises:
        InputError: There is no such field, or a value is of another type or out of its bounds.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    made = replace(config, **arguments.settings(type(config), given))  # type: ignore[type-var]
    check_values(made, error=InputError)
    return made


def distribute(changes: Mapping[str, Any], *configs: Any) -> list[Any]:
    """Give each of several settings objects the changes of its own fields, as :func:`changed` does.

    The first one gets the unknown names, which it refuses.
    """
    names = [{each.name for each in fields(config)} for config in configs]
    shares = [{n: v for n, v in changes.items() if n in own} for own in names]
    shares[0] |= {n: v for n, v in changes.items() if not any(n in own for own in names)}
    return [replace_fields(config, share) for config, share in zip(configs, shares, strict=True)]


@dataclass(frozen=True)
class ClassifierConfig:
    """The classifier that looks at pictures, by what ``load_classifier`` takes."""

    model: str = "faces"
    """the classifier: faces (bundled; faces:bald,smiling chooses attributes), efficientnet_lite0, a name of
    torchvision's, an exported program (.pt2), or FILE.py:FUNCTION."""
    labels: str = ""
    """file with the names of the classes, one a line, or JSON; '' uses the classifier's own."""
    weights: str = ""
    """file of weights for ImageNet's networks; '' looks into torch's cache, then downloads."""
    input_size: int = setting(0, minimum=0)
    """side in px of the pictures that the classifier was trained with; 0 is the classifier's own."""
    mean: str = ""
    """mean of each colour, in [0, 1]: 0.485,0.456,0.406; '' is the classifier's."""
    std: str = ""
    """standard deviation of each colour; '' is the classifier's."""
    reverse: bool = False
    """the network takes blue, green, red (after the mean was subtracted), as Keras's VGG does."""
    random_weights: bool = False
    """use random weights for an ImageNet network, to try things out."""
    device: str = "cpu"
    """cpu, cuda or mps."""


@dataclass(frozen=True)
class SnapshotConfig:
    """What is kept of the work while it goes on."""

    every: int = setting(0, minimum=0)
    """keep a picture after every N steps; 0 keeps one after each octave of a dream."""
    pictures: str = ""
    """folder for them; '' keeps them only with --every, in OUT-steps/."""
    film: str = ""
    """.mp4, .gif or .webp of them."""
    fps: float = 24.0
    """frames per second of a film, up to 240 (.gif 50)."""
    curve: str = ""
    """a .png with the losses of each step."""
    mark: bool = True
    """write into each picture that a trained network made or changed it, and by which command. EU law asks
    providers for such marks since 2 August 2026 (Regulation 2024/1689, Article 50(2))."""
