"""What drawn portraits can have, and which of it portrait N has.

``sample_attributes(seed, index)`` decides everything about portrait ``index``. Attributes are drawn
independently of each other (except that beards, and most long hair, follow ``feminine``), so that
differences between groups mean what their names say.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

from facegan import rng

Colour = tuple[float, float, float]

SKIN_TONES = ("ffe0cb", "f6cfae", "e8b68f", "d29a70", "b07850", "875536", "5f3b27")
# name: (colour, weight among lighter skin, weight among darker skin)
HAIR_COLOURS: dict[str, tuple[str, float, float]] = {
    "black": ("26212a", 0.20, 0.50),
    "dark brown": ("432c22", 0.24, 0.30),
    "brown": ("74492d", 0.16, 0.06),
    "auburn": ("8a3f25", 0.08, 0.03),
    "ginger": ("c8692f", 0.07, 0.02),
    "blond": ("d9aa5f", 0.17, 0.06),
    "grey": ("a9a7ad", 0.08, 0.03),
}
# style: (weight for feminine, weight for others)
HAIR_STYLES: dict[str, tuple[float, float]] = {
    "bald": (0.02, 0.12),
    "short": (0.06, 0.30),
    "quiff": (0.03, 0.24),
    "curly": (0.14, 0.16),
    "bun": (0.15, 0.03),
    "bob": (0.24, 0.05),
    "long": (0.36, 0.10),
}
LONG_STYLES = ("bob", "long")
BEARDS = {"stubble": 0.3, "full": 0.4, "goatee": 0.2, "moustache": 0.1}
GLASSES = {"round": 0.45, "square": 0.35, "wide": 0.2}
FRAMES_LIGHT_SKIN = ("1d1b20", "1d1b20", "2a2f4a", "5a1f24", "4a2c18")
FRAMES_DARK_SKIN = ("0d0c10", "f0ece2", "e8c35a", "d9483b")
EYE_COLOURS = ("4a2c1a", "5c3a20", "35221a", "6b5a2a", "4f7a55", "3f73a6", "6d8796")
COLLARS = ("crew", "vee", "shirt", "turtleneck")
CLOTHES = ("2f4a6d", "b5483f", "3c6e5b", "e0b04c", "6b4a78", "d9d4cb", "33343c", "c9798a", "4f8fa8", "8a9a5b")


@dataclass(frozen=True)
class PortraitAttributes:
    """Everything there is to know about one drawn portrait. Colours are RGB in [0, 1]."""

    feminine: bool
    skin: float
    """Skin tone, from 0 (lightest) to 1 (darkest)."""
    face_width: float
    """Half-width of the face in half picture heights, about 0.47..0.55."""
    jaw: float
    """0 pointed .. 1 square."""
    hair_style: str
    hair_name: str
    hair_colour: Colour
    hair_volume: float
    parting: float
    """Side of the parting, -1 (left of the picture) .. 1."""
    fringe: bool
    eye_colour: Colour
    eye_size: float
    eye_tilt: float
    eye_spacing: float
    brow_weight: float
    brow_raise: float
    nose_width: float
    nose_length: float
    lips: float
    """Fullness, 0..1."""
    lipstick: float
    smile: float
    """Curve of the mouth: -0.3 (corners down) .. 1 (broad smile)."""
    mouth_open: float
    """0 closed .. 1 wide open; teeth show when open."""
    glasses: str
    """"" (none), round, square or wide."""
    frame_colour: Colour
    beard: str
    """"" (none), stubble, full, goatee or moustache."""
    freckles: float
    earrings: bool
    yaw: float
    """Radians; positive turns the face to the right of the picture."""
    pitch: float
    """Radians; positive looks down."""
    roll: float
    light: tuple[float, float]
    """Where the light comes from: x in -1..1 (right), y in -1..0 (above)."""
    light_warmth: float
    """-1 cool .. 1 warm."""
    background: tuple[Colour, Colour]
    background_angle: float
    collar: str
    clothes: Colour

    @property
    def smiling(self) -> bool:
        return self.smile > 0.3

    def labels(self) -> dict[str, int]:
        """Return the yes/no columns of ``attributes.csv``, in its order."""
        return {name: int(test(self)) for name, test in LABELS.items()}


LABELS: dict[str, Callable[[PortraitAttributes], bool]] = {
    "Smiling": lambda a: a.smiling,
    "Glasses": lambda a: a.glasses != "",
    "Mouth_Open": lambda a: a.mouth_open > 0,
    "Beard": lambda a: a.beard != "",
    "Feminine": lambda a: a.feminine,
    "Long_Hair": lambda a: a.hair_style in LONG_STYLES,
    "Bald": lambda a: a.hair_style == "bald",
    "Blond_Hair": lambda a: a.hair_style != "bald" and a.hair_name == "blond",
    "Dark_Hair": lambda a: a.hair_style != "bald" and a.hair_name in ("black", "dark brown"),
    "Dark_Skin": lambda a: a.skin > 0.55,
    "Facing_Left": lambda a: a.yaw < -0.1,
    "Facing_Right": lambda a: a.yaw > 0.1,
}


def rgb(text: str) -> Colour:
    """Convert a colour such as ``"ff8000"`` to RGB in [0, 1]."""
    r, g, b = (int(text[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return (r, g, b)


class _Dice:
    """Takes one number after another from the stream of (seed, index)."""

    def __init__(self, seed: int, index: int) -> None:
        numbers: list[float] = rng.uniform(seed, "portrait", index, count=1, per_item=96)[0].tolist()
        self.numbers = iter(numbers)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * next(self.numbers)

    def bell(self, centre: float, spread: float) -> float:
        """Draw from the triangle on centre ± spread."""
        return centre + spread * (next(self.numbers) + next(self.numbers) - 1)

    def chance(self, share: float) -> bool:
        return next(self.numbers) < share

    def choose(self, weights: dict[str, float]) -> str:
        at = next(self.numbers) * sum(weights.values())
        for name, weight in weights.items():
            at -= weight
            if at < 0:
                return name
        return name

    def one_of(self, options: tuple[str, ...]) -> str:
        return options[int(next(self.numbers) * len(options))]

    def tint(self, colour: Colour, spread: float) -> Colour:
        """Return a neighbour of ``colour``: lighter or darker, and a little warmer or cooler."""
        light, warm = self.between(-spread, spread), self.between(-spread / 3, spread / 3)
        r, g, b = (c * (1 + light) for c in colour)
        return (min(1.0, r * (1 + warm)), min(1.0, g), min(1.0, b * (1 - warm)))


def sample_attributes(seed: int, index: int) -> PortraitAttributes:
    """Return the attributes of portrait ``index`` of the collection ``seed``; depends on these two only.

    Each call takes the same number from the stream for the same purpose whatever the earlier
    outcomes were, so that attributes stay independent.
    """
    dice = _Dice(seed, index)
    feminine = dice.chance(0.5)
    skin = dice.between(0, 1) ** 1.15
    hair_name = dice.choose({n: dark if skin > 0.55 else fair for n, (_, fair, dark) in HAIR_COLOURS.items()})
    style = dice.choose({n: w[0 if feminine else 1] for n, w in HAIR_STYLES.items()})
    smiling, broad, subdued = dice.chance(0.5), dice.between(0.62, 1.0), dice.between(-0.28, 0.1)
    teeth, parted, gape = dice.chance(0.65), dice.chance(0.1), dice.between(0.55, 1.0)
    wears, glasses = dice.chance(0.4), dice.choose(GLASSES)
    bearded, beard = dice.chance(0.45), dice.choose(BEARDS)
    frame = dice.one_of(FRAMES_DARK_SKIN if skin > 0.6 else FRAMES_LIGHT_SKIN)
    return PortraitAttributes(
        feminine=feminine,
        skin=skin,
        face_width=dice.bell(0.5 if feminine else 0.525, 0.03),
        jaw=dice.bell(0.3 if feminine else 0.65, 0.3),
        hair_style=style,
        hair_name=hair_name,
        hair_colour=dice.tint(rgb(HAIR_COLOURS[hair_name][0]), 0.18),
        hair_volume=dice.between(0, 1),
        parting=dice.between(-1, 1),
        fringe=dice.chance(0.35),
        eye_colour=dice.tint(rgb(dice.one_of(EYE_COLOURS)), 0.2),
        eye_size=dice.bell(1.06 if feminine else 0.97, 0.12),
        eye_tilt=dice.bell(0.1, 0.2),
        eye_spacing=dice.bell(0.218, 0.016),
        brow_weight=dice.bell(0.75 if feminine else 1.2, 0.35),
        brow_raise=dice.bell(0.0, 0.03),
        nose_width=dice.bell(0.92 if feminine else 1.05, 0.22),
        nose_length=dice.bell(1.0, 0.15),
        lips=dice.bell(0.62 if feminine else 0.4, 0.35),
        lipstick=dice.between(0.1, 0.9) if feminine else 0.0 * dice.between(0, 1),
        smile=broad if smiling else subdued,
        mouth_open=(gape if teeth else 0.0) if smiling else (0.45 * gape if parted else 0.0),
        glasses=glasses if wears else "",
        frame_colour=rgb(frame),
        beard=beard if bearded and not feminine else "",
        freckles=1.0 if dice.chance(0.12) and skin < 0.4 else 0.0,
        earrings=dice.chance(0.4) and feminine,
        yaw=dice.bell(0, 0.42),
        pitch=dice.bell(0, 0.13),
        roll=dice.bell(0, 0.07),
        light=(dice.between(-0.9, 0.9), dice.between(-0.85, -0.25)),
        light_warmth=dice.between(-1, 1),
        background=_background(dice),
        background_angle=dice.between(0, 6.283),
        collar=dice.one_of(COLLARS),
        clothes=dice.tint(rgb(dice.one_of(CLOTHES)), 0.12),
    )


def _background(dice: _Dice) -> tuple[Colour, Colour]:
    """Return two soft, related colours."""
    hue, saturation, value = dice.between(0, 1), dice.between(0.06, 0.34), dice.between(0.72, 0.95)
    turn, fall = dice.between(-0.09, 0.09), dice.between(0.62, 0.85)
    near = colorsys.hsv_to_rgb(hue, saturation, value)
    far = colorsys.hsv_to_rgb((hue + turn) % 1, min(1.0, saturation * 1.25), value * fall)
    return near, far
