"""What the settings of attack, dream and stylize share: the classifier, and what is kept of the work.

Nothing here imports torch: the command line makes its help from these classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union

from facegan import arguments
from facegan.errors import InputError
from facegan.files import check_ending, check_places
from facegan.settings import check_values, setting

if TYPE_CHECKING:
    from facegan.pixels.classifiers import Classifier

MIN_SIDE = 32  # px that any of the usual networks still takes
_Config = TypeVar("_Config")


def changed(config: _Config, changes: Mapping[str, Any]) -> _Config:
    """Return settings with some fields replaced; values are converted as :mod:`facegan.arguments` does it.

    Raises:
        InputError: There is no such field, or the value is of another type.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    return replace(config, **arguments.settings(type(config), given))  # type: ignore[type-var]


def distribute(changes: Mapping[str, Any], *configs: Any) -> list[Any]:
    """Give each of several settings objects the changes of its own fields; the first gets the unknown ones.

    Raises:
        InputError: A name is a field of none of them.
    """
    names = [{each.name for each in fields(config)} for config in configs]
    unknown = {name: value for name, value in changes.items() if not any(name in own for own in names)}
    shares = [{n: v for n, v in changes.items() if n in own} for own in names]
    shares[0] |= unknown
    return [changed(config, share) for config, share in zip(configs, shares, strict=True)]


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
    """side in px of the pictures that the classifier was trained with; 0 is what it says."""
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

    def load(self, crop: bool = False) -> Classifier:
        """Load the classifier; with ``crop`` it looks at the centre of photos.

        Raises:
            InputError: It cannot be had, or a setting is wrong.
        """
        from facegan.pixels.classifiers import load_classifier
        from facegan.pixels.tiles import reverse_channels

        check_values(self, error=InputError)
        if self.random_weights and self.weights:
            raise InputError("--weights and --random-weights exclude each other")
        classifier = load_classifier(
            self.model,
            labels=self.labels,
            weights=self.weights,
            input_size=self.input_size,
            mean=arguments.parse_numbers("--mean", self.mean) if self.mean else None,
            std=arguments.parse_numbers("--std", self.std) if self.std else None,
            crop=crop,
            device=self.device,
            random_weights_seed=0 if self.random_weights else None,
        )
        if self.reverse:
            reverse_channels(classifier)
        return classifier


Model = Union[str, ClassifierConfig, "Classifier"]


def with_settings(model: Model, settings: Mapping[str, Any], *configs: Any) -> list[Any]:
    """Return the classifier, or its settings, and ``configs``, each with its own share of ``settings``.

    Raises:
        InputError: A setting belongs to none of them.
    """
    if not isinstance(model, (str, ClassifierConfig)):
        return [model, *distribute(settings, *configs)]
    network = ClassifierConfig(model) if isinstance(model, str) else model
    *own, network = distribute(settings, *configs, network)
    return [network, *own]


def model_name(network: ClassifierConfig | Classifier) -> str:
    """Return what the user called a classifier, loaded or not."""
    return network.model if isinstance(network, ClassifierConfig) else network.name


@dataclass(frozen=True)
class SnapshotConfig:
    """What is kept of the work while it goes on."""

    every: int = setting(0, minimum=0)
    """keep a picture after every so many steps; 0, of a dream: at the end of each octave."""
    pictures: str = ""
    """folder for them; '' keeps them only with --every, in OUT-steps/."""
    film: str = ""
    """.mp4, .gif or .webp of them."""
    fps: float = 24.0
    """frames a second of a film, up to 240 (.gif 50)."""
    curve: str = ""
    """a .png with the losses of each step."""

    def check(self, out: str, read: Sequence[Any]) -> None:
        """Check names and numbers.

        Args:
            out: Where the result goes; "" is nowhere.
            read: The pictures that are read; those that are no files do not matter.

        Raises:
            InputError: A name or number cannot be, or a result would replace what is read.
        """
        from facegan.pixels.snapshots import check_film

        check_values(self, error=InputError)
        if out:
            check_ending("--out", out, (".png", ".jpg", ".jpeg"))
        if self.curve:
            check_ending("--curve", self.curve, (".png",))
        check_film(self.film, self.fps)
        given = [str(name) for name in read if isinstance(name, (str, Path)) and str(name)]
        places = {"--out": out, "--curve": self.curve, "--film": self.film}
        check_places(places, given)
        for option, name in places.items():
            if name and Path(name).is_dir():
                raise InputError(f"{option} {name}: is a folder; choose a name for a file")
        folders = [Path(photo).resolve().parent for photo in given if Path(photo).exists()]
        if self.pictures and Path(self.pictures).resolve() in folders:
            raise InputError(
                f"--pictures {self.pictures}: pictures that are read lie there; choose another folder"
            )
