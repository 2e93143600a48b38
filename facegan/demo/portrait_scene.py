"""What the parts of a drawn portrait share: the canvas, the head's pose, and colours under the light."""

from __future__ import annotations

import math

import numpy as np

from facegan.demo.portrait_attributes import SKIN_TONES, PortraitAttributes, rgb
from facegan.demo.portrait_shapes import Canvas, Colour, Head, mix

WHITE, BLACK = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
COARSE = 48  # rows of the grid on which light is computed


class Scene:
    """What the parts share: the canvas, the head's pose, and colours under the light."""

    def __init__(self, a: PortraitAttributes, pixels: int) -> None:
        self.a = a
        self.canvas = Canvas(pixels)
        self.head = Head(a.yaw, a.pitch, a.roll, centre=(-0.12 * math.sin(a.yaw), 0.0), scale=1.0)
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

    def lit(self, x: float, y: float, rx: float, *, ry: float, dark: Colour, light: Colour) -> np.ndarray:
        """Return a canvas holding the colour of an egg at (x, y) with the given radii under the light."""
        # The light varies slowly: a coarse grid, enlarged, is as good as every pixel and far cheaper.
        lx, ly, lz = self.sun
        nx, ny = (self.axis[None, :] - x) / rx, (self.axis[:, None] - y) / ry
        nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.03))
        share = np.clip(0.42 + 0.62 * (nx * lx + ny * ly + nz * lz), 0, 1)
        share = share * share * (3 - 2 * share)
        low, high = np.array(dark, np.float32), np.array(light, np.float32)
        return self.canvas.enlarge(low + share[..., None] * (high - low))
