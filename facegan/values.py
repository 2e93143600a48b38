"""The meaning of numbers: values of any type become the 0..255 of pictures only here.

uint8 holds 0..255 and bool black and white. Floating-point numbers hold 0..1, -1..1 or 0..255; cubic and
Lanczos resampling swing over the ends (by up to 0.12 of the width, measured on photos), so values at most
``OVERSHOOT`` outside are clipped, and the note says so. 16-bit integers hold 0..65535 if large values, or
eight bits spread over sixteen, leave no doubt. Everything else is refused, and the message names the ranges
between which ``--range LOW..HIGH`` decides; a given range holds as it is.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegan.errors import ImageError, InputError

OVERSHOOT = 0.15  # of a range's width
_FULL = 2**16 - 1
_LEAST_255 = 64  # a maximum below it is no evidence of 0..255
_PIECE = 2**24  # values surveyed at once
_BRING = "bring them to uint8, or to floats from 0 to 1"
NOT_FINITE = "holds NaN or infinite values"


@dataclass(frozen=True)
class Range:
    """The values of black (``low``) and white (``high``)."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.low)}..{number(self.high)}"

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Return uint8 of the same shape, rounded and clipped; NaN becomes black."""
        wide = np.float64 if values.dtype.itemsize > 4 or abs(self.high) > 2**20 else np.float32
        exact: Any = values.astype(wide)
        scaled = (exact - self.low) * (255 / (self.high - self.low))
        levels: np.ndarray = np.clip(np.rint(np.nan_to_num(scaled, copy=False)), 0, 255).astype(np.uint8)
        return levels


UNIT, SYMMETRIC, BYTES = Range(0, 1), Range(-1, 1), Range(0, 255)
_DEPTHS = tuple(Range(0, 2**bits - 1) for bits in (10, 12, 14, 16))
NOMINAL = (UNIT, SYMMETRIC, BYTES, *_DEPTHS)


def number(value: float) -> str:
    """Write a number as short as possible, without an exponent for whole numbers."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else f"{value:.4g}"


def parse_range(text: str, option: str = "--range") -> Range | None:
    """Parse ``LOW..HIGH``, such as ``-1..1``; '' is None, and anything else an InputError."""
    if not text:
        return None
    part = r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*"
    match = re.fullmatch(f"{part}\\.\\.{part}", text)
    if not match or not -1e30 < (low := float(match[1])) < (high := float(match[2])) < 1e30:
        raise InputError(f"{option} {text}: write the values of black and white, such as 0..1 or -1..1")
    return Range(low, high)


class Doubt(Exception):
    """Values that may mean several things: ``why`` is a short phrase, ``ranges`` are the readings."""

    def __init__(self, why: str, *ranges: Range) -> None:
        super().__init__(why)
        self.why, self.ranges = why, ranges

    def way_out(self, option: str = "--range", usual: bool = False) -> str:
        """Return the options that decide; only ``usual`` ranges give many pictures the same text."""
        named = [f"{option} {r}" for r in self.ranges if r in NOMINAL or not usual]
        if len(named) < max(len(self.ranges), 1):
            named.append(f"{option} LOW..HIGH")
        return f"{' or '.join(named)} says {'which' if len(named) > 1 else 'what they mean'}"


def _pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield parts along the first axis, so that surveying an array takes little memory."""
    rows = max(1, _PIECE // max(1, values[0].size if values.ndim else 1))
    for start in range(0, len(values), rows):
        yield values[start : start + rows]


def _span(values: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest finite value; InputError if there is none."""
    low, high = np.inf, -np.inf
    for piece in _pieces(values):
        least, most = piece.min(), piece.max()
        if not (np.isfinite(least) and np.isfinite(most)):
            finite = piece[np.isfinite(piece)]
            if not finite.size:
                continue
            least, most = finite.min(), finite.max()
        low, high = min(low, float(least)), max(high, float(most))
    if low > high:
        raise InputError("holds nothing but NaN and infinite values")
    return low, high


def _within(low: float, high: float, span: Range) -> bool:
    slack = OVERSHOOT * (span.high - span.low)
    return low >= span.low - slack and high <= span.high + slack


