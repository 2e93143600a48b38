"""The settings of dream and stylize, with their presets. Imports no torch: help is made from them."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.errors import InputError


@dataclass(frozen=True)
class DreamSettings:
    """The flags are these fields."""

    layers: tuple[str, ...] = ()
    """what to make stronger: NAME, NAME:CHANNEL, each with =WEIGHT; none: what suits the classifier."""
    classes: tuple[str, ...] = ()
    """classes to make more probable, by name or number, each with =WEIGHT."""
    octaves: int = 6
    """sizes at which to dream, the last one the picture's own; too small ones are left out."""
    octave_scale: float = 1.4
    """each octave is so much larger than the one before."""
    steps: int = 0
    """steps in each octave, from noise in all; 0 is 10, from noise 256."""
    step_size: float = 0.01
    """mean change of a value in [0, 1] in one step; from noise a quarter of Adam's rate."""
    jitter: int = 32
    """move the picture by up to so many px against the network's grid in each step."""
    smooth: tuple[float, ...] = (0.7, 1.4, 2.8)
    """widths of blurs in px: coarse and fine parts of the gradient count alike; 0 alone takes it raw."""
    colour: float = 0.8
    """how much of the gradient's colour is used: 0 changes brightness only."""
    tile: int = -1
    """side of the pieces in px that are computed at a time; 0 is the whole, -1 decides by the size."""
    overlap: int = 96
    """how far a piece looks beyond its own part on each side, in px."""
    stop_above: float = 0.0
    """end when the loss has passed this, tested before each step; 0 is never."""
    size: int = 0
    """longer side in px; 0 is the photo's own, from noise 224."""
    seed: int = 0
    """of the random movements, and of noise."""

    def check(self) -> DreamSettings:
        """Itself, or InputError that names the option."""
        at_least("--octaves", self.octaves, 1)
        at_least("--steps", self.steps, 0)
        at_least("--jitter", self.jitter, 0)
        at_least("--tile", self.tile, -1)
        at_least("--overlap", self.overlap, 0)
        at_least("--stop-above", self.stop_above, 0)
        at_least("--size", self.size, 0)
        between("--octave-scale", self.octave_scale, 1.01, 10)
        between("--step-size", self.step_size, 1e-6, 1)
        between("--colour", self.colour, 0, 2)
        for sigma in self.smooth:
            between("--smooth", sigma, 0, 100)
        if 0 < self.size < SMALLEST:
            raise InputError(f"--size must be 0 or at least {SMALLEST}, not {self.size}")
        if 0 < self.tile < SMALLEST:
            raise InputError(f"--tile must be -1, 0 or at least {SMALLEST}, not {self.tile}")
        return self


@dataclass(frozen=True)
class StyleSettings:
    """The flags are these fields."""

    style_weights: tuple[float, ...] = ()
    """a weight for each style; none: all alike."""
    masks: tuple[str, ...] = ()
    """a grey picture for each style, white where it goes; "-" is everywhere."""
    layers: tuple[str, ...] = ()
    """whose Gram matrices are the style: NAME or NAME=WEIGHT; none: what suits the classifier."""
    content_layers: tuple[str, ...] = ()
    """whose activations are the content: NAME or NAME=WEIGHT."""
    content_weight: float = -1.0
    """of the content beside the style; -1 is what suits the classifier."""
    tv_weight: float = 1.0
    """of total variation: more is smoother."""
    size: int = 512
    """longer side of the result in px, up to 2048; 0 is the photo's own."""
    first_size: int = 181
    """begin at about this size and grow by the square root of 2."""
    style_scale: float = 1.0
    """size of a style picture compared with the result: less makes strokes smaller."""
    steps: int = 100
    """steps at each size; the first one gets twice as many."""
    optimizer: str = "adam"
    """adam, lbfgs, or plain (the gradient divided by its mean)."""
    step_size: float = 0.02
    """of adam and plain: about how far a value in [0, 1] moves in a step."""
    average: float = 0.95
    """the result is a moving average of the steps with this decay; 0 is the last step."""
    keep_colours: bool = False
    """the photo's own colours: the style's brightness only."""
    start: str = "content"
    """content, or noise."""
    formula: str = "relative"
    """relative: losses as shares of what they compare with; tutorial: the tutorial's plain sums."""
    tile: int = -1
    """side of the pieces in px that are computed at a time; 0 is the whole, -1 decides by the size."""
    overlap: int = 96
    """how far a piece looks beyond its own part on each side, in px."""
    square: int = 0
    """bring all pictures to this many px, both sides, whatever their shape; 0 keeps shapes."""
    seed: int = 0
    """of noise."""

    def check(self, styles: int) -> StyleSettings:
        """Itself, or InputError that names the option. ``styles``: how many there are."""
        if self.style_weights and len(self.style_weights) != styles:
            raise InputError(f"--style-weights: {len(self.style_weights)} weights for {styles} styles")
        if self.masks and len(self.masks) != styles:
            raise InputError(f"--masks: {len(self.masks)} masks for {styles} styles ('-' is everywhere)")
        if any(not 0 <= w < float("inf") for w in self.style_weights) or (
            self.style_weights and not sum(self.style_weights)
        ):
            raise InputError("--style-weights must be 0 or more, and not all 0")
        choose("--optimizer", self.optimizer, ("adam", "lbfgs", "plain"))
        choose("--start", self.start, ("content", "noise"))
        choose("--formula", self.formula, ("relative", "tutorial"))
        at_least("--steps", self.steps, 1)
        at_least("--tile", self.tile, -1)
        at_least("--overlap", self.overlap, 0)
        at_least("--tv-weight", self.tv_weight, 0)
        between("--average", self.average, 0, 0.9999)
        between("--step-size", self.step_size, 1e-6, 1)
        between("--style-scale", self.style_scale, 0.05, 20)
        for option, value in (("--size", self.size), ("--square", self.square)):
            if value and not SMALLEST <= value <= LARGEST_STYLE:
                raise InputError(f"{option} must be 0 or {SMALLEST} to {LARGEST_STYLE}, not {value}")
        at_least("--first-size", self.first_size, SMALLEST)
        if 0 < self.tile < SMALLEST:
            raise InputError(f"--tile must be -1, 0 or at least {SMALLEST}, not {self.tile}")
        if self.content_weight != -1:
            at_least("--content-weight", self.content_weight, 0)
        return self


