"""The parts of a drawn portrait, painted from back to front (see portraits.py).

All positions are those of the upright, frontal head of portrait_shapes.Head: the face spans
x -0.5..0.5 and y -0.7 (crown) .. 0.66 (chin), the eyes lie near y = -0.03, the mouth near 0.38.
"""

from __future__ import annotations

import math

import numpy as np

from facegan.demo.portrait_attributes import PortraitAttributes
from facegan.demo.portrait_hair import hair_behind, hair_front
from facegan.demo.portrait_scene import BLACK, WHITE, Scene
from facegan.demo.portrait_shapes import Canvas, both, ellipse, lowered, mix, ribbon, smooth, taper

EYE_Y, MOUTH_Y = -0.03, 0.375


def paint(a: PortraitAttributes, pixels: int) -> Canvas:
    """Paint the whole portrait on a canvas of ``pixels`` squared."""
    s = Scene(a, pixels)
    background(s)
    hair_behind(s)
    body(s)
    ears(s)
    face(s)
    beard(s)
    for side in (-1, 1):
        eye(s, side)
    nose(s)
    mouth(s)
    hair_front(s)
    for side in (-1, 1):
        brow(s, side)
    glasses(s)
    return s.canvas


def background(s: Scene) -> None:
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
    wide = 0.78 if a.feminine else 0.9
    neck_w = 0.2 if a.feminine else 0.25
    x = 0.04 * a.yaw
    neck = smooth(
        [
            (x - neck_w, 0.3),
            (x - neck_w, 0.62),
            (x - neck_w - 0.1, 0.82),
            (x - 0.42, 1.2),
            (x + 0.42, 1.2),
            (x + neck_w + 0.1, 0.82),
            (x + neck_w, 0.62),
            (x + neck_w, 0.3),
        ]
    )
    skin = s.lit(x, 0.75, 0.42, ry=0.8, dark=s.shadow, light=s.skin)
    c.fill(neck, skin)
    neck_clip = c.full(c.mask(neck))
    c.fill(s.head(ellipse(0, 0.5, 0.36, ry=0.28), depth=0.1), s.shadow, 0.75, blur=0.12, clip=neck_clip)
    top = {"crew": 0.86, "vee": 0.84, "shirt": 0.82, "turtleneck": 0.7}[a.collar]
    gap = neck_w + (0.0 if a.collar == "turtleneck" else 0.07)
    dip = {"crew": 0.1, "vee": 0.3, "shirt": 0.2, "turtleneck": 0.03}[a.collar]
    shoulders = [(x - gap, top - 0.03), (x - 0.55, top + 0.08), (x - wide, 1.02), (x - wide - 0.15, 1.4)]
    mirror = [(2 * x - px, py) for px, py in reversed(shoulders)]
    neckline = [(x + 0.55 * gap, top + 0.6 * dip), (x, top + dip), (x - 0.55 * gap, top + 0.6 * dip)]
    outline = np.concatenate([smooth(shoulders), smooth(mirror), np.array(neckline)])
    cloth = a.clothes
    shade = s.lit(
        x, 1.25, 1.1, ry=0.62, dark=mix(cloth, (0.05, 0.03, 0.12), 0.55), light=mix(cloth, WHITE, 0.14)
    )
    c.fill(outline, shade)
    if a.collar == "shirt":
        for side in (-1, 1):
            flap = [
                (x + side * (gap + 0.02), top - 0.07),
                (x + side * 0.02, top + dip + 0.02),
                (x + side * 0.24, top + dip + 0.06),
                (x + side * (gap + 0.12), top + 0.08),
            ]
            c.fill(np.array(flap), BLACK, 0.25, blur=0.05)
            c.fill(np.array(flap), mix(cloth, WHITE, 0.35))
    else:
        rim = smooth([(x - gap, top - 0.03), *reversed(neckline), (x + gap, top - 0.03)], steps=6)
        c.fill(ribbon(rim, 0.05), mix(cloth, BLACK, 0.22), 0.8, blur=0.02)


