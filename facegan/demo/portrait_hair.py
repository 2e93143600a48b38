"""Hair of drawn portraits: a part behind the head and one in front of it (see portraits.py)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from facegan.demo.portrait_attributes import Colour
from facegan.demo.portrait_shapes import (
    WHITE,
    Mask,
    Point,
    Scene,
    both,
    ellipse,
    knots,
    lowered,
    mix,
    ribbon,
    smooth,
    taper,
)


def _tones(s: Scene) -> tuple[Colour, Colour, Colour]:
    """Return the dark, middle and light tone of the hair."""
    base = s.a.hair_colour
    # dark hair shines less, or it would look grey
    return mix(base, (0.06, 0.03, 0.08), 0.55), base, mix(base, (1.0, 0.9, 0.76), 0.1 + 0.32 * max(base))


def _lay(s: Scene, mask: Mask, deep: float = 0.0) -> np.ndarray:
    """Fill a hair mask with the lit hair colour; return it as a clip."""
    dark, base, light = _tones(s)
    colour = s.lit((0, -0.1), (0.85, 1.1), dark=mix(dark, base, 0.25), light=mix(base, light, 0.55))
    if deep:
        colour = colour * np.float32(1 - deep)
    s.canvas.paint(mask, colour)
    return s.canvas.full(mask)


def _strands(s: Scene, clip: np.ndarray, lines: list[np.ndarray], *, width: float = 0.02) -> None:
    dark, _, light = _tones(s)
    for k, line in enumerate(lines):
        stroke = ribbon(line, width * (1 + 0.6 * (k % 3)) * taper(len(line), 0.3, 0.2))
        s.canvas.fill(stroke, dark if k % 2 else light, 0.3 if k % 2 else 0.26, blur=0.02, clip=clip)


def _gloss(s: Scene, clip: np.ndarray, y: float = -0.52) -> None:
    """Paint the band of light that makes hair look like hair."""
    _, _, light = _tones(s)
    x = s.a.light[0]
    arc = knots(
        (-0.42 + 0.25 * x, -0.16 + 0.3 * x, 0.16 + 0.3 * x, 0.42 + 0.25 * x), (y + 0.2, y, y, y + 0.2)
    )
    s.stroke(smooth(arc), 0.14, mix(light, WHITE, 0.25), opacity=0.5, depth=0.2, blur=0.08, clip=clip)


def hair_behind(s: Scene) -> None:
    """Paint the hair that the neck, the face and the shoulders hide."""
    if s.a.hair_style in BEHIND:
        BEHIND[s.a.hair_style](s)


def hair_front(s: Scene) -> None:
    """Paint the hair in front of the head."""
    FRONT[s.a.hair_style](s)


def _hanging(s: Scene, x: Sequence[float], y: Sequence[float], *, depth: float) -> np.ndarray:
    """Paint hair that hangs behind the head, from its right half, and return it as a clip."""
    v = 0.08 * s.a.hair_volume
    right = [(0, -0.86 - v), (0.38, -0.8 - v), (0.6 + v, -0.5), *knots(x, y)]
    left = [(-x, y) for x, y in right[:0:-1]]
    return _lay(s, s.canvas.mask(s.head(smooth(right + left, closed=True), depth=depth)), 0.3)


def _behind_long(s: Scene) -> None:
    v = 0.08 * s.a.hair_volume
    clip = _hanging(s, (0.66 + v, 0.68 + v, 0.74 + v, 0.6), (-0.1, 0.35, 0.8, 1.15), depth=-0.12)
    lines = [
        s.head(smooth([(x * 0.8, -0.3), (x, 0.3), (x * 1.08, 1.1)]), depth=-0.12)
        for x in (-0.66, -0.6, -0.52, 0.52, 0.6, 0.66)
    ]
    _strands(s, clip, lines, width=0.03)


def _behind_bob(s: Scene) -> None:
    v = 0.08 * s.a.hair_volume
    _hanging(s, (0.67 + v, 0.69 + v, 0.6 + v, 0.3), (-0.05, 0.35, 0.58, 0.55), depth=-0.1)


def _behind_bun(s: Scene) -> None:
    x = 0.25 * s.a.parting
    clip = _lay(s, s.canvas.mask(s.head(ellipse((x, -0.84), (0.22, 0.19)), depth=-0.15)), 0.08)
    arcs = [smooth([(x - 0.2, -0.8), (x, -0.95 + d), (x + 0.2, -0.82)]) for d in (0, 0.07, 0.14)]
    _strands(s, clip, [s.head(arc, depth=-0.15) for arc in arcs])


def _curls(s: Scene, behind: bool) -> list[np.ndarray]:
    v = s.a.hair_volume
    around = np.linspace(-2.25, 2.25, 19) if behind else np.linspace(-1.45, 1.45, 13)
    rx, ry = (0.5 + 0.08 * v, 0.62 + 0.1 * v) if behind else (0.44 + 0.06 * v, 0.58 + 0.08 * v)
    out = []
    for k, t in enumerate(around):
        radius = 0.13 + 0.03 * ((k * 7) % 3) / 2 + 0.04 * v
        out.append(ellipse((rx * math.sin(t), -0.1 - ry * math.cos(t)), (radius, radius), steps=18))
    return out


def _behind_curly(s: Scene) -> None:
    shapes = [s.head(o, depth=-0.1) for o in _curls(s, True)]
    _lay(s, s.canvas.mask(*shapes, union=True), 0.25)


def _cap(s: Scene, hairline: list[Point], height: float, *, side: float, low: float) -> np.ndarray:
    """Return the outline of the hair above a ``hairline`` given from the left ear to the right ear."""
    w = s.a.face_width
    x = (-w - side, -w - side - 0.025, -0.93 * w - side, -0.62 * w)
    outer = both(knots(x, (low, -0.22, -0.45 - 0.35 * height, -0.665 - 0.8 * height)), (0, -0.765 - height))
    line = np.array(hairline)
    return np.concatenate([s.head(smooth(outer), depth=-0.02), s.head(smooth(line[::-1]))])


def _finish(s: Scene, outline: np.ndarray, lines: list[np.ndarray]) -> None:
    """Paint the shadow on the face, the hair itself, strands and gloss."""
    c = s.canvas
    c.paint(c.mask(lowered(outline, 0.05), blur=0.06), s.shadow, 0.55, clip=s.face)
    clip = _lay(s, c.mask(outline))
    _strands(s, clip, lines)
    _gloss(s, clip)


def _comb(s: Scene, origin: Point, ends: list[Point], *, bulge: float) -> list[np.ndarray]:
    """Return strands that leave ``origin`` and arch to ``ends``."""
    ox, oy = origin
    out = []
    for x, y in ends:
        middle = (0.5 * (ox + x) + 0.12 * (x - ox), 0.5 * (oy + y) - bulge)
        out.append(s.head(smooth([(ox, oy), middle, (x, y)])))
    return out


def _front_short(s: Scene) -> None:
    w, h = s.a.face_width, 0.03 + 0.07 * s.a.hair_volume
    line = both([(-w - 0.01, 0.02), (-w + 0.05, -0.12), (-0.84 * w, -0.36), (-0.25, -0.47)], (0, -0.49))
    if s.a.fringe:
        line = [(x, y + (0.13 if abs(x) < 0.5 * w else 0.05 if abs(x) < 0.9 * w else 0)) for x, y in line]
    ends = [(x, -0.3) for x in (-0.45, -0.32, -0.18, 0.02, 0.2, 0.33, 0.46)]
    lines = _comb(s, (0.3 * s.a.parting, -0.78), ends, bulge=0.02)
    _finish(s, _cap(s, line, h, side=0.012, low=0.02), lines)


def _front_quiff(s: Scene) -> None:
    w, h = s.a.face_width, 0.1 + 0.1 * s.a.hair_volume
    d = 1 if s.a.parting > 0 else -1
    line = both([(-w - 0.005, 0.0), (-w + 0.05, -0.16), (-0.8 * w, -0.42)], (0.02, -0.5))
    line[3:4] = [(-0.25, -0.46 - 0.06 * d), (0.02, -0.5), (0.25, -0.46 + 0.06 * d)]
    ends = [(d * x, y) for x, y in knots((-0.42, -0.2, 0.05, 0.28, 0.45), (-0.45, -0.58, -0.68, -0.7, -0.56))]
    _finish(s, _cap(s, line, h, side=0.0, low=0.0), _comb(s, (-d * 0.4, -0.46), ends, bulge=0.12))


def _front_curly(s: Scene) -> None:
    c, w = s.canvas, s.a.face_width
    curls = [s.head(o, depth=0.05) for o in _curls(s, False)]
    line = [(-w, -0.05), (-0.8 * w, -0.38), (0, -0.46), (0.8 * w, -0.38), (w, -0.05)]
    shapes = [*curls, _cap(s, line, 0.05, side=0.02, low=-0.05)]
    c.paint(c.mask(*(lowered(o, 0.04) for o in shapes), union=True, blur=0.05), s.shadow, 0.5, clip=s.face)
    clip = _lay(s, c.mask(*shapes, union=True))
    dark, _, light = _tones(s)
    for k, shape in enumerate(curls):
        arc = shape[14 : 14 + 9] if k % 2 else shape[2:9]
        c.fill(ribbon(arc, 0.03 * taper(len(arc), 0, 0)), light if k % 2 else dark, 0.3, blur=0.02, clip=clip)
    _gloss(s, clip, -0.62)


def _front_bald(s: Scene) -> None:
    shine = ellipse((0.2 * s.a.light[0], -0.55), (0.16, 0.07))
    s.fill(shine, mix(s.bright, WHITE, 0.5), 0.5, blur=0.1, clip=s.face)


def _front_bun(s: Scene) -> None:
    w = s.a.face_width
    line = both([(-w - 0.01, 0.05), (-w + 0.06, -0.18), (-0.72 * w, -0.42), (-0.2, -0.52)], (0, -0.53))
    ends = both([(-0.5, -0.1), (-0.4, -0.35), (-0.2, -0.5)], (0.0, -0.53))
    lines = _comb(s, (0.25 * s.a.parting, -0.8), ends, bulge=0.04)
    _finish(s, _cap(s, line, 0.03, side=0.015, low=0.05), lines)


def _curtain(s: Scene, bottom: float) -> None:
    """Paint hair that frames the face, parted or with a fringe, down to ``bottom``."""
    w, v = s.a.face_width, 0.06 * s.a.hair_volume
    px = 0.24 * s.a.parting
    if s.a.fringe:
        inner = both([(-w + 0.04, 0.1), (-0.86 * w, -0.2), (-0.3, -0.25)], (0, -0.24))
    else:
        x = (-w + 0.04, -0.86 * w, px - 0.26, px, px + 0.26, 0.86 * w, w - 0.04)
        inner = knots(x, (0.15, -0.18, -0.42, -0.6, -0.42, -0.18, 0.15))
    flare = 0.1 if bottom > 0.8 else 0.02
    foot = [(-w - 0.14 - flare - v, bottom), (-w + 0.02 - flare, bottom + 0.02), (-w + 0.03, 0.45)]
    outer = both(
        [(-w - 0.13 - v, 0.35), (-w - 0.1 - v, -0.2), (-0.86 * w - 0.06, -0.6 - v), (-0.34, -0.8 - v)],
        (0.4 * px, -0.84 - v),
    )
    mirror = [(-x, y) for x, y in reversed(foot)]
    hanging = s.head(smooth(foot[::-1] + outer + mirror[::-1]), depth=0.0)
    outline = np.concatenate([hanging, s.head(smooth(inner[::-1]))])
    sides = [(sign * (w + o), y) for sign in (-1, 1) for o, y in ((-0.03, 0.0), (0.02, 0.1), (0.07, 0.2))]
    lines = _comb(s, (px, -0.78), [*sides, (px - 0.2, -0.5), (px + 0.2, -0.5)], bulge=0.1)
    for sign, o in ((sign, o) for sign in (-1, 1) for o in (0.0, 0.06, 0.11)):
        places = (sign * (w + o), sign * (w + o + 0.02), sign * (w + o + flare * 0.8))
        lines.append(s.head(smooth(knots(places, (-0.1, 0.3, bottom))), depth=0.0))
    _finish(s, outline, lines)


_Draw = Callable[[Scene], None]
BEHIND: dict[str, _Draw] = {
    "long": _behind_long,
    "bob": _behind_bob,
    "bun": _behind_bun,
    "curly": _behind_curly,
}
FRONT: dict[str, _Draw] = {
    "bald": _front_bald,
    "short": _front_short,
    "quiff": _front_quiff,
    "curly": _front_curly,
    "bun": _front_bun,
    "bob": lambda s: _curtain(s, 0.56),
    "long": lambda s: _curtain(s, 1.05),
}
