"""How pictures halve down to a few pixels, for networks that double them up again. Imports no torch."""

from __future__ import annotations

import math

from facegan.errors import ConfigError


def halve(height: int, width: int) -> list[tuple[int, int]]:
    """Return (height, width) of each level; a picture halves while both sides are even and 8 px or more."""
    levels = [(height, width)]
    while not (levels[0][0] % 2 or levels[0][1] % 2 or min(levels[0]) < 8):
        levels.insert(0, (levels[0][0] // 2, levels[0][1] // 2))
    return levels


def resolutions(height: int, width: int) -> list[tuple[int, int]]:
    """Return (height, width) of each level, from a base whose shorter side is 4 to 8 px to the picture."""
    levels = halve(height, width)
    if min(height, width) < 8:
        raise ConfigError(f"stylegan2: pictures of {width}x{height} are too small; the smallest are 8x8")
    if min(levels[0]) > 8 or len(levels) == 1:
        # In sizes that work the shorter side is 4 to 8 times a power of two, which divides the longer one.
        unit = 2 ** int(math.log2(min(height, width) / 4))
        fitting = [[r(side / unit) * unit for side in (height, width)] for r in (math.floor, math.ceil)]
        below, above = (f"{b}x{a}" for a, b in fitting)
        raise ConfigError(
            f"stylegan2: pictures of {width}x{height} halve down to {levels[0][1]}x{levels[0][0]}, not to "
            f"4 to 8 px; prepare them as {below} or {above}"
        )
    return levels
