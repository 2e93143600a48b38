"""The parts of a drawn portrait, painted from back to front (see portraits.py).

All positions are those of the upright, frontal head of portrait_shapes.Head: the face spans
x -0.5..0.5 and y -0.7 (crown) .. 0.66 (chin), the eyes lie near y = -0.03, the mouth near 0.38.
"""

from __future__ import annotations

import math

import numpy as np

from facegan.demo.portrait_attributes import PortraitAttributes
from facegan.demo.portrait_hair import hair_behind, hair_front
from facegan.demo.portrait_shapes import (
    BLACK,
    WHITE,
    Canvas,
    Point,
    Scene,
    both,
    ellipse,
    knots,
    lowered,
    mix,
    ribbon,
    smooth,
)

EYE_Y, MOUTH_Y = -0.03, 0.375
NECKLINES = {"crew": (0.86, 0.1), "vee": (0.84, 0.3), "shirt": (0.82, 0.2), "turtleneck": (0.7, 0.03)}
LENSES = {"round": (0.172, 0.158, 2.0), "square": (0.178, 0.132, 4.0), "wide": (0.188, 0.145, 2.7)}


def paint(a: PortraitAttributes, pixels: int) -> Canvas:
    """Paint the whole portrait on a canvas of ``pixels`` squared."""
    s = Scene(a, pixels)
    for part in (background, hair_behind, body, ears, face, beard):
        part(s)
    for side in (-1, 1):
        eye(s, side)
    for part in (nose, mouth, hair_front):
        part(s)
    for side in (-1, 1):
        brow(s, side)
    glasses(s)
    return s.canvas


def background(s: Scene) -> None:
    """Paint two colours that run into each other, and a glow on the side of the light."""
    a, x, y = s.a, s.axis[None, :], s.axis[:, None]
    near, far = (np.array(v, np.float32) for v in a.background)
    slope = 0.5 + 0.33 * (x * math.cos(a.background_angle) + y * math.sin(a.background_angle))
    lx, ly = a.light
    glow = np.exp(-((x - 0.35 * lx) ** 2 + (y - 0.3 * ly) ** 2) / 0.7)
    share = np.clip(slope + 0.25 - 0.45 * glow, 0, 1)[..., None]
    s.canvas.rgb[:] = s.canvas.enlarge(near + share * (far - near))


def body(s: Scene) -> None:
    """Paint neck, shoulders and clothes."""
    a, c = s.a, s.canvas
    wide, neck_w = (0.78, 0.2) if a.feminine else (0.9, 0.25)
    x = 0.04 * a.yaw
    left = knots((x - neck_w, x - neck_w, x - neck_w - 0.1, x - 0.42), (0.3, 0.62, 0.82, 1.2))
    right = knots((x + 0.42, x + neck_w + 0.1, x + neck_w, x + neck_w), (1.2, 0.82, 0.62, 0.3))
    neck = smooth(left + right)
    c.fill(neck, s.lit((x, 0.75), (0.42, 0.8), dark=s.shadow, light=s.skin))
    s.fill(ellipse((0, 0.5), (0.36, 0.28)), s.shadow, 0.75, depth=0.1, blur=0.12, clip=c.full(c.mask(neck)))
    top, dip = NECKLINES[a.collar]
    gap = neck_w + (0.0 if a.collar == "turtleneck" else 0.07)
    shoulders = [(x - gap, top - 0.03), (x - 0.55, top + 0.08), (x - wide, 1.02), (x - wide - 0.15, 1.4)]
    mirror = [(2 * x - px, py) for px, py in reversed(shoulders)]
    neckline = [(x + 0.55 * gap, top + 0.6 * dip), (x, top + dip), (x - 0.55 * gap, top + 0.6 * dip)]
    outline = np.concatenate([smooth(shoulders), smooth(mirror), np.array(neckline)])
    dark, light = mix(a.clothes, (0.05, 0.03, 0.12), 0.55), mix(a.clothes, WHITE, 0.14)
    c.fill(outline, s.lit((x, 1.25), (1.1, 0.62), dark=dark, light=light))
    if a.collar != "shirt":
        rim = smooth([(x - gap, top - 0.03), *reversed(neckline), (x + gap, top - 0.03)], steps=6)
        c.fill(ribbon(rim, 0.05), mix(a.clothes, BLACK, 0.22), 0.8, blur=0.02)
        return
    for side in (-1, 1):
        flap_x = (x + side * (gap + 0.02), x + side * 0.02, x + side * 0.24, x + side * (gap + 0.12))
        flap = np.array(knots(flap_x, (top - 0.07, top + dip + 0.02, top + dip + 0.06, top + 0.08)))
        c.fill(flap, BLACK, 0.25, blur=0.05)
        c.fill(flap, mix(a.clothes, WHITE, 0.35))


