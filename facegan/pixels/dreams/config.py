"""Settings of dreams and of flights into them. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from facegan.errors import InputError
from facegan.pixels.settings import MIN_SIDE
from facegan.settings import setting


@dataclass(frozen=True)
class DreamConfig:
    """Settings of a dream, and of pictures from noise; the command's flags are these fields."""

    layers: tuple[str, ...] = ()
    """layers to amplify: NAME, NAME:CHANNEL, each with =WEIGHT; none: those that suit the network."""
    classes: tuple[str, ...] = ()
    """classes to make more probable, by name or number, each with =WEIGHT."""
    octaves: int = setting(6, minimum=1)
    """number of picture sizes up to the picture's own; sizes that are too small are skipped."""
    octave_scale: float = setting(1.4, minimum=1.01, maximum=10)
    """how much larger each octave is than the one before."""
    steps: int = setting(0, minimum=0)
    """steps in each octave, from noise in all; 0 is 10, from noise 256."""
    step_size: float = setting(0.01, minimum=1e-6, maximum=1)
    """mean change of a value in [0, 1] in one step; from noise a quarter of Adam's rate."""
    jitter: int = setting(32, minimum=0)
    """move the picture by up to so many px against the network's grid in each step."""
    smooth: tuple[float, ...] = setting((0.7, 1.4, 2.8), minimum=0, maximum=100)
    """widths of blurs in px: coarse and fine parts of the gradient count alike; 0 alone takes it raw."""
    colour: float = setting(0.8, minimum=0, maximum=2)
    """how much of the gradient's colour is used: 0 changes brightness only."""
    tile: int = setting(-1, minimum=MIN_SIDE, also=(-1, 0))
    """side in px of the pieces that are computed at a time; 0 is the whole, -1 decides by the size."""
    overlap: int = setting(96, minimum=0)
    """how far a piece looks beyond its own part on each side, in px."""
    stop_above: float = setting(0.0, minimum=0)
    """end when the loss has passed this, tested before each step; 0 is never."""
    size: int = setting(0, minimum=MIN_SIDE, also=(0,))
    """longer side in px; 0 is the photo's own, from noise 224."""
    seed: int = 0
    """fixes the random shifts and the noise."""


@dataclass(frozen=True)
class FlightConfig:
    """Settings of a film that flies into a dream."""

    zoom: float = setting(0.0, minimum=1, maximum=2, also=(0,))
    """make a film (--film) that flies into the dream, with each frame enlarged so much: 1.02."""
    turn: float = setting(0.0, minimum=-180, maximum=180)
    """rotation per frame in degrees."""
    centre: tuple[float, float] = (0.5, 0.5)
    """centre of the flight, across and down from 0 to 1."""
    frames: int = setting(120, minimum=1)
    """number of computed frames."""
    between: int = setting(0, minimum=0)
    """frames blended between two dreamt ones: 1 makes 30 a second into 60 (--fps 60)."""

    def check(self) -> None:
        """Raise InputError for settings that do not go together."""
        if not self.zoom and replace(self, zoom=0.0) != FlightConfig():
            raise InputError("--turn, --centre, --frames and --between go with --zoom (1 only turns)")
        if not all(0 <= place <= 1 for place in self.centre):
            raise InputError("--centre must be two numbers from 0 to 1, across and down")

    @property
    def count(self) -> int:
        """Frames of the film, blended ones included."""
        return 1 + (self.frames - 1) * (self.between + 1)


# The layers that suit a classifier, by the name of its network's class. Those of ResidualFaceClasses (the
# bundled network), EfficientNetLite0 and MobileNetV1 were chosen by looking at results; the others come from
# the tutorials and papers, and were not run with real weights.
DREAM_LAYERS: dict[str, tuple[str, ...]] = {
    "ResidualFaceClasses": ("body.14",),
    "EfficientNetLite0": ("blocks.11",),
    "MobileNetV1": ("features.20",),
    "VGG": ("block4_conv3=0.5", "block5_pool"),
    "Inception3": ("mixed3", "mixed5=1.5"),
    "GoogLeNet": ("inception4c", "inception4d=0.5"),
    "ResNet": ("layer3",),
}

# The tutorial's settings, from its printed code.
DREAMS: dict[str, DreamConfig] = {
    "default": DreamConfig(),
    "tutorial": DreamConfig(
        layers=("block2_pool=0.3", "block5_pool=1.5"),
        octaves=1,
        steps=100,
        step_size=0.01,
        jitter=0,
        smooth=(),
        colour=1.0,
        tile=0,
        stop_above=20.0,
    ),
}
