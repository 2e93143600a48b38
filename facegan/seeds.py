"""Seeds as users write them: ``seed:7``, ``seed:0-99``, ``seed:1,5,9-12``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from facegan.errors import InputError

MAX_SEEDS = 10_000_000
_SEED = re.compile(r"\s*seeds?\s*[:=]\s*", re.IGNORECASE)
_SEEDS = re.compile(rf"(?:{_SEED.pattern})?[\d,\s-]*\d[\d,\s-]*", re.IGNORECASE)


def is_seeds(text: str) -> bool:
    """Return whether ``text`` is written as seeds are: ``seed:7``, ``seed:0-99``, or the numbers alone."""
    return bool(_SEEDS.fullmatch(text)) or bool(_SEED.match(text))


def seed_name(seed: int) -> str:
    """Return ``seed:7``: how a face is called everywhere."""
    return f"seed:{seed}"


def parse_seeds(text: str, option: str = "--seed") -> list[int]:
    """Return the seeds of ``seed:7``, ``seed:0-99`` (both ends), ``seed:1,5,9-12``, or the numbers alone.

    Raises:
        InputError: A part is not understood; the message quotes it.
    """
    seeds: list[int] = []
    for part in _SEED.sub("", text, count=1).split(","):
        match = re.fullmatch(r"\s*(\d{1,19})(?:\s*-\s*(\d{1,19}))?\s*", part, re.ASCII)
        if not match:
            raise InputError(f"{option} '{text}': '{part.strip()}' is not a number nor a range such as 0-99")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise InputError(f"{option} '{text}': the range '{part.strip()}' runs backwards")
        if last >= 2**63:
            raise InputError(f"{option} '{text}': {last} is above 2^63 - 1")
        if len(seeds) + last - first >= MAX_SEEDS:
            raise InputError(f"{option} '{text}': more than {MAX_SEEDS:,} at once")
        seeds += range(first, last + 1)
    return seeds


def spell_seeds(seeds: Sequence[int]) -> str:
    """Return the shortest text that :func:`parse_seeds` reads back: ``1,5,9-12``."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][1] + 1:
            parts[-1][1] = seed
        else:
            parts.append([seed, seed])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)