def _of_floats(low: float, high: float) -> Range:
    swings = low >= -0.2 * high  # an undershoot is a small part of the contrast that causes it
    if _within(low, high, UNIT) and swings:
        return UNIT
    if _within(low, high, SYMMETRIC) and low < -0.5:
        return SYMMETRIC
    if _within(low, high, BYTES) and high >= _LEAST_255 and swings:
        return BYTES
    guesses: tuple[Range, ...] = ()
    if low < 0 and _within(low, high, SYMMETRIC):
        guesses = UNIT, SYMMETRIC
    elif low >= 0:
        guesses = (UNIT if high < 2 else BYTES, Range(0, high)) if high < 256 else (_depth(high),)
    raise Doubt("floating-point values in doubt", *guesses)


def _depth(high: float) -> Range:
    """Return the usual depth of 10 bits and more that holds ``high``, or the range up to it."""
    return next((r for r in _DEPTHS if high <= r.high), Range(0, high))


def _of_integers(values: np.ndarray, low: float, high: float, *, single: bool) -> Range:
    """Return the range of types other than uint8; ``single``: of one picture, whose set may hold more."""
    signed, bits = values.dtype.kind == "i", 8 * values.dtype.itemsize
    if low == high == 0:
        return BYTES
    if bits == 8 or low < -OVERSHOOT * 255 or high <= 0:
        raise Doubt("values below zero" if low < 0 else "signed bytes", *_guesses(bits, low, high))
    if high < _LEAST_255:
        _doubt_mask(high)
        raise Doubt("small whole numbers", BYTES, Range(0, high))
    if high <= 255 or (signed and low < 0 and high <= 255 * (1 + OVERSHOOT)):
        if single and bits == 16 and not signed:
            raise Doubt("16-bit values up to 255", BYTES, Range(0, _FULL))
        return BYTES
    if low >= 0 and high <= _FULL and not (signed and bits == 16):
        if high >= (2**12 if single else 2**14) or _spread(values):
            return Range(0, _FULL)
        depth = _depth(high)
        raise Doubt(f"16-bit values up to {depth.high}", depth, Range(0, _FULL))
    if not signed and bits == 32 and high >= 2**31:
        return Range(0, 2**32 - 1)
    raise Doubt("whole numbers of no usual range", *_guesses(bits, low, high))


def _guesses(bits: int, low: float, high: float) -> tuple[Range, ...]:
    if bits == 8:
        return (Range(-128, 127), Range(0, 127)) if low < 0 else (Range(0, 127), BYTES)
    return (Range(min(low, 0), high),) if low < high else ()


def _doubt_mask(high: float) -> None:
    if high == 1:
        raise Doubt("only 0 and 1: a mask, or almost black", UNIT, BYTES)


def _spread(values: np.ndarray) -> bool:
    """Return whether all are eight bits spread over sixteen (v * 257), as in full 16-bit pictures."""
    return all(bool((piece % 257 == 0).all()) for piece in _pieces(values))


def _decide(values: np.ndarray, low: float, high: float, *, single: bool) -> Range:
    kind = values.dtype.kind
    if kind == "b":
        return UNIT
    if kind == "f":
        return _of_floats(low, high)
    if values.dtype == np.uint8:
        if not single:
            _doubt_mask(high)
        return BYTES
    return _of_integers(values, low, high, single=single)


