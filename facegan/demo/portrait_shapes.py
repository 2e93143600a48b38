"""A small airbrush for drawn portraits: smooth shapes with soft edges, painted on a float canvas.

Coordinates are x to the right and y down, both in [-1, 1] over the picture; widths and blurs are in the same
unit, so that a drawing looks the same at every size. Colours are RGB in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from facegan.demo.portrait_attributes import SKIN_TONES, Colour, PortraitAttributes, rgb

_SHIFT = 5  # sub-pixel bits of OpenCV's fixed-point polygon corners
Point = tuple[float, float]
Points = np.ndarray | Sequence[Point]
WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
COARSE = 48  # rows of the grid on which light is computed


class Mask(NamedTuple):
    """Coverage in [0, 1] of the canvas window that begins at row ``y``, column ``x``."""

    alpha: np.ndarray
    y: int
    x: int

    def window(self) -> tuple[slice, slice]:
        """Return its rows and columns on the canvas."""
        h, w = self.alpha.shape
        return slice(self.y, self.y + h), slice(self.x, self.x + w)


def knots(x: Sequence[float], y: Sequence[float]) -> list[Point]:
    """Return points from their coordinates."""
    return list(zip(x, y, strict=True))


def smooth(points: Points, closed: bool = False, steps: int = 8) -> np.ndarray:
    """Return a Catmull-Rom curve through ``points`` (N,2): ``steps`` points for each span."""
    curve: np.ndarray = _spline(len(points), closed, steps) @ np.asarray(points, np.float64)
    return curve


@lru_cache(maxsize=256)
def _spline(count: int, closed: bool, steps: int) -> np.ndarray:
    """Return the matrix that takes ``count`` knots to the points of their Catmull-Rom curve."""
    t = np.arange(steps) / steps
    powers = 0.5 * np.stack([np.ones(steps), t, t**2, t**3], axis=1)
    weights = powers @ np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
    spans = count if closed else count - 1
    out = np.zeros((spans * steps + (not closed), count))
    for span in range(spans):
        for offset in range(-1, 3):
            knot = span + offset
            rows, column = slice(span * steps, (span + 1) * steps), weights[:, offset + 1]
            if closed or 0 <= knot < count:
                out[rows, knot % count] += column
            else:  # a knot beyond the end mirrors its neighbour's step
                end, inner = (0, 1) if knot < 0 else (count - 1, count - 2)
                out[rows, end] += 2 * column
                out[rows, inner] -= column
    if not closed:
        out[-1, -1] = 1
    return out


def ellipse(centre: Point, radii: Point, power: float = 2.0, *, steps: int = 28) -> np.ndarray:
    """Return the outline of a superellipse (``power`` 2: an ellipse; larger: boxier) as N,2."""
    return _circle(power, steps) * radii + centre


@lru_cache(maxsize=64)
def _circle(power: float, steps: int) -> np.ndarray:
    t = np.linspace(0, 2 * math.pi, steps, endpoint=False)
    wave = np.stack([np.cos(t), np.sin(t)], axis=1)
    outline: np.ndarray = np.sign(wave) * np.abs(wave) ** (2.0 / power)
    return outline


def ribbon(line: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """Return the outline of a brush stroke along ``line`` (N,2) with the given full width at each point."""
    tangent = np.empty_like(line)
    tangent[1:-1] = line[2:] - line[:-2]
    tangent[0], tangent[-1] = line[1] - line[0], line[-1] - line[-2]
    tangent *= (0.5 / np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9) * width)[:, None]
    offset = tangent[:, ::-1] * (-1.0, 1.0)
    return np.concatenate([line + offset, (line - offset)[::-1]])


@lru_cache(maxsize=256)
def taper(count: int, start: float, end: float) -> np.ndarray:
    """Return relative widths of a stroke that swells from ``start`` to 1 in the middle, and to ``end``."""
    t = np.linspace(0, 1, count)
    swell = np.sin(math.pi * t)
    widths: np.ndarray = swell + (1 - swell) * (start * (1 - t) + end * t)
    return widths


def both(left: list[Point], *middle: Point) -> list[Point]:
    """Return a symmetric outline: ``left``, ``middle``, then ``left`` mirrored and backwards."""
    return [*left, *middle, *((-x, y) for x, y in reversed(left))]


def lowered(points: np.ndarray, by: float) -> np.ndarray:
    """Return ``points`` (N,2) moved down: a shape's shadow."""
    moved: np.ndarray = points + np.array((0.0, by))
    return moved


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return ``share`` of ``b``, the rest of ``a``."""
    r, g, blue = ((1 - share) * p + share * q for p, q in zip(a, b, strict=True))
    return (r, g, blue)


class Canvas:
    """A square float32 RGB picture and the brushes that paint on it."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.rgb = np.zeros((pixels, pixels, 3), np.float32)

    def enlarge(self, coarse: np.ndarray) -> np.ndarray:
        """Return a smooth field (float32 n,n,3) brought to the canvas's size."""
        field, size = np.asarray(coarse, np.float32), (self.pixels, self.pixels)
        large: np.ndarray = cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)
        return large

    def mask(self, *outlines: np.ndarray, blur: float = 0.0, union: bool = False) -> Mask:
        """Return the coverage of closed outlines; overlaps cancel (rings) unless ``union``."""
        n = self.pixels
        radius = round(blur * n / 2)
        unit = n / 2 * (1 << _SHIFT)
        fixed = [(o * unit + (unit - (1 << (_SHIFT - 1)) + 0.5)).astype(np.int32) for o in outlines]
        boxes = [cv2.boundingRect(f) for f in fixed]
        x0 = max(0, (min(b[0] for b in boxes) >> _SHIFT) - 1 - radius)
        y0 = max(0, (min(b[1] for b in boxes) >> _SHIFT) - 1 - radius)
        x1 = min(n, (max(b[0] + b[2] for b in boxes) >> _SHIFT) + 2 + radius)
        y1 = min(n, (max(b[1] + b[3] for b in boxes) >> _SHIFT) + 2 + radius)
        if x1 <= x0 or y1 <= y0:
            return Mask(np.zeros((0, 0), np.float32), 0, 0)
        cover: np.ndarray = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for f in fixed:
            f -= (x0 << _SHIFT, y0 << _SHIFT)
        for group in [[f] for f in fixed] if union else [fixed]:
            cv2.fillPoly(cover, group, 255, cv2.LINE_AA, _SHIFT)
        if radius > 0:
            # Two box blurs come close to a Gaussian at a cost that does not grow with its width.
            kernel = (2 * (radius // 2) + 1,) * 2
            cover = cv2.blur(cv2.blur(cover, kernel), kernel)
        return Mask(cover.astype(np.float32) * np.float32(1 / 255), y0, x0)

    def full(self, mask: Mask) -> np.ndarray:
        """Return ``mask`` on the whole canvas, to clip other shapes with."""
        out = np.zeros((self.pixels, self.pixels), np.float32)
        out[mask.window()] = mask.alpha
        return out

    def paint(
        self,
        mask: Mask,
        colour: Colour | np.ndarray,
        opacity: float = 1.0,
        *,
        clip: np.ndarray | None = None,
    ) -> None:
        """Lay ``colour`` (RGB, or a whole canvas) over the masked region."""
        window = mask.window()
        alpha = mask.alpha * np.float32(opacity)
        if clip is not None:
            alpha = alpha * clip[window]
        target = self.rgb[window]
        paint = colour[window] if isinstance(colour, np.ndarray) else np.array(colour, np.float32)
        target += (paint - target) * alpha[..., None]

    def fill(
        self,
        outline: np.ndarray,
        colour: Colour | np.ndarray,
        opacity: float = 1.0,
        *,
        blur: float = 0.0,
        clip: np.ndarray | None = None,
    ) -> None:
        """Paint the inside of one closed outline."""
        self.paint(self.mask(outline, blur=blur), colour, opacity, clip=clip)

    def finish(self, size: int) -> np.ndarray:
        """Return the picture as uint8 ``size,size,3``, each pixel the mean of those it covers."""
        small = cv2.resize(np.clip(self.rgb, 0, 1), (size, size), interpolation=cv2.INTER_AREA)
        return np.round(small * 255).astype(np.uint8)


class Head:
    """Turns points of the upright, frontal head into points of the picture.

    The head is an egg in front of the camera: a feature at (x, y) lies at depth ``depth(x, y)``, and
    yaw and pitch (radians) move it by as much, so that features shift and foreshorten as they should.
    """

    def __init__(self, yaw: float, pitch: float, roll: float, *, centre: Point) -> None:
        c, s = math.cos(roll), math.sin(roll)
        tilt = np.array([[c, s], [-s, c]])
        self.turn = np.array([[math.cos(yaw), 0], [0, math.cos(pitch)]]) @ tilt
        self.push = np.array([math.sin(yaw), math.sin(pitch)]) @ tilt
        self.centre = np.array(centre)

    def __call__(
        self, points: Points, depth: float | np.ndarray | None = None, lift: float = 0.0
    ) -> np.ndarray:
        """Place ``points`` (N,2) in the picture: on the face, raised by ``lift``, or at ``depth``."""
        p = np.asarray(points, np.float64)
        if depth is None:
            depth = 0.46 * np.sqrt(np.maximum(1 - (p * (1 / 0.62, 1 / 0.95)) ** 2 @ (1.0, 1.0), 0))
        places: np.ndarray = p @ self.turn + (np.multiply.outer(depth + lift, self.push) + self.centre)
        return places


class Scene:
    """What the parts of a portrait share: the canvas, the head's pose, and colours under the light."""

    def __init__(self, a: PortraitAttributes, pixels: int) -> None:
        self.a = a
        self.canvas = Canvas(pixels)
        self.head = Head(a.yaw, a.pitch, a.roll, centre=(-0.12 * math.sin(a.yaw), 0.0))
        tones = [rgb(t) for t in SKIN_TONES]
        at = min(a.skin, 0.9999) * (len(tones) - 1)
        self.skin = mix(tones[int(at)], tones[int(at) + 1], at % 1)
        r, g, b = self.skin
        self.shadow: Colour = (r * 0.66, g * 0.53, b * 0.52)
        self.bright = mix(self.skin, (1.0, 0.97, 0.92) if a.light_warmth > 0 else (0.95, 0.97, 1.0), 0.32)
        self.lip = mix((r * 0.80, g * 0.52, b * 0.50), (0.76, 0.14, 0.22), 0.55 * a.lipstick)
        self.ink = mix(self.shadow, (0.08, 0.04, 0.06), 0.72)
        self.face = np.zeros((0, 0), np.float32)
        sun = np.array([*a.light, 0.85], np.float32)
        self.sun = sun / np.linalg.norm(sun)
        self.axis = (np.arange(COARSE, dtype=np.float32) + 0.5) * (2 / COARSE) - 1

    def lit(self, centre: Point, radii: Point, *, dark: Colour, light: Colour) -> np.ndarray:
        """Return a canvas holding the colour of an egg under the light."""
        # The light varies slowly: a coarse grid, enlarged, is as good as every pixel and far cheaper.
        lx, ly, lz = self.sun
        nx, ny = (self.axis[None, :] - centre[0]) / radii[0], (self.axis[:, None] - centre[1]) / radii[1]
        nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.03))
        share = np.clip(0.42 + 0.62 * (nx * lx + ny * ly + nz * lz), 0, 1)
        share = share * share * (3 - 2 * share)
        low, high = np.array(dark, np.float32), np.array(light, np.float32)
        return self.canvas.enlarge(low + share[..., None] * (high - low))

    def fill(
        self,
        outline: Points,
        colour: Colour | np.ndarray,
        opacity: float = 1.0,
        *,
        depth: float | None = None,
        lift: float = 0.0,
        blur: float = 0.0,
        clip: np.ndarray | None = None,
    ) -> None:
        """Paint the inside of a closed outline on the head."""
        self.canvas.fill(self.head(outline, depth, lift), colour, opacity, blur=blur, clip=clip)

    def stroke(
        self,
        line: Points,
        width: float | np.ndarray,
        colour: Colour,
        *,
        opacity: float = 1.0,
        ends: Point | None = (0.0, 0.0),
        depth: float | None = None,
        lift: float = 0.0,
        blur: float = 0.0,
        clip: np.ndarray | None = None,
    ) -> None:
        """Paint a brush stroke along a line on the head.

        ``width`` is the full width, at the ends times ``ends``; None keeps it.
        """
        placed = self.head(line, depth, lift)
        widths = width * taper(len(placed), *ends) if ends else width
        self.canvas.fill(ribbon(placed, widths), colour, opacity, blur=blur, clip=clip)
