"""A small airbrush: smooth shapes with soft edges, painted on a float canvas. The kit of portraits.py.

Coordinates are x to the right and y down, both in [-1, 1] over the picture; widths and blurs are in
the same unit, so that a drawing looks the same at every size. Colours are RGB in [0, 1].
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

_SHIFT = 5  # sub-pixel bits of OpenCV's fixed-point polygon corners
Colour = tuple[float, float, float]


class Mask(NamedTuple):
    """Coverage in [0, 1] of the canvas window that begins at row ``y``, column ``x``."""

    alpha: np.ndarray
    y: int
    x: int

    def window(self) -> tuple[slice, slice]:
        h, w = self.alpha.shape
        return slice(self.y, self.y + h), slice(self.x, self.x + w)


def smooth(points: np.ndarray | list, closed: bool = False, steps: int = 8) -> np.ndarray:
    """Catmull-Rom curve through ``points`` (N,2): ``steps`` points for each span."""
    p = np.asarray(points, np.float64)
    if closed:
        p = np.concatenate([p[-1:], p, p[:2]])
    else:
        p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    a, b, c, d = p[:-3], p[1:-2], p[2:-1], p[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = a[:, None], b[:, None], c[:, None], d[:, None]
    spans = b + 0.5 * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a)))
    out = spans.reshape(-1, 2)
    return out if closed else np.concatenate([out, p[-2:-1]])


def ellipse(x: float, y: float, rx: float, ry: float, power: float = 2.0, steps: int = 28) -> np.ndarray:
    """Outline of a superellipse (``power`` 2: an ellipse; larger: boxier) as N,2."""
    t = np.linspace(0, 2 * math.pi, steps, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    bend = 2.0 / power
    return np.stack(
        [x + rx * np.sign(c) * np.abs(c) ** bend, y + ry * np.sign(s) * np.abs(s) ** bend], axis=1
    )


def ribbon(line: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """The outline of a brush stroke along ``line`` (N,2) with the given full width at each point."""
    tangent = np.gradient(line, axis=0)
    length = np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1) / length[:, None]
    half = 0.5 * np.broadcast_to(np.asarray(width, np.float64), (len(line),))[:, None]
    return np.concatenate([line + half * normal, (line - half * normal)[::-1]])


def taper(count: int, width: float, start: float = 0.0, end: float = 0.0) -> np.ndarray:
    """Widths of a stroke that swells to ``width`` in the middle; ``start`` and ``end`` are shares of it."""
    t = np.linspace(0, 1, count)
    swell = np.sin(math.pi * t)
    return width * (swell + (1 - swell) * (start * (1 - t) + end * t))


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """``share`` of ``b``, the rest of ``a``."""
    r, g, blue = ((1 - share) * p + share * q for p, q in zip(a, b, strict=True))
    return (r, g, blue)


class Canvas:
    """A square float32 RGB picture and the brushes that paint on it."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.rgb = np.zeros((pixels, pixels, 3), np.float32)

    def enlarge(self, coarse: np.ndarray) -> np.ndarray:
        """A smooth field (float32 n,n,3) brought to the canvas's size."""
        n = self.pixels
        return cv2.resize(np.asarray(coarse, np.float32), (n, n), interpolation=cv2.INTER_LINEAR)

    def mask(self, *outlines: np.ndarray, blur: float = 0.0, union: bool = False) -> Mask:
        """Coverage of closed outlines; overlaps cancel (rings) unless ``union``."""
        n = self.pixels
        radius = round(blur * n / 2)
        corners = [(np.asarray(o) + 1.0) * (n / 2) - 0.5 for o in outlines]
        low = np.min([c.min(0) for c in corners], axis=0)
        high = np.max([c.max(0) for c in corners], axis=0)
        x0, y0 = (max(0, math.floor(v) - 1 - radius) for v in low)
        x1, y1 = (min(n, math.ceil(v) + 2 + radius) for v in high)
        if x1 <= x0 or y1 <= y0:
            return Mask(np.zeros((0, 0), np.float32), 0, 0)
        cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
        fixed = [np.round((c - (x0, y0)) * (1 << _SHIFT)).astype(np.int32) for c in corners]
        for group in [[f] for f in fixed] if union else [fixed]:
            cv2.fillPoly(cover, group, 255, cv2.LINE_AA, _SHIFT)
        if radius > 0:
            # Two box blurs come close to a Gaussian at a cost that does not grow with its width.
            kernel = (2 * (radius // 2) + 1,) * 2
            cover = cv2.blur(cv2.blur(cover, kernel), kernel)
        return Mask(cover.astype(np.float32) * np.float32(1 / 255), y0, x0)

    def full(self, mask: Mask) -> np.ndarray:
        """``mask`` on the whole canvas, to clip other shapes with."""
        out = np.zeros((self.pixels, self.pixels), np.float32)
        out[mask.window()] = mask.alpha
        return out

    def paint(
        self,
        mask: Mask,
        colour: Colour | np.ndarray,
        opacity: float = 1.0,
        clip: np.ndarray | None = None,
        multiply: bool = False,
    ) -> None:
        """Lay ``colour`` (RGB, or a whole canvas) over the masked region; ``multiply`` darkens as a glaze."""
        window = mask.window()
        alpha = mask.alpha * np.float32(opacity)
        if clip is not None:
            alpha = alpha * clip[window]
        target = self.rgb[window]
        paint = colour[window] if isinstance(colour, np.ndarray) else np.array(colour, np.float32)
        if multiply:
            target *= 1 + (paint - 1) * alpha[..., None]
        else:
            target += (paint - target) * alpha[..., None]

    def fill(
        self, outline: np.ndarray, colour: Colour | np.ndarray, opacity: float = 1.0, blur: float = 0.0,
        clip: np.ndarray | None = None, multiply: bool = False,
    ) -> None:  # fmt: skip
        """Paint the inside of one closed outline."""
        self.paint(self.mask(outline, blur=blur), colour, opacity, clip, multiply)

    def finish(self, size: int) -> np.ndarray:
        """The picture as uint8 ``size,size,3``, each pixel the mean of those it covers."""
        small = cv2.resize(np.clip(self.rgb, 0, 1), (size, size), interpolation=cv2.INTER_AREA)
        return np.round(small * 255).astype(np.uint8)


class Head:
    """Turns points of the upright, frontal head into points of the picture.

    The head is an egg in front of the camera: a feature at (x, y) lies at depth ``depth(x, y)``, and
    yaw and pitch (radians) move it by as much, so that features shift and foreshorten as they should.
    """

    def __init__(self, yaw: float, pitch: float, roll: float, centre: tuple[float, float], scale: float):
        self.yaw, self.pitch, self.roll = yaw, pitch, roll
        self.centre = np.array(centre)
        self.scale = scale

    @staticmethod
    def depth(points: np.ndarray) -> np.ndarray:
        inside = 1 - (points[:, 0] / 0.62) ** 2 - (points[:, 1] / 0.95) ** 2
        return 0.46 * np.sqrt(np.clip(inside, 0, 1))

    def __call__(self, points: np.ndarray | list, depth: float | np.ndarray | None = None, lift: float = 0.0):
        """Picture coordinates of ``points`` (N,2), on the face's surface raised by ``lift``, or at ``depth``."""
        p = np.asarray(points, np.float64)
        z = (self.depth(p) if depth is None else depth) + lift
        x = p[:, 0] * math.cos(self.yaw) + z * math.sin(self.yaw)
        y = p[:, 1] * math.cos(self.pitch) + z * math.sin(self.pitch)
        c, s = math.cos(self.roll), math.sin(self.roll)
        turned = np.stack([c * x - s * y, s * x + c * y], axis=1)
        return turned * self.scale + self.centre