@dataclass(frozen=True)
class Meaning:
    """How an array, or one picture, is read.

    Attributes:
        kind: The type, such as ``float32``.
        low: The least finite value; ``high`` is the greatest.
        range: The range that the values are taken for.
        outside: How many of the ``total`` values lie outside of it, and are clipped.
        clipped: How many of the ``pictures`` have such values.
    """

    kind: str
    low: float
    high: float
    range: Range
    pictures: int = 1
    outside: int = 0
    clipped: int = 0
    total: int = 0

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Return uint8 of the same shape; ImageError for NaN and infinite values."""
        if values.dtype == np.uint8 and self.range == BYTES:
            return values
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ImageError(NOT_FINITE)
        return self.range.levels(values)

    def note(self) -> str:
        """Return ``float32 values -0.03..1.04 read as 0..1; clipped: 64 values in 1 of 40 pictures``."""
        text = f"{self.kind} values {number(self.low)}..{number(self.high)} read as {self.range}"
        if not self.outside:
            return text
        share = 100 * self.outside / max(self.total, 1)
        values = f"{share:.0f}% of all values" if share >= 1 else f"{self.outside:,} values"
        values = values.removesuffix("s") if self.outside == 1 else values
        return f"{text}; clipped: {values} in {self.clipped:,} of {self.pictures:,} pictures"


def together(meanings: Sequence[Meaning]) -> list[Meaning]:
    """Return one for all pictures of one type that were read in one way."""
    found: dict[tuple[str, Range], Meaning] = {}
    for one in meanings:
        key = one.kind, one.range
        if before := found.get(key):
            counts = ("pictures", "outside", "clipped", "total")
            sums = {f: getattr(before, f) + getattr(one, f) for f in counts}
            one = Meaning(one.kind, min(before.low, one.low), max(before.high, one.high), one.range, **sums)
        found[key] = one
    return list(found.values())


def meaning_of(values: np.ndarray, what: str, value_range: str = "", *, option: str = "--range") -> Meaning:
    """Return how pictures ``N,...`` of numbers are read; all of them decide together.

    ``what`` names the array in messages, ``option`` the option that decides in case of doubt ('' for none).
    InputError refuses values that are no numbers, or may mean several things.
    """
    if values.dtype.kind not in "buif":
        raise InputError(f"{what} holds {values.dtype}, not numbers")
    try:
        low, high = _span(values)
    except InputError as error:
        raise InputError(f"{what} {error}") from None
    try:
        span = _chosen(values, low, high, given=parse_range(value_range, option), single=False)
    except Doubt as doubt:
        found = f"{values.dtype} values {number(low)}..{number(high)}"
        way = "give booleans, or 0 and 255" if values.dtype == np.uint8 else _BRING
        way = doubt.way_out(option) if option else way
        raise InputError(f"{what} holds {found} ({doubt.why}): {way}") from None
    return _described(values, low, high, span=span)


def _chosen(values: np.ndarray, low: float, high: float, *, given: Range | None, single: bool) -> Range:
    """Return the given range, or else the one that follows from the values.

    The option does not hold for bytes beyond it, for full 16-bit pictures in a folder of 12-bit ones, and for
    floats of 0..1 beside them, which would be black.
    """
    plain = values.dtype in (np.uint8, np.bool_) or (single and values.dtype == np.uint16)
    faint = values.dtype.kind == "f" and given and 0 < high < given.high / 64
    if given and (faint or (plain and high > given.high)):
        with contextlib.suppress(Doubt):
            return _decide(values, low, high, single=single)
    return given or _decide(values, low, high, single=single)


def _described(values: np.ndarray, low: float, high: float, *, span: Range) -> Meaning:
    outside = clipped = 0
    if low < span.low or high > span.high:
        axes = tuple(range(1, values.ndim))
        for piece in _pieces(values):
            counts = ((piece < span.low) | (piece > span.high)).sum(axes)
            outside, clipped = outside + int(counts.sum()), clipped + int((counts > 0).sum())
    return Meaning(str(values.dtype), low, high, span, len(values), outside, clipped, values.size)


def meaning_of_picture(values: np.ndarray, value_range: str = "", declared: Range | None = None) -> Meaning:
    """Return how the values of one picture file are read; ``declared`` is the range that it names.

    ImageError refuses doubtful values; its reason names ``--range``.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError(NOT_FINITE)
    low, high = _span(values)
    try:
        given = parse_range(value_range)
        span = declared if declared and not given else _chosen(values, low, high, given=given, single=True)
    except Doubt as doubt:
        found = f"{values.dtype} {number(low)}..{number(high)}"
        raise ImageError(f"{doubt.why} ({doubt.way_out(usual=True)})", found) from None
    return _described(values[None], low, high, span=span)


def array_to_uint8(values: np.ndarray, what: str = "the array", value_range: str = "") -> np.ndarray:
    """Convert pictures of any numeric type to uint8 of the same shape; uint8 is returned as it is.

    Bool is black and white; floats are read as 0..1, -1..1 or 0..255 and integers as 0..255 or 0..65535, by
    all values together and with a little overshoot clipped. InputError, which begins with ``what``, refuses
    NaN, other types and doubtful values; ``value_range`` (``LOW..HIGH``) decides in case of doubt.
    """
    if not values.size:
        raise InputError(f"{what} is empty (shape {values.shape})")
    meaning = meaning_of(values, what, value_range, option="")
    try:
        return meaning.levels(values)
    except ImageError as error:
        raise InputError(f"{what} {error.reason}") from None