def ears(s: Scene) -> None:
    """Paint ears and earrings."""
    w = s.a.face_width
    for side in (-1, 1):
        skin = s.lit((0, 0), (0.75, 0.9), dark=s.shadow, light=s.skin)
        s.fill(ellipse((side * (w + 0.015), 0.07), (0.075, 0.135)), skin, depth=-0.08)
        s.fill(ellipse((side * (w + 0.02), 0.07), (0.035, 0.08)), s.shadow, 0.6, depth=-0.08, blur=0.03)
        if s.a.earrings:
            s.fill(ellipse((side * (w + 0.03), 0.24), (0.032, 0.04)), (0.93, 0.76, 0.35), depth=-0.08)


def face_outline(s: Scene) -> np.ndarray:
    """Return the silhouette; the chin, which lies in front, follows the pose."""
    w, jaw = s.a.face_width, s.a.jaw
    x = [0.62 * w, 0.96 * w, 1.0 * w]
    x += [(0.90 + 0.06 * jaw) * w, (0.62 + 0.16 * jaw) * w, (0.26 + 0.14 * jaw) * w]
    right = np.array(knots([0.0, *x], (-0.72, -0.63, -0.34, -0.02, 0.26, 0.5, 0.64)))
    points = np.concatenate([right, [(0.0, 0.665)], right[:0:-1] * (-1, 1)])
    low = np.clip((points[:, 1] - 0.0) / 0.65, 0, 1)
    return smooth(s.head(points, depth=0.3 * low), closed=True)


def face(s: Scene) -> None:
    """Paint the skin with its light and shadows, and freckles."""
    a, c = s.a, s.canvas
    mask = c.mask(face_outline(s))
    s.face = c.full(mask)
    cx, cy = s.head([(0, 0.0)], lift=-0.25)[0]
    c.paint(mask, s.lit((cx, cy), (0.64, 0.82), dark=s.shadow, light=s.bright))
    joy, flush = max(0.0, a.smile), mix(s.skin, (0.9, 0.26, 0.24), 0.5)
    for side in (-1, 1):
        cheek = ellipse((side * 0.29, 0.18 - 0.03 * joy), (0.15, 0.12))
        s.fill(cheek, flush, 0.3 + 0.18 * joy, blur=0.15, clip=s.face)
        # the hollow of the eye gives the brow its ridge
        hollow = ellipse((side * a.eye_spacing, EYE_Y - 0.05), (0.15, 0.09))
        s.fill(hollow, s.shadow, 0.42, blur=0.1, clip=s.face)
    s.fill(ellipse((0, 0.57), (0.12, 0.06)), s.bright, 0.3, blur=0.1, clip=s.face)
    s.fill(ellipse((0, -0.36), (0.22, 0.12)), s.bright, 0.3, blur=0.2, clip=s.face)
    s.fill(ellipse((0, 0.505), (0.13, 0.03)), s.shadow, 0.4, blur=0.06, clip=s.face)
    for k in range(22 if a.freckles else 0):
        t, r = k * 2.39996, math.sqrt((k + 0.5) / 22)
        centre = 0.36 * r * math.cos(t), 0.12 + 0.09 * r * math.sin(t)
        s.fill(ellipse(centre, (0.011, 0.011), steps=8), (0.62, 0.33, 0.18), 0.5, clip=s.face)