SMALLEST = 32  # px that any of the usual networks still takes
LARGEST_STYLE = 2048


def at_least(option: str, value: float, least: float) -> None:
    if not least <= value < float("inf"):
        raise InputError(f"{option} must be at least {least:g}, not {value:g}")


def between(option: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"{option} must be from {low:g} to {high:g}, not {value:g}")


def choose(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{option} {value}: choose one of {', '.join(known)}")


# What suits a classifier, by the name of its network's class: layers of a dream; style layers, content layers
# and content weight. Those of MobileNetV1 were chosen by looking at results; those of VGG are Gatys's; the
# others follow from the tutorials and papers and were not run with real weights. ResidualFaceClasses is the
# bundled network's, EfficientNetLite0 its package's; both were chosen by looking, too.
DREAM_LAYERS: dict[str, tuple[str, ...]] = {
    "ResidualFaceClasses": ("body.14",),
    "EfficientNetLite0": ("blocks.11",),
    "MobileNetV1": ("features.20",),
    "VGG": ("block4_conv3=0.5", "block5_pool"),
    "Inception3": ("mixed3", "mixed5=1.5"),
    "GoogLeNet": ("inception4c", "inception4d=0.5"),
    "ResNet": ("layer3",),
}  # fmt: skip
STYLE_LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "ResidualFaceClasses": (("body.2", "body.5", "body.6", "body.9", "body.10"), ("body.10",), 0.1),
    "EfficientNetLite0": (
        ("stem", "blocks.0", "blocks.2", "blocks.4", "blocks.7"), ("blocks.4",), 0.1,
    ),
    "MobileNetV1": (
        ("features.0", "features.2", "features.4", "features.6", "features.8", "features.10", "features.14"),
        ("features.10",), 0.1,
    ),
    "VGG": (
        ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1"),
        ("block4_conv2",), 0.05,
    ),
}  # fmt: skip

# The tutorials, from their printed code; the classifier's own part is MODELS.
DREAMS: dict[str, DreamSettings] = {
    "default": DreamSettings(),
    "tutorial": DreamSettings(
        layers=("block2_pool=0.3", "block5_pool=1.5"), octaves=1, steps=100, step_size=0.01, jitter=0,
        smooth=(), colour=1.0, tile=0, stop_above=20.0,
    ),
}  # fmt: skip
STYLES: dict[str, StyleSettings] = {
    "default": StyleSettings(),
    "tutorial": StyleSettings(
        layers=("block1_pool", "block2_pool", "block3_conv4"), content_layers=("block3_conv4",),
        content_weight=0.1, tv_weight=0.0, size=224, first_size=224, square=224, steps=2000,
        optimizer="plain", step_size=0.001, average=0.0, formula="tutorial", tile=0,
    ),
}  # fmt: skip
