"""Arrays of every type become the pictures that they hold; what is in doubt is refused with the option that
decides."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.errors import ImageError, InputError
from facegan.values import array_to_uint8, meaning_of, meaning_of_picture, parse_range

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
PICTURES[0, 0, 0] = 0, 128, 255
WIDE = PICTURES.astype(np.int64)
UNIT = PICTURES / 255.0


def swung(values: np.ndarray, low: float, high: float) -> np.ndarray:
    values = values.copy()
    values[0, 1, 1, 0], values[2, 1, 1, 0] = low, high
    return values


# what: (values, how they are read, how many are clipped)
READ = {
    "bytes": (PICTURES, "0..255", 0),
    "booleans": (PICTURES > 127, "0..1", 0),
    "0 to 1": (UNIT, "0..1", 0),
    "0 to 1, half precision": (UNIT.astype(np.float16), "0..1", 0),
    "a hair above 1": (swung(UNIT, 1.0, 1.0000002), "0..1", 1),
    "overshoot of cubic resampling": (swung(UNIT, -0.03, 1.04), "0..1", 2),
    "overshoot of Lanczos": (swung(UNIT, -0.115, 1.118), "0..1", 2),
    "a dark picture with undershoot": (swung(UNIT / 4, -0.02, 0.1), "0..1", 1),
    "-1 to 1": (PICTURES / 127.5 - 1, "-1..1", 0),
    "-1 to 1 with overshoot": (swung(PICTURES / 127.5 - 1, -1.2, 1.15), "-1..1", 2),
    "0 to 255 as floats": (WIDE.astype(np.float32), "0..255", 0),
    "0 to 255 with overshoot": (swung(WIDE.astype(np.float64), -12.5, 270.1), "0..255", 2),
    "wide integers": (WIDE, "0..255", 0),
    "signed integers with overshoot": (swung(WIDE.astype(np.int16), -9, 262), "0..255", 2),
    "16 bits": (WIDE.astype(np.uint16) * 257, "0..65535", 0),
    "16 bits, dark, made of 8": ((PICTURES // 32).astype(np.uint16) * 257, "0..65535", 0),
    "8 bits stored in 16": (WIDE.astype(np.uint16), "0..255", 0),
    "32 bits": (WIDE.astype(np.uint32) * 16843009, "0..4294967295", 0),
}


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip(np.rint((values.astype(np.float64) - low) / (high - low) * 255), 0, 255)


@pytest.mark.parametrize("name", READ)
def test_what_is_beyond_doubt_is_read(name: str) -> None:
    values, read_as, outside = READ[name]
    meaning = meaning_of(values, "a.npz")
    assert (str(meaning.range), meaning.outside, meaning.clipped) == (read_as, outside, min(outside, 2))
    expected = scaled(values, *map(float, read_as.split("..")))
    assert np.abs(meaning.levels(values) - expected).max() <= (1 if values.dtype == np.float16 else 0)
    assert meaning.levels(values).dtype == np.uint8
    assert f"read as {read_as}" in meaning.note() and ("clipped" in meaning.note()) == bool(outside)


def test_the_note_counts_values_and_pictures() -> None:
    assert meaning_of(swung(UNIT, -0.03, 1.04), "a.npz").note() == (
        "float64 values -0.03..1.04 read as 0..1; clipped: 2 values in 2 of 4 pictures"
    )


DOUBT = {
    "masks": (PICTURES // 128, "a mask, or almost black", "--range 0..1 or --range 0..255"),
    "wide masks": (WIDE // 128, "a mask, or almost black", "--range 0..1 or --range 0..255"),
    "12 bits in 16": (WIDE.astype(np.uint16) * 16, "0..4080", "--range 0..4095 or --range 0..65535"),
    "10 bits in 32": (WIDE.astype(np.int32) * 4, "0..1020", "--range 0..1023 or --range 0..65535"),
    "signed bytes": ((WIDE - 128).astype(np.int8), "-128..127", "--range -128..127"),
    "4 bits": (WIDE // 16, "small whole numbers", "--range 0..255 or --range 0..15"),
    "4 bits as floats": (PICTURES // 16 + 0.0, "0..15", "--range 0..255 or --range 0..15"),
    "beyond overshoot": (swung(UNIT, 0, 1.4), "0..1.4", "--range 0..1 or --range 0..1.4"),
    "little around 0": ((UNIT - 0.5) / 4, "-0.125..0.125", "--range 0..1 or --range -1..1"),
    "standardised": ((UNIT - 0.45) / 0.22, "-2.04", "--range LOW..HIGH"),
    "16 bits as floats": (WIDE * 257.0, "0..65535", "--range 0..65535"),
    "Hounsfield units": (WIDE.astype(np.int16) * 8 - 1000, "-1000..1040", "--range -1000..1040"),
}


@pytest.mark.parametrize("name", DOUBT)
def test_doubt_is_refused_with_what_decides(name: str) -> None:
    values, found, options = DOUBT[name]
    with pytest.raises(InputError) as caught:
        meaning_of(values, "a.npz: array 'x'")
    text = str(caught.value)
    assert text.startswith("a.npz: array 'x' holds") and found in text and options in text, text
    way = "give booleans, or 0 and 255" if values.dtype == np.uint8 else "bring them to uint8"
    with pytest.raises(InputError, match=way):
        array_to_uint8(values)
    low, high = float(values.min()), float(values.max())
    made = meaning_of(values, "a.npz", f"{low!r}..{high!r}").levels(values)
    assert (made.min(), made.max()) == (0, 255)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (UNIT * 1j, "holds complex128, not numbers"),
        (np.full((2, 3, 3), np.nan), "holds nothing but NaN"),
        (np.where(UNIT > 0.9, np.inf, UNIT), "holds NaN or infinite values"),
        (np.zeros((0, 3, 3)), "is empty"),
        (np.array([["a"]]), "holds <U1, not numbers"),
    ],
)
def test_what_is_no_picture_is_one_line(values: np.ndarray, text: str) -> None:
    with pytest.raises(InputError, match=f"^my array {text}"):
        array_to_uint8(values, "my array")


def test_a_range_that_is_given_holds_and_what_it_cuts_off_is_told() -> None:
    meaning = meaning_of(WIDE.astype(np.uint16) * 16, "x", "0..2040")
    assert meaning.levels(np.array([0, 1020, 2040, 4080])).tolist() == [0, 128, 255, 255]
    assert "50% of all values in 4 of 4" in meaning.note()
    # Of bytes the option says only what leaves doubt: a mask, but not the photos beside it.
    assert str(meaning_of(PICTURES, "x", "0..1").range) == "0..255"
    assert meaning_of(PICTURES // 128, "x", "0..1").levels(PICTURES // 128).max() == 255


def test_a_range_for_integers_leaves_floats_beside_them_as_they_are() -> None:
    assert str(meaning_of(UNIT, "x", "0..4095").range) == "0..1"
    assert str(meaning_of_picture(UNIT[0] * 2 - 1, "0..4095").range) == "-1..1"
    assert str(meaning_of_picture(UNIT[0], "-1..1").range) == "-1..1"  # a bright one of a set
    assert str(meaning_of(WIDE.astype(np.uint16), "x", "0..65535").range) == "0..65535"


@pytest.mark.parametrize("text", ["1..0", "0..", "0-1", "a..b", "0..0", "0..nan", "-inf..1", "0..1..2"])
def test_ranges_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match=r"^--range .*0\.\.1 or -1\.\.1"):
        parse_range(text)


def test_one_picture_decides_only_what_is_beyond_doubt() -> None:
    dark = np.full((4, 4), 200, np.uint16)
    dark[0] = 0
    with pytest.raises(ImageError) as caught:
        meaning_of_picture(dark)
    assert caught.value.reason == ("16-bit values up to 255 (--range 0..255 or --range 0..65535 says which)")
    assert str(meaning_of_picture(dark, "0..65535").range) == "0..65535"
    assert str(meaning_of_picture(np.zeros((4, 4), np.uint16)).range) == "0..255"  # black either way
    with pytest.raises(ImageError, match="NaN"):
        meaning_of_picture(np.array([[np.nan, 1.0]]))
