"""Draw pictures whose style can be given to a photo: brush strokes, a mosaic, ink waves; and two masks.

Everything is computed, so the pictures are free of anybody's rights:

    python examples/style_pictures.py --out styles
    facegan stylize my_photo.jpg styles/strokes.png --out painted.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from facegan.images import save_png

NIGHT = ["#0b1d51", "#14387f", "#1f5fa8", "#3f8fc4", "#8cc5d8", "#e9d86b", "#f2b632", "#f7efc6"]
CLAY = ["#7b2d26", "#b5523b", "#d98c5f", "#efc88b", "#f4e3b2", "#3c6e71", "#284b63", "#1d2f3f"]
INK = ["#f3ead3", "#e8d9b5", "#c9d6d3", "#7fa7b5", "#3c6e8f", "#1c3f63", "#10233f"]


def colours(names: list[str]) -> np.ndarray:
    """float ``n,3`` of #rrggbb."""
    return np.array([[int(name[i : i + 2], 16) for i in (1, 3, 5)] for name in names], float)


def ramp(palette: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Colours ``...,3`` along a palette, ``at`` from 0 to 1."""
    place = np.clip(at, 0, 1) * (len(palette) - 1)
    low = np.minimum(place.astype(int), len(palette) - 2)
    part = (place - low)[..., None]
    return palette[low] * (1 - part) + palette[low + 1] * part


def noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth noise ``size,size`` from 0 to 1 with about ``cells`` hills across, and finer ones on them."""
    total = np.zeros((size, size))
    for octave in range(4):
        n = cells * 2**octave
        total += (
            cv2.resize(rng.random((n + 3, n + 3)), (size, size), interpolation=cv2.INTER_CUBIC) / 2**octave
        )
    return (total - total.min()) / np.ptp(total)


def strokes(size: int, rng: np.random.Generator) -> np.ndarray:
    """Short thick strokes along the lines of a swirling field, dark ones first, with bristles."""
    hills, tint = cv2.GaussianBlur(noise(rng, size, 3), (0, 0), size / 60), noise(rng, size, 3)
    dy, dx = np.gradient(hills)
    angle = np.arctan2(-dx, dy)  # along the contour lines
    palette, canvas = colours(NIGHT), np.full((size, size, 3), colours(NIGHT)[1])
    for layer, (width, count) in enumerate([(size / 36, 3000), (size / 70, 9000), (size / 120, 12000)]):
        starts = rng.integers(0, size, (count, 2))
        for y, x in starts[np.argsort(tint[starts[:, 0], starts[:, 1]])] if layer == 0 else starts:
            tone = np.clip(tint[y, x] + rng.normal(0, 0.07), 0, 1)
            if layer == 2 and tone < 0.45 and rng.random() < 0.6:
                continue
            path = [(float(x), float(y))]
            for _ in range(8):
                px, py = path[-1]
                here = angle[int(np.clip(py, 0, size - 1)), int(np.clip(px, 0, size - 1))]
                path.append((px + np.cos(here) * width * 0.8, py + np.sin(here) * width * 0.8))
            across = np.array([-np.sin(angle[y, x]), np.cos(angle[y, x])])
            bristles = 5
            for bristle in range(bristles):  # each a thinner line of its own shade
                shift = across * (bristle / (bristles - 1) - 0.5) * width * 0.8
                shade = ramp(palette, np.array(tone)) * (1 + rng.normal(0, 0.09)) + rng.normal(0, 4)
                line = np.rint((np.array(path) + shift) * 8).astype(np.int32)
                thick = max(1, round(width / bristles * 1.3))
                cv2.polylines(canvas, [line], False, np.clip(shade, 0, 255).tolist(), thick, cv2.LINE_AA, 3)
    return canvas


def mosaic(size: int, rng: np.random.Generator) -> np.ndarray:
    """Uneven tiles in light grout, each with its own shade and a lit edge."""
    side = size // 42
    gy, gx = np.mgrid[side // 2 : size + side : side, side // 2 : size + side : side]
    seeds = np.stack([gx, gy], -1).reshape(-1, 2) + rng.uniform(-0.32, 0.32, (gx.size, 2)) * side
    y, x = np.mgrid[:size, :size]
    nearest = np.full((2, size, size), 1e9)
    owner = np.zeros((size, size), int)
    for i, (sx, sy) in enumerate(seeds):
        top, left = max(0, int(sy - 2 * side)), max(0, int(sx - 2 * side))
        box = np.s_[top : int(sy + 2 * side), left : int(sx + 2 * side)]
        far = np.hypot(x[box] - sx, y[box] - sy)
        first, second = nearest[0][box], nearest[1][box]
        closer = far < first
        second[:] = np.where(closer, first, np.minimum(second, far))
        first[:] = np.where(closer, far, first)
        owner[box] = np.where(closer, i, owner[box])
    tint = noise(rng, size, 3)
    place = np.clip(seeds[:, ::-1].astype(int), 0, size - 1)
    tone = np.clip(tint[place[:, 0], place[:, 1]] + rng.normal(0, 0.06, len(seeds)), 0, 1)
    shades = ramp(colours(CLAY), tone) * rng.uniform(0.85, 1.15, (len(seeds), 1))
    gap = nearest[1] - nearest[0]
    light = np.clip((x - seeds[owner, 0] + y - seeds[owner, 1]) / side, -1, 1)[..., None]
    tiles = shades[owner] - 16 * light
    return np.where((gap < side * 0.13)[..., None], colours(["#e6dcc8"])[0], tiles)


def waves(size: int, rng: np.random.Generator) -> np.ndarray:
    """Overlapping arcs of ink on paper, in rows, as in a print."""
    canvas = np.full((size, size, 3), colours(INK)[0])
    radius = size // 9
    for row, y in enumerate(range(-radius // 2, size + 2 * radius, radius // 2)):
        for x in range(-radius + (row % 2) * radius, size + 2 * radius, 2 * radius):
            centre = (x + int(rng.normal(0, radius / 14)), y + int(rng.normal(0, radius / 14)))
            for ring in range(7):
                shade = ramp(colours(INK), np.array((ring * 3 % 7) / 6)) + rng.normal(0, 6, 3)
                size_of_ring = round(radius * (1 - ring / 7.5) + rng.normal(0, 1))
                cv2.circle(canvas, centre, size_of_ring, np.clip(shade, 0, 255).tolist(), -1, cv2.LINE_AA)
                cv2.circle(canvas, centre, size_of_ring, colours(INK)[-1].tolist(), 2, cv2.LINE_AA)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (size, size)), (0, 0), 2)
    return canvas + 5 * grain[..., None] / grain.std()


def halves(size: int) -> dict[str, np.ndarray]:
    """Masks: the left half, the right half, with a soft border between them."""
    right = 1 / (1 + np.exp(-(np.arange(size) - size / 2) / (size / 24)))
    ramp_ = np.repeat(np.repeat(right[None, :, None], size, 0), 3, 2) * 255
    return {"left": 255 - ramp_, "right": ramp_}


STYLES = {"strokes": strokes, "mosaic": mosaic, "waves": waves}


def main(out: Path, size: int, seed: int) -> None:
    pictures = {name: draw(size, np.random.default_rng(seed)) for name, draw in STYLES.items()}
    for name, picture in {**pictures, **halves(size)}.items():
        save_png(out / f"{name}.png", np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        print(out / f"{name}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("styles"), help="folder for the pictures")
    parser.add_argument("--size", type=int, default=768, help="width and height in pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.out, options.size, options.seed)