def ears(s: Scene) -> None:
    c, w = s.canvas, s.a.face_width
    for side in (-1, 1):
        ear = ellipse(side * (w + 0.015), 0.07, 0.075, ry=0.135)
        c.fill(s.head(ear, depth=-0.08), s.lit(0, 0, 0.75, ry=0.9, dark=s.shadow, light=s.skin))
        c.fill(
            s.head(ellipse(side * (w + 0.02), 0.07, 0.035, ry=0.08), depth=-0.08), s.shadow, 0.6, blur=0.03
        )
        if s.a.earrings:
            c.fill(s.head(ellipse(side * (w + 0.03), 0.24, 0.032, ry=0.04), depth=-0.08), (0.93, 0.76, 0.35))


def face_outline(s: Scene) -> np.ndarray:
    """Return the silhouette; the chin, which lies in front, follows the pose."""
    w, jaw = s.a.face_width, s.a.jaw
    right = np.array(
        [
            (0.0, -0.72),
            (0.62 * w, -0.63),
            (0.96 * w, -0.34),
            (1.0 * w, -0.02),
            ((0.90 + 0.06 * jaw) * w, 0.26),
            ((0.62 + 0.16 * jaw) * w, 0.5),
            ((0.26 + 0.14 * jaw) * w, 0.64),
        ]
    )
    left = right[:0:-1] * (-1, 1)
    points = np.concatenate([right, [(0.0, 0.665)], left])
    low = np.clip((points[:, 1] - 0.0) / 0.65, 0, 1)
    return smooth(s.head(points, depth=0.3 * low), closed=True)


def face(s: Scene) -> None:
    a, c = s.a, s.canvas
    outline = face_outline(s)
    mask = c.mask(outline)
    s.face = c.full(mask)
    cx, cy = s.head([(0, 0.0)], lift=-0.25)[0]
    c.paint(mask, s.lit(cx, cy, 0.64, ry=0.82, dark=s.shadow, light=s.bright))
    lift = 0.03 * max(0.0, a.smile)
    for side in (-1, 1):
        cheek = s.head(ellipse(side * 0.29, 0.18 - lift, 0.15, ry=0.12))
        c.fill(
            cheek, mix(s.skin, (0.9, 0.26, 0.24), 0.5), 0.3 + 0.18 * max(0.0, a.smile), blur=0.15, clip=s.face
        )
        # the hollow of the eye gives the brow its ridge
        c.fill(
            s.head(ellipse(side * a.eye_spacing, EYE_Y - 0.05, 0.15, ry=0.09)),
            s.shadow,
            0.42,
            blur=0.1,
            clip=s.face,
        )
    c.fill(s.head(ellipse(0, 0.57, 0.12, ry=0.06)), s.bright, 0.3, blur=0.1, clip=s.face)
    c.fill(s.head(ellipse(0, -0.36, 0.22, ry=0.12)), s.bright, 0.3, blur=0.2, clip=s.face)
    c.fill(s.head(ellipse(0, 0.505, 0.13, ry=0.03)), s.shadow, 0.4, blur=0.06, clip=s.face)
    if a.freckles:
        for k in range(22):
            t = k * 2.39996
            r = math.sqrt((k + 0.5) / 22)
            spot = ellipse(0.36 * r * math.cos(t), 0.12 + 0.09 * r * math.sin(t), 0.011, ry=0.011, steps=8)
            c.fill(s.head(spot), (0.62, 0.33, 0.18), 0.5, clip=s.face)


