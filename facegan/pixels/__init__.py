"""Pictures by optimising pixels: three objectives on one loop, against any classifier.

>>> from facegan import pixels
>>> model = pixels.load_classifier("faces")
>>> [result] = pixels.attack(model, ["sample:officer"], target="smiling face", epsilon=4 / 255)
>>> dreamt = pixels.dream(model, "sample:astronaut").image      # uint8 H,W,3
>>> painted = pixels.stylize(model, "sample:astronaut", ["sample:strokes"], size=512).image
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# name -> where it lives: imported on first use, so that the command line can look here without torch.
_PUBLIC = {
    "AttackResult": "facegan.pixels.attacks.attack",
    "Attacked": "facegan.pixels.attacks.attack",
    "attack": "facegan.pixels.attacks.attack",
    "Classifier": "facegan.pixels.classifiers",
    "load_classifier": "facegan.pixels.classifiers",
    "DreamSettings": "facegan.pixels.settings",
    "StyleSettings": "facegan.pixels.settings",
    "dream": "facegan.pixels.dreams.dream",
    "zoom": "facegan.pixels.dreams.dream",
    "visualise": "facegan.pixels.dreams.visualise",
    "stylize": "facegan.pixels.style.stylize",
}
_RENAMED = {"Attacked": "AttackResult"}  # names of 0.1, which go on working

__all__ = [
    "AttackResult", "Classifier", "DreamSettings", "StyleSettings", "attack", "dream", "load_classifier",
    "stylize", "visualise", "zoom",
]  # fmt: skip

if TYPE_CHECKING:
    from facegan.pixels.attacks.attack import AttackResult, attack
    from facegan.pixels.classifiers import Classifier, load_classifier
    from facegan.pixels.dreams.dream import dream, zoom
    from facegan.pixels.dreams.visualise import visualise
    from facegan.pixels.settings import DreamSettings, StyleSettings
    from facegan.pixels.style.stylize import stylize


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), _RENAMED.get(name, name))
    raise AttributeError(f"module 'facegan.pixels' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
