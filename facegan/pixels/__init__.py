"""Pictures by optimising pixels: three objectives on one loop, against any classifier.

>>> from facegan import pixels
>>> model = pixels.load_classifier("faces")
>>> [result] = pixels.attack(model, ["sample:officer"], target="smiling face", epsilon=4 / 255)
>>> dreamt = pixels.dream(model, "sample:astronaut").image      # uint8 H,W,3
>>> painted = pixels.stylize(model, "sample:astronaut", ["sample:strokes"], size=512).image
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facegan.lazy import importer

if TYPE_CHECKING:
    from facegan.classifiers.classifier import Classifier
    from facegan.classifiers.loading import load_classifier
    from facegan.pixels.attacks.config import AttackConfig
    from facegan.pixels.attacks.result import AttackResult
    from facegan.pixels.dreams.config import DreamConfig, FlightConfig
    from facegan.pixels.dreams.dream import zoom
    from facegan.pixels.dreams.visualise import visualise
    from facegan.pixels.settings import ClassifierConfig, SnapshotConfig
    from facegan.pixels.style.config import StyleConfig

# name -> where it lives: imported on first use, so that the command line can look here without torch.
_PUBLIC = {
    "AttackConfig": "facegan.pixels.attacks.config",
    "AttackResult": "facegan.pixels.attacks.result",
    "Classifier": "facegan.classifiers.classifier",
    "ClassifierConfig": "facegan.pixels.settings",
    "DreamConfig": "facegan.pixels.dreams.config",
    "FlightConfig": "facegan.pixels.dreams.config",
    "SnapshotConfig": "facegan.pixels.settings",
    "StyleConfig": "facegan.pixels.style.config",
    "load_classifier": "facegan.classifiers.loading",
    "visualise": "facegan.pixels.dreams.visualise",
    "zoom": "facegan.pixels.dreams.dream",
}
# Names of 0.1, which go on working.
_RENAMED = {"Attacked": "AttackResult", "DreamSettings": "DreamConfig", "StyleSettings": "StyleConfig"}
__all__ = ["AttackConfig", "AttackResult", "Classifier", "ClassifierConfig", "DreamConfig", "FlightConfig"]
__all__ += [
    "SnapshotConfig",
    "StyleConfig",
    "attack",
    "dream",
    "load_classifier",
    "stylize",
    "visualise",
    "zoom",
]


def attack(classifier: Any, photos: Any, target: Any = None, **options: Any) -> Any:
    """Call :func:`facegan.attack` with the classifier first."""
    from facegan.pixels.attacks.attack import attack

    return attack(photos, target, model=classifier, **options)


def dream(classifier: Any, picture: Any, settings: Any = None, **options: Any) -> Any:
    """Call :func:`facegan.dream` with the classifier first."""
    from facegan.pixels.dreams.api import dream

    return dream(picture, model=classifier, config=settings, **options)


def stylize(classifier: Any, content: Any, styles: Any, *, settings: Any = None, **options: Any) -> Any:
    """Call :func:`facegan.stylize` with the classifier first."""
    from facegan.pixels.style.stylize import stylize

    return stylize(content, styles, model=classifier, config=settings, **options)


__getattr__ = importer(__name__, _PUBLIC, _RENAMED)


def __dir__() -> list[str]:
    return sorted(__all__)