def eye(s: Scene, side: int) -> None:
    a, c = s.a, s.canvas
    squint = 0.75 if a.mouth_open > 0.5 else 0.85
    rx, ry = 0.118 * a.eye_size, 0.076 * a.eye_size * (squint if a.smiling else 1.0)
    ex, tilt = side * a.eye_spacing, a.eye_tilt * 0.11

    def place(u: float, v: float) -> tuple[float, float]:
        """u: -1 inner corner .. 1 outer corner; v: -1 top .. 1 bottom."""
        return ex + side * u * rx, EYE_Y + v * ry - u * tilt

    upper = smooth([place(-1, 0.35), place(-0.55, -0.62), place(0.05, -1), place(0.62, -0.66), place(1, 0.1)])
    lower = smooth([place(1, 0.1), place(0.5, 0.7), place(-0.1, 0.85), place(-0.65, 0.66), place(-1, 0.35)])
    opening = s.head(np.concatenate([upper, lower[1:-1]]))
    mask = c.mask(opening)
    clip = c.full(mask)
    c.paint(mask, (0.97, 0.95, 0.94))
    # the gaze stays on the viewer: the iris turns back a little against the yaw
    ix, iy = ex - 0.045 * a.yaw / 0.4, EYE_Y - 0.06 * ry
    iris, dark = a.eye_colour, mix(a.eye_colour, BLACK, 0.55)
    radius = 0.066 * a.eye_size
    c.fill(s.head(ellipse(ix, iy, radius, ry=radius)), dark, clip=clip)
    c.fill(
        s.head(ellipse(ix, iy + 0.012, radius * 0.74, ry=radius * 0.74)),
        mix(iris, WHITE, 0.12),
        0.95,
        blur=0.02,
        clip=clip,
    )
    c.fill(s.head(ellipse(ix, iy, radius * 0.46, ry=radius * 0.46)), (0.04, 0.03, 0.04), clip=clip)
    lid_shadow = s.head(lowered(upper, 0.014))
    c.fill(ribbon(lid_shadow, 0.045), s.ink, 0.45, blur=0.03, clip=clip)
    spark = ellipse(ix + 0.022 * math.copysign(1, a.light[0]), iy - 0.026, 0.018, ry=0.018, steps=12)
    c.fill(s.head(spark), WHITE, 0.95)
    lash = 0.034 if a.feminine else 0.024
    line = s.head(upper)
    widths = lash * (0.45 + 0.55 * np.linspace(0, 1, len(line)))
    c.fill(ribbon(line, widths), s.ink, 0.95)
    if a.feminine:
        tail = s.head(smooth([place(0.75, -0.4), place(1.08, -0.1), place(1.32, -0.42)]))
        c.fill(ribbon(tail, taper(len(tail), 0.024, 0.9, end=0.1)), s.ink, 0.9)
    crease = s.head(smooth([place(-0.75, -0.75), place(0.05, -1.5), place(0.95, -0.75)]))
    c.fill(ribbon(crease, taper(len(crease), 0.018)), s.shadow, 0.7, blur=0.01)
    under = s.head(lower)
    c.fill(ribbon(under, taper(len(under), 0.012)), s.shadow, 0.8)
    if a.smiling:
        fold = s.head(smooth([place(0.9, 1.3), place(0.1, 1.75), place(-0.7, 1.4)]))
        c.fill(ribbon(fold, taper(len(fold), 0.03)), s.shadow, 0.4, blur=0.03)


def brow(s: Scene, side: int) -> None:
    a, c = s.a, s.canvas
    up = a.brow_raise + 0.015 * max(0.0, a.smile)
    x, y = side * a.eye_spacing, EYE_Y - 0.155 - up
    arch = 0.035 if a.feminine else 0.02
    line = smooth(
        [
            (x - side * 0.12, y + 0.022),
            (x - side * 0.02, y - arch),
            (x + side * 0.07, y - arch - 0.008),
            (x + side * 0.15, y + 0.03),
        ]
    )
    colour = mix(a.hair_colour, (0.10, 0.07, 0.06), 0.45)
    width = 0.05 * a.brow_weight * np.linspace(1, 0.35, len(line))
    c.fill(s.head(ribbon(line, width)), colour, 0.88, blur=0.012)


