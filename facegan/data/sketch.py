"""From a photo to a line drawing: dark, thin, connected lines on white, as a person would draw them.

Differences of Gaussians smoothed along the flow of the edges (Kang, Lee & Chui, "Coherent Line Drawing", NPAR
2007; Winnemoeller, Kyprianidis & Olsen, "XDoG", Computers & Graphics 36(6), 2012). Their dark regions are
thinned to one pixel (Zhang & Suen, CACM 27(3), 1984); what is short or faint is dropped, and the rest is
drawn with one pen.
"""

from __future__ import annotations

import functools

import numpy as np

WORK_SIDE = 128  # px, least: small pictures are drawn enlarged, so that lines stay thin and smooth
GROWTH = 0.55  # with the picture's side, details grow by this power: larger pictures show more of them
SIGMA = 1.1  # px at WORK_SIDE, of the narrower Gaussian
RATIO = 1.6  # of the wider one to the narrower: close to the Laplacian of a Gaussian
ALONG = 2.5  # px at WORK_SIDE: the standard deviation of smoothing along the lines
STEP = 1.5  # px, of the walk along the lines
SURROUNDINGS = 8.0  # sigmas over which contrast is evened out
FLOOR = 0.1  # contrast (of square roots of levels, 0 to 1) below which it is not raised to that of the rest
FAINT, CLEAR = 0.013, 0.038  # a line is as long as it is not faint, and has one place that is clear
SHORTEST = 8.0  # px at WORK_SIDE
PEN = 0.6  # px at WORK_SIDE, the standard deviation of the pen
INK = 1.4  # times the blackness at the middle of a straight line: it is black on more than one pixel

# Codes of the eight neighbours, clockwise from the north.
_NEIGHBOURS = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)


def sketch(image: np.ndarray) -> np.ndarray:
    """Return uint8 ``H,W``, black lines on white, of a uint8 picture ``H,W,C`` (C = 1 or 3)."""
    import cv2

    h, w = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
    smooth = cv2.bilateralFilter(np.ascontiguousarray(grey), 5, 30, 2)  # 30 levels, 2 px
    light = np.sqrt(smooth.astype(np.float32) / 255)
    factor = max(1, -(-WORK_SIDE // min(h, w)))
    if factor > 1:
        light = cv2.resize(light, (w * factor, h * factor), interpolation=cv2.INTER_CUBIC)
    growth = min(light.shape) / WORK_SIDE
    response = _response(light, SIGMA * growth**GROWTH, ALONG * growth**GROWTH)
    response[:factor] = response[-factor:] = 0  # the picture's border is no line
    response[:, :factor] = response[:, -factor:] = 0
    lines = _lines(response, SHORTEST * growth).astype(np.float32)
    pen = PEN * max(1.0, 0.8 * growth**GROWTH)
    ink = cv2.GaussianBlur(lines, (0, 0), pen) * np.float32(INK * pen * np.sqrt(2 * np.pi))
    ink = np.minimum(ink, 1)
    if factor > 1:
        ink = cv2.resize(ink, (w, h), interpolation=cv2.INTER_AREA)
    return np.rint(255 * (1 - ink)).astype(np.uint8)


def _response(light: np.ndarray, sigma: float, along: float) -> np.ndarray:
    """Return float32 ``H,W``, positive on the dark side of edges: DoG, smoothed along the edges' flow."""
    import cv2

    mean = cv2.GaussianBlur(light, (0, 0), SURROUNDINGS * sigma)
    variance = cv2.GaussianBlur((light - mean) ** 2, (0, 0), SURROUNDINGS * sigma)
    even = (light - mean) / (np.sqrt(variance) + np.float32(FLOOR))
    narrow = cv2.GaussianBlur(even, (0, 0), sigma)
    dog = cv2.GaussianBlur(even, (0, 0), RATIO * sigma) - narrow
    return _smoothed_along(dog, _flow(narrow, 2 * sigma), along)


def _flow(picture: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors x, y along the edges, by the structure tensor smoothed with ``sigma``."""
    import cv2

    x, y = cv2.Scharr(picture, cv2.CV_32F, 1, 0), cv2.Scharr(picture, cv2.CV_32F, 0, 1)
    xx, xy, yy = (cv2.GaussianBlur(product, (0, 0), sigma) for product in (x * x, x * y, y * y))
    across = 0.5 * np.arctan2(2 * xy, xx - yy)  # the angle of the larger eigenvalue's vector
    return -np.sin(across), np.cos(across)


def _smoothed_along(values: np.ndarray, flow: tuple[np.ndarray, np.ndarray], sigma: float) -> np.ndarray:
    """Return the Gaussian mean of ``values`` over the curve along the flow through each pixel."""
    import cv2

    steps = max(1, round(1.5 * sigma / STEP))
    weights = np.exp(-0.5 * (np.arange(steps + 1) * STEP / sigma) ** 2).astype(np.float32)
    starts = np.indices(values.shape, np.float32)
    total = values * weights[0]
    x: np.ndarray
    y: np.ndarray
    for way in (1, -1):
        y, x = starts[0], starts[1]
        dx, dy = flow[0] * way, flow[1] * way
        for step in range(1, steps + 1):
            x, y = x + dx * np.float32(STEP), y + dy * np.float32(STEP)
            there = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            total += weights[step] * there
            if step < steps:
                nx, ny = (
                    cv2.remap(f, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE) for f in flow
                )
                turn = np.sign(nx * dx + ny * dy)  # a flow has no sign: go on, never back
                dx, dy = nx * turn, ny * turn
    return total / (2 * weights.sum() - weights[0])


def _lines(response: np.ndarray, shortest: float) -> np.ndarray:
    """Return uint8 ``H,W`` of 0 and 1: the lines, one pixel wide, that are clear and long enough."""
    import cv2

    thin = _thinned((response > FAINT).astype(np.uint8))
    count, names, statistics, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    clear = np.zeros(count, bool)
    clear[names[response > CLEAR]] = True
    keep = clear & (statistics[:, cv2.CC_STAT_AREA] >= shortest)
    keep[0] = False  # the ground
    return keep[names].astype(np.uint8)


def _thinned(mask: np.ndarray) -> np.ndarray:
    """Return the skeleton of uint8 ``H,W`` of 0 and 1, by the table of Zhang & Suen's two passes."""
    import cv2

    while True:
        before = cv2.countNonZero(mask)
        for stays in _stays():
            mask = mask & cv2.LUT(cv2.filter2D(mask, -1, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT), stays)
        if cv2.countNonZero(mask) == before:
            return mask


@functools.lru_cache(maxsize=1)
def _stays() -> tuple[np.ndarray, np.ndarray]:
    """Return for both passes, by the code of a pixel's neighbours, whether it stays: uint8 of 256."""
    tables = np.ones((2, 256), np.uint8)
    for code in range(256):
        around = [code >> k & 1 for k in range(8)]  # n, ne, e, se, s, sw, w, nw
        begins = sum(around[k] < around[(k + 1) % 8] for k in range(8))
        n, _, e, _, s, _, w, _ = around
        if begins == 1 and 2 <= sum(around) <= 6:
            tables[0, code] = bool((n and e and s) or (e and s and w))
            tables[1, code] = bool((n and e and w) or (n and s and w))
    return tables[0], tables[1]