def eye(s: Scene, side: int) -> None:
    """Paint one eye: the ball, the iris, lids and lashes."""
    a, c = s.a, s.canvas
    squint = 0.75 if a.mouth_open > 0.5 else 0.85
    rx, ry = 0.118 * a.eye_size, 0.076 * a.eye_size * (squint if a.smiling else 1.0)
    ex, tilt = side * a.eye_spacing, a.eye_tilt * 0.11

    def place(*at: Point) -> np.ndarray:
        """Return a curve through (u, v): -1 inner corner .. 1 outer corner; -1 top .. 1 bottom."""
        return smooth([(ex + side * u * rx, EYE_Y + v * ry - u * tilt) for u, v in at])

    upper = place((-1, 0.35), (-0.55, -0.62), (0.05, -1), (0.62, -0.66), (1, 0.1))
    lower = place((1, 0.1), (0.5, 0.7), (-0.1, 0.85), (-0.65, 0.66), (-1, 0.35))
    mask = c.mask(s.head(np.concatenate([upper, lower[1:-1]])))
    clip = c.full(mask)
    c.paint(mask, (0.97, 0.95, 0.94))
    # the gaze stays on the viewer: the iris turns back a little against the yaw
    ix, iy = ex - 0.045 * a.yaw / 0.4, EYE_Y - 0.06 * ry
    radius, iris = 0.066 * a.eye_size, mix(a.eye_colour, WHITE, 0.12)
    s.fill(ellipse((ix, iy), (radius, radius)), mix(a.eye_colour, BLACK, 0.55), clip=clip)
    s.fill(ellipse((ix, iy + 0.012), (radius * 0.74, radius * 0.74)), iris, 0.95, blur=0.02, clip=clip)
    s.fill(ellipse((ix, iy), (radius * 0.46, radius * 0.46)), (0.04, 0.03, 0.04), clip=clip)
    s.stroke(lowered(upper, 0.014), 0.045, s.ink, opacity=0.45, ends=None, blur=0.03, clip=clip)
    spark = ix + 0.022 * math.copysign(1, a.light[0]), iy - 0.026
    s.fill(ellipse(spark, (0.018, 0.018), steps=12), WHITE, 0.95)
    widths = (0.034 if a.feminine else 0.024) * (0.45 + 0.55 * np.linspace(0, 1, len(upper)))
    s.stroke(upper, widths, s.ink, opacity=0.95, ends=None)
    if a.feminine:
        tail = place((0.75, -0.4), (1.08, -0.1), (1.32, -0.42))
        s.stroke(tail, 0.024, s.ink, opacity=0.9, ends=(0.9, 0.1))
    crease = place((-0.75, -0.75), (0.05, -1.5), (0.95, -0.75))
    s.stroke(crease, 0.018, s.shadow, opacity=0.7, blur=0.01)
    s.stroke(lower, 0.012, s.shadow, opacity=0.8)
    if a.smiling:
        s.stroke(place((0.9, 1.3), (0.1, 1.75), (-0.7, 1.4)), 0.03, s.shadow, opacity=0.4, blur=0.03)


def brow(s: Scene, side: int) -> None:
    """Paint one eyebrow."""
    a = s.a
    x, y = side * a.eye_spacing, EYE_Y - 0.155 - (a.brow_raise + 0.015 * max(0.0, a.smile))
    arch = 0.035 if a.feminine else 0.02
    places = (x - side * 0.12, x - side * 0.02, x + side * 0.07, x + side * 0.15)
    line = smooth(knots(places, (y + 0.022, y - arch, y - arch - 0.008, y + 0.03)))
    width = 0.05 * a.brow_weight * np.linspace(1, 0.35, len(line))
    s.fill(ribbon(line, width), mix(a.hair_colour, (0.10, 0.07, 0.06), 0.45), 0.88, blur=0.012)


