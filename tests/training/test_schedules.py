"""The cosine against values that are known by heart."""

import math

import pytest

from facegan.training.schedules import cosine

# start, end, images seen, kimg -> value: cos of 0, 60, 90, 120 and 180 degrees
TABLE = [
    (2e-4, 5e-5, 0, 20_000, 2e-4),
    (2e-4, 5e-5, 10_000_000, 20_000, 1.25e-4),
    (2e-4, 5e-5, 20_000_000, 20_000, 5e-5),
    (2e-4, 5e-5, 10**12, 20_000, 5e-5),
    (0.0, 4.0, 1_000, 3, 1.0),
    (0.0, 4.0, 2_000, 3, 3.0),
    (0.9, 0.99, 500, 1, 0.945),
    (150.0, 15.0, 250, 1, 15 + 135 * (1 + math.sqrt(0.5)) / 2),
    (3.0, 7.0, 0, 0, 7.0),
]


@pytest.mark.parametrize("start, end, seen, kimg, expected", TABLE)
def test_cosine(start, end, seen, kimg, expected):
    assert cosine(start, end, seen, length_kimg=kimg) == pytest.approx(expected, rel=1e-12)


def test_the_end_is_exact():
    assert cosine(2e-4, 5e-5, 20_000_000, length_kimg=20_000) == 5e-5
    assert cosine(0.1, 0.3, 10**9, length_kimg=1) == 0.3