def nose(s: Scene) -> None:
    a, c = s.a, s.canvas
    w, tip = 0.085 * a.nose_width, 0.02 + 0.165 * a.nose_length
    dark = -1 if a.light[0] > 0 else 1
    side = s.head(
        smooth([(dark * 0.05, -0.07), (dark * 0.045, 0.06), (dark * w * 0.95, tip - 0.02)]), lift=0.05
    )
    c.fill(ribbon(side, np.linspace(0.03, 0.075, len(side))), s.shadow, 0.5, blur=0.05, clip=s.face)
    ridge = s.head(smooth([(0, -0.1), (0, 0.05), (0, tip - 0.04)]), lift=0.09)
    c.fill(ribbon(ridge, np.linspace(0.03, 0.06, len(ridge))), s.bright, 0.55, blur=0.04, clip=s.face)
    c.fill(
        s.head(ellipse(0, tip + 0.055, w * 1.1, ry=0.03), lift=0.04), s.shadow, 0.6, blur=0.05, clip=s.face
    )
    c.fill(s.head(ellipse(-dark * 0.012, tip - 0.03, 0.03, ry=0.026), lift=0.12), s.bright, 0.7, blur=0.03)
    wings = smooth([(-w, tip), (-w * 0.75, tip + 0.04), (0, tip + 0.05), (w * 0.75, tip + 0.04), (w, tip)])
    line = s.head(wings, lift=0.07)
    c.fill(ribbon(line, taper(len(line), 0.018, 0.8, end=0.8)), s.shadow, 0.75, blur=0.008)
    for at in (-1, 1):
        nostril = ellipse(at * w * 0.48, tip + 0.035, 0.024, ry=0.014, steps=12)
        c.fill(s.head(nostril, lift=0.07), s.ink, 0.72)