def nose(s: Scene) -> None:
    """Paint the nose by its shadows, ridge, tip and nostrils."""
    a = s.a
    w, tip = 0.085 * a.nose_width, 0.02 + 0.165 * a.nose_length
    dark = -1 if a.light[0] > 0 else 1
    side = smooth([(dark * 0.05, -0.07), (dark * 0.045, 0.06), (dark * w * 0.95, tip - 0.02)])
    widths = np.linspace(0.03, 0.075, len(side))
    s.stroke(side, widths, s.shadow, opacity=0.5, ends=None, lift=0.05, blur=0.05, clip=s.face)
    ridge = smooth([(0, -0.1), (0, 0.05), (0, tip - 0.04)])
    widths = np.linspace(0.03, 0.06, len(ridge))
    s.stroke(ridge, widths, s.bright, opacity=0.55, ends=None, lift=0.09, blur=0.04, clip=s.face)
    s.fill(ellipse((0, tip + 0.055), (w * 1.1, 0.03)), s.shadow, 0.6, lift=0.04, blur=0.05, clip=s.face)
    s.fill(ellipse((-dark * 0.012, tip - 0.03), (0.03, 0.026)), s.bright, 0.7, lift=0.12, blur=0.03)
    wings = smooth([(-w, tip), (-w * 0.75, tip + 0.04), (0, tip + 0.05), (w * 0.75, tip + 0.04), (w, tip)])
    s.stroke(wings, 0.018, s.shadow, opacity=0.75, ends=(0.8, 0.8), lift=0.07, blur=0.008)
    for at in (-1, 1):
        s.fill(ellipse((at * w * 0.48, tip + 0.035), (0.024, 0.014), steps=12), s.ink, 0.72, lift=0.07)


