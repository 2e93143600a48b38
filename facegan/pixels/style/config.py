"""Settings of style transfer. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from facegan.errors import InputError
from facegan.pixels.settings import MIN_SIDE
from facegan.settings import setting

MAX_SIDE = 2048  # px of a result


@dataclass(frozen=True)
class StyleConfig:
    """Settings of style transfer; the command's flags are these fields."""

    style_weights: tuple[float, ...] = ()
    """a weight for each style; none: all alike."""
    masks: tuple[str, ...] = ()
    """a grey picture for each style, white where it goes; "-" is everywhere."""
    layers: tuple[str, ...] = ()
    """layers whose Gram matrices are the style: NAME or NAME=WEIGHT; none: those that suit the classifier."""
    content_layers: tuple[str, ...] = ()
    """layers whose activations are the content: NAME or NAME=WEIGHT."""
    content_weight: float = setting(-1.0, minimum=0, also=(-1,))
    """weight of the content beside the style; -1 suits the classifier."""
    tv_weight: float = setting(1.0, minimum=0)
    """weight of total variation: more is smoother."""
    size: int = setting(512, minimum=MIN_SIDE, maximum=MAX_SIDE, also=(0,))
    """longer side of the result in px, up to 2048; 0 is the photo's own."""
    first_size: int = setting(181, minimum=MIN_SIDE)
    """begin at about this size and grow by the square root of 2."""
    style_scale: float = setting(1.0, minimum=0.05, maximum=20)
    """size of a style picture compared with the result: less makes strokes smaller."""
    steps: int = setting(100, minimum=1)
    """steps at each size; the first one gets twice as many."""
    optimizer: str = setting("adam", choices=("adam", "lbfgs", "plain"))
    """adam, lbfgs, or plain (the gradient divided by its mean)."""
    step_size: float = setting(0.02, minimum=1e-6, maximum=1)
    """step of adam and plain: about how far a value in [0, 1] moves."""
    average: float = setting(0.95, minimum=0, maximum=0.9999)
    """the result is a moving average of the steps with this decay; 0 is the last step."""
    keep_colours: bool = False
    """keep the photo's own colours, and take the style's brightness only."""
    start: str = setting("content", choices=("content", "noise"))
    """content, or noise."""
    formula: str = setting("relative", choices=("relative", "tutorial"))
    """relative: losses as shares of what they compare with; tutorial: the tutorial's plain sums."""
    tile: int = setting(-1, minimum=MIN_SIDE, also=(-1, 0))
    """side in px of the pieces that are computed at a time; 0 is the whole, -1 decides by the size."""
    overlap: int = setting(96, minimum=0)
    """how far a piece looks beyond its own part on each side, in px."""
    square: int = setting(0, minimum=MIN_SIDE, maximum=MAX_SIDE, also=(0,))
    """bring all pictures to this many px, both sides, whatever their shape; 0 keeps shapes."""
    seed: int = 0
    """fixes the noise."""

    def check(self, styles: int) -> None:
        """Raise InputError for settings that do not go with the number of styles."""
        if self.style_weights and len(self.style_weights) != styles:
            raise InputError(f"--style-weights: {len(self.style_weights)} weights for {styles} styles")
        if self.masks and len(self.masks) != styles:
            raise InputError(f"--masks: {len(self.masks)} masks for {styles} styles ('-' is everywhere)")
        if self.style_weights and (min(self.style_weights) < 0 or not sum(self.style_weights)):
            raise InputError("--style-weights must be 0 or more, and not all 0")


# What suits a classifier, by the name of its network's class: style layers, content layers, content weight.
# Those of ResidualFaceClasses (the bundled network), EfficientNetLite0 and MobileNetV1 were chosen by looking
# at results; those of VGG are Gatys's, and were not run with real weights.
STYLE_LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...], float]] = {
    "ResidualFaceClasses": (("body.2", "body.5", "body.6", "body.9", "body.10"), ("body.10",), 0.1),
    "EfficientNetLite0": (("stem", "blocks.0", "blocks.2", "blocks.4", "blocks.7"), ("blocks.4",), 0.1),
    "MobileNetV1": (tuple(f"features.{i}" for i in (0, 2, 4, 6, 8, 10, 14)), ("features.10",), 0.1),
    "VGG": (tuple(f"block{number}_conv1" for number in range(1, 6)), ("block4_conv2",), 0.05),
}

# The tutorial's settings, from its printed code.
STYLES: dict[str, StyleConfig] = {
    "default": StyleConfig(),
    "tutorial": StyleConfig(
        layers=("block1_pool", "block2_pool", "block3_conv4"),
        content_layers=("block3_conv4",),
        content_weight=0.1,
        tv_weight=0.0,
        size=224,
        first_size=224,
        square=224,
        steps=2000,
        optimizer="plain",
        step_size=0.001,
        average=0.0,
        formula="tutorial",
        tile=0,
    ),
}