def mouth(s: Scene) -> None:
    a, c = s.a, s.canvas
    joy = max(0.0, a.smile)
    w = 0.165 + 0.075 * joy - 0.02 * (a.mouth_open > 0 and not a.smiling)
    bend = 0.085 * a.smile
    t = np.linspace(-1, 1, 17)
    arch = 1 - t * t
    x = w * t
    top_y = MOUTH_Y - 0.25 * bend + bend * arch
    gap = (0.125 * a.mouth_open) * arch**0.8
    upper_lip = (0.026 + 0.026 * a.lips) * (1 - np.abs(t) ** 1.6) * (1 - 0.22 * np.exp(-((t / 0.16) ** 2)))
    lower_lip = (0.036 + 0.04 * a.lips) * arch**0.75
    up, line, low = top_y - upper_lip, top_y, top_y + gap

    def band(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return s.head(np.concatenate([np.stack([x, above], 1), np.stack([x, below], 1)[::-1]]), lift=0.02)

    if a.smiling:
        for side in (-1, 1):
            fold = [(side * 0.12, 0.2), (side * (w + 0.04), 0.27), (side * (w + 0.06), 0.36)]
            path = s.head(smooth(fold))
            c.fill(ribbon(path, taper(len(path), 0.035)), s.shadow, 0.5, blur=0.03, clip=s.face)
    c.fill(band(low + 0.3 * lower_lip, low + lower_lip + 0.03), s.shadow, 0.35, blur=0.04, clip=s.face)
    c.fill(band(up, line + 0.5 * gap), mix(s.lip, s.shadow, 0.3))
    c.fill(band(low - 0.2 * gap, low + lower_lip), s.lip)
    c.fill(band(low + 0.3 * lower_lip, low + 0.7 * lower_lip), mix(s.lip, WHITE, 0.4), 0.55, blur=0.02)
    if a.mouth_open:
        hole = c.mask(band(line, low))
        clip = c.full(hole)
        c.paint(hole, (0.30, 0.07, 0.09))
        c.fill(band(low - 0.25 * gap, low + 0.1), (0.78, 0.34, 0.34), 0.8, blur=0.02, clip=clip)
        c.fill(band(line - 0.05, line + (0.68 if a.smiling else 0.4) * gap), (0.985, 0.975, 0.95), clip=clip)
    seam = s.head(np.stack([x, line], 1), lift=0.02)
    c.fill(ribbon(seam, taper(len(seam), 0.02, 0.9, end=0.9)), s.ink, 0.4 if a.mouth_open else 0.85)
    for side in (-1, 1):
        corner = s.head(ellipse(side * w, float(top_y[0]), 0.02, ry=0.016, steps=10), lift=0.02)
        c.fill(corner, s.ink, 0.55, blur=0.015)


def beard(s: Scene) -> None:
    a, c = s.a, s.canvas
    if not a.beard:
        return
    w = a.face_width
    colour = mix(a.hair_colour, (0.16, 0.10, 0.08), 0.3)
    joy = max(0.0, a.smile)
    corner = (-0.2 - 0.05 * joy, 0.375 - 0.03 * joy)
    moustache = [*both([corner, (-0.1, 0.3)], (0, 0.285)), (0.1, 0.35), (0, 0.34), (-0.1, 0.35)]
    full = both([(-0.62 * w, 0.33), (-0.2, 0.29)], (0, 0.27)) + both(
        [(0.9 * w, 0.22), (w + 0.02, 0.02), (w + 0.03, 0.32), (0.74 * w, 0.6), (0.3 * w, 0.74)]
    )
    goatee = both([(-0.21, 0.34), (-0.1, 0.3)], (0, 0.29)) + both([(0.22, 0.52), (0.12, 0.7)])
    shape = {"stubble": full, "full": full, "goatee": goatee, "moustache": moustache}[a.beard]
    strength = {"stubble": 0.38, "full": 0.93, "goatee": 0.9, "moustache": 0.92}[a.beard]
    clip = s.face if a.beard == "stubble" else None
    lit = s.lit(0, 0.2, 0.7, ry=0.75, dark=mix(colour, BLACK, 0.35), light=mix(colour, WHITE, 0.14))
    c.fill(
        s.head(smooth(shape, closed=True)),
        lit,
        strength,
        blur=0.05 if a.beard != "moustache" else 0.025,
        clip=clip,
    )


def glasses(s: Scene) -> None:
    a, c = s.a, s.canvas
    if not a.glasses:
        return
    rx, ry, power = {
        "round": (0.172, 0.158, 2.0),
        "square": (0.178, 0.132, 4.0),
        "wide": (0.188, 0.145, 2.7),
    }[a.glasses]
    y, dx, thick, lift = EYE_Y + 0.015, a.eye_spacing + 0.008, 0.042, 0.09
    lenses = [ellipse(side * dx, y, rx, ry=ry, power=power, steps=40) for side in (-1, 1)]
    frames = [ellipse(side * dx, y, rx + thick, ry=ry + thick, power=power, steps=40) for side in (-1, 1)]
    frame = a.frame_colour
    for side, lens, outer in zip((-1, 1), lenses, frames, strict=True):
        ring = [s.head(outer, lift=lift), s.head(lens, lift=lift)]
        c.paint(c.mask(*(lowered(r, 0.03) for r in ring), blur=0.03), BLACK, 0.22, clip=s.face)
        glass = c.mask(ring[1])
        c.paint(glass, (0.86, 0.93, 1.0), 0.06)
        glare = [
            (side * dx - 0.1, y + 0.16),
            (side * dx + 0.02, y - 0.18),
            (side * dx + 0.08, y - 0.18),
            (side * dx - 0.04, y + 0.16),
        ]
        c.fill(s.head(np.array(glare), lift=lift), WHITE, 0.13, clip=c.full(glass))
        start, end = (
            side * (dx + rx + 0.5 * thick),
            side * a.face_width * (0.84 if a.hair_style in ("long", "bob", "curly") else 1.0),
        )
        arm = [s.head([(start, y - 0.03)], lift=lift)[0], s.head([(end, y - 0.02)], depth=-0.05)[0]]
        if side * (arm[1][0] - arm[0][0]) > 0:
            c.fill(ribbon(np.array(arm), 0.04), mix(frame, BLACK, 0.15), clip=s.face)
        c.paint(c.mask(*ring), frame)
        gleam = s.head(
            smooth(
                [
                    (side * dx - 0.8 * rx, y - ry * 0.62),
                    (side * dx, y - ry - 0.5 * thick),
                    (side * dx + 0.8 * rx, y - ry * 0.62),
                ]
            ),
            lift=lift,
        )
        c.fill(ribbon(gleam, taper(len(gleam), 0.014)), mix(frame, WHITE, 0.6), 0.5, blur=0.01)
    bridge = s.head(
        smooth([(-dx + rx + 0.01, y - 0.02), (0, y - 0.06), (dx - rx - 0.01, y - 0.02)]), lift=lift + 0.02
    )
    c.fill(ribbon(bridge, 0.036), frame)