def mouth(s: Scene) -> None:
    """Paint lips, teeth, and the folds of a smile."""
    a, c = s.a, s.canvas
    w = 0.165 + 0.075 * max(0.0, a.smile) - 0.02 * (a.mouth_open > 0 and not a.smiling)
    bend = 0.085 * a.smile
    t = np.linspace(-1, 1, 17)
    arch, x = 1 - t * t, w * t
    line = MOUTH_Y - 0.25 * bend + bend * arch
    gap = (0.125 * a.mouth_open) * arch**0.8
    upper_lip = (0.026 + 0.026 * a.lips) * (1 - np.abs(t) ** 1.6) * (1 - 0.22 * np.exp(-((t / 0.16) ** 2)))
    lower_lip = (0.036 + 0.04 * a.lips) * arch**0.75
    low = line + gap

    def band(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return s.head(np.concatenate([np.stack([x, above], 1), np.stack([x, below], 1)[::-1]]), lift=0.02)

    if a.smiling:
        for side in (-1, 1):
            fold = smooth([(side * 0.12, 0.2), (side * (w + 0.04), 0.27), (side * (w + 0.06), 0.36)])
            s.stroke(fold, 0.035, s.shadow, opacity=0.5, blur=0.03, clip=s.face)
    c.fill(band(low + 0.3 * lower_lip, low + lower_lip + 0.03), s.shadow, 0.35, blur=0.04, clip=s.face)
    c.fill(band(line - upper_lip, line + 0.5 * gap), mix(s.lip, s.shadow, 0.3))
    c.fill(band(low - 0.2 * gap, low + lower_lip), s.lip)
    c.fill(band(low + 0.3 * lower_lip, low + 0.7 * lower_lip), mix(s.lip, WHITE, 0.4), 0.55, blur=0.02)
    if a.mouth_open:
        hole = c.mask(band(line, low))
        clip = c.full(hole)
        c.paint(hole, (0.30, 0.07, 0.09))
        c.fill(band(low - 0.25 * gap, low + 0.1), (0.78, 0.34, 0.34), 0.8, blur=0.02, clip=clip)
        c.fill(band(line - 0.05, line + (0.68 if a.smiling else 0.4) * gap), (0.985, 0.975, 0.95), clip=clip)
    seam = np.stack([x, line], 1)
    s.stroke(seam, 0.02, s.ink, opacity=0.4 if a.mouth_open else 0.85, ends=(0.9, 0.9), lift=0.02)
    for side in (-1, 1):
        corner = ellipse((side * w, float(line[0])), (0.02, 0.016), steps=10)
        s.fill(corner, s.ink, 0.55, lift=0.02, blur=0.015)


def beard(s: Scene) -> None:
    """Paint the beard, if there is one."""
    a = s.a
    if not a.beard:
        return
    w, joy = a.face_width, max(0.0, a.smile)
    colour = mix(a.hair_colour, (0.16, 0.10, 0.08), 0.3)
    corner = (-0.2 - 0.05 * joy, 0.375 - 0.03 * joy)
    moustache = [*both([corner, (-0.1, 0.3)], (0, 0.285)), (0.1, 0.35), (0, 0.34), (-0.1, 0.35)]
    cheeks = knots((0.9 * w, w + 0.02, w + 0.03, 0.74 * w, 0.3 * w), (0.22, 0.02, 0.32, 0.6, 0.74))
    full = both([(-0.62 * w, 0.33), (-0.2, 0.29)], (0, 0.27)) + both(cheeks)
    goatee = both([(-0.21, 0.34), (-0.1, 0.3)], (0, 0.29)) + both([(0.22, 0.52), (0.12, 0.7)])
    shape, opacity, blur = {
        "stubble": (full, 0.38, 0.05),
        "full": (full, 0.93, 0.05),
        "goatee": (goatee, 0.9, 0.05),
        "moustache": (moustache, 0.92, 0.025),
    }[a.beard]
    lit = s.lit((0, 0.2), (0.7, 0.75), dark=mix(colour, BLACK, 0.35), light=mix(colour, WHITE, 0.14))
    clip = s.face if a.beard == "stubble" else None
    s.fill(smooth(shape, closed=True), lit, opacity, blur=blur, clip=clip)


def glasses(s: Scene) -> None:
    """Paint the glasses, if there are any."""
    a, c = s.a, s.canvas
    if not a.glasses:
        return
    rx, ry, power = LENSES[a.glasses]
    y, dx, thick, lift = EYE_Y + 0.015, a.eye_spacing + 0.008, 0.042, 0.09
    frame = a.frame_colour
    for side in (-1, 1):
        x = side * dx
        outlines = [ellipse((x, y), (rx + t, ry + t), power, steps=40) for t in (thick, 0)]
        ring = [s.head(outline, lift=lift) for outline in outlines]
        c.paint(c.mask(*(lowered(r, 0.03) for r in ring), blur=0.03), BLACK, 0.22, clip=s.face)
        glass = c.mask(ring[1])
        c.paint(glass, (0.86, 0.93, 1.0), 0.06)
        glare = knots((x - 0.1, x + 0.02, x + 0.08, x - 0.04), (y + 0.16, y - 0.18, y - 0.18, y + 0.16))
        s.fill(glare, WHITE, 0.13, lift=lift, clip=c.full(glass))
        covered = a.hair_style in ("long", "bob", "curly")
        start, end = side * (dx + rx + 0.5 * thick), side * a.face_width * (0.84 if covered else 1.0)
        arm = [s.head([(start, y - 0.03)], lift=lift)[0], s.head([(end, y - 0.02)], depth=-0.05)[0]]
        if side * (arm[1][0] - arm[0][0]) > 0:
            c.fill(ribbon(np.array(arm), 0.04), mix(frame, BLACK, 0.15), clip=s.face)
        c.paint(c.mask(*ring), frame)
        gleam = knots((x - 0.8 * rx, x, x + 0.8 * rx), (y - ry * 0.62, y - ry - 0.5 * thick, y - ry * 0.62))
        s.stroke(smooth(gleam), 0.014, mix(frame, WHITE, 0.6), opacity=0.5, lift=lift, blur=0.01)
    bridge = smooth([(-dx + rx + 0.01, y - 0.02), (0, y - 0.06), (dx - rx - 0.01, y - 0.02)])
    s.stroke(bridge, 0.036, frame, ends=None, lift=lift + 0.02)
