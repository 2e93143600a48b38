"""Options that dream and stylize share: the classifier, and what is kept of the work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.cli.options import check_ending, check_places, chosen_classifier, numbers
from facegan.errors import InputError

if TYPE_CHECKING:
    from facegan.pixels import Classifier
    from facegan.pixels.loop import StepStats
    from facegan.pixels.snapshots import Snapshots


@dataclass(frozen=True)
class ClassifierFlags:
    """The flags are these fields."""

    model: str = "faces"
    """the classifier: faces (bundled), efficientnet_lite0, a name of torchvision's, an exported program
    (.pt2), or FILE.py:FUNCTION."""
    labels: str = ""
    """file with the names of the classes, one a line, or JSON; '' is what the classifier brings."""
    weights: str = ""
    """file of weights for ImageNet's networks; '' looks into torch's cache, then downloads."""
    input_size: int = 0
    """side of what the classifier was trained with, in px; 0 is what it says."""
    mean: str = ""
    """of the colours, in [0, 1]: 0.485,0.456,0.406; '' is the classifier's."""
    std: str = ""
    """of the colours; '' is the classifier's."""
    reverse: bool = False
    """the network takes blue, green, red (after the mean was taken off), as Keras's VGG does."""
    random_weights: bool = False
    """of ImageNet's networks, to try things out."""
    device: str = "cpu"
    """cpu, cuda or mps."""

    def load(self) -> Classifier:
        from facegan.pixels import load_classifier
        from facegan.pixels.tiles import reverse_channels

        if not self.random_weights:
            classifier = chosen_classifier(
                self.model,
                self.labels,
                self.weights,
                self.input_size,
                self.mean,
                self.std,
                False,
                self.device,
            )
        else:
            if self.weights:
                raise InputError("--weights and --random-weights exclude each other")
            classifier = load_classifier(
                self.model, labels=self.labels, input_size=max(0, self.input_size), device=self.device,
                mean=numbers("--mean", self.mean) if self.mean else None,
                std=numbers("--std", self.std) if self.std else None, random_weights_seed=0,
            )  # fmt: skip
        if self.reverse:
            reverse_channels(classifier)
        return classifier


@dataclass(frozen=True)
class KeepFlags:
    """The flags are these fields."""

    every: int = 0
    """keep a picture after every so many steps; 0, of a dream: at the end of each octave."""
    pictures: str = ""
    """folder for them; '' keeps them only where --every is given, in OUT-steps/."""
    film: str = ""
    """.mp4, .gif or .webp of them."""
    fps: float = 24.0
    """frames a second of a film, up to 240 (.gif 50)."""
    curve: str = ""
    """a .png with the losses of each step."""
    quiet: bool = False
    """no live line."""

    def check(self, place: str, given: tuple[str, ...]) -> None:
        """InputError for names and numbers that cannot be, or results in the place of what is ``given``."""
        from facegan.pixels.snapshots import check_film

        check_ending("--out", place, (".png", ".jpg", ".jpeg"))
        if self.curve:
            check_ending("--curve", self.curve, (".png",))
        if self.every < 0:
            raise InputError(f"--every must be 0 or more, not {self.every}")
        check_film(self.film, self.fps)
        places = {"--out": place, "--curve": self.curve, "--film": self.film}
        check_places(places, given)
        for option, name in places.items():
            if name and Path(name).is_dir():
                raise InputError(f"{option} {name}: is a folder; choose a name for a file")
        folders = [Path(photo).resolve().parent for photo in given if photo and Path(photo).exists()]
        if self.pictures and Path(self.pictures).resolve() in folders:
            raise InputError(
                f"--pictures {self.pictures}: pictures that are read lie there; choose another folder"
            )

    def snapshots(self, place: str, going_on: bool = False) -> Snapshots:
        from facegan.pixels.snapshots import Snapshots

        folder = self.pictures or (str(Path(place).with_suffix("")) + "-steps" if self.every else "")
        return Snapshots(folder, self.film, self.fps, self.every if going_on else 0)


def left(stats: StepStats) -> str:
    """Time left, for the live line."""
    seconds = (stats.steps - stats.step) * stats.seconds / max(1, stats.step)
    return f"left {seconds // 60:.0f}:{seconds % 60:02.0f}"
