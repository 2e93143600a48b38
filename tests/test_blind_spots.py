"""benchmarks/telling_apart.py: sets that differ in just one thing, and its table of accuracies."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def script(benchmarks):
    return benchmarks("telling_apart")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)


UNTOUCHED = {  # change -> where pictures stay as they are: (row, column), of 64
    "nothing": [(0, 0), (36, 32), (63, 63)],
    "skin blurred, sigma 0.7 px": [(0, 0), (36, 8), (2, 32), (63, 63)],
    "skin with noise, sigma 4 of 255": [(0, 0), (36, 8), (2, 32), (63, 63)],
    "background of another sample": [(36, 32), (20, 32), (50, 40)],
    "background grey": [(36, 32), (20, 32), (50, 40)],
    "background blurred, sigma 1.5 px": [(36, 32), (20, 32), (50, 40)],
}


def test_every_change_but_that_of_the_model_is_listed(script):
    assert set(script.CHANGES) - set(UNTOUCHED) == {"all wear glasses"}


@pytest.mark.parametrize("title", UNTOUCHED)
def test_only_one_thing_changes(script, images, title):
    changed = script.CHANGES[title](images, "")
    assert changed.shape == images.shape and changed.dtype == np.uint8
    for row, column in UNTOUCHED[title]:
        np.testing.assert_array_equal(changed[:, row, column], images[:, row, column])
    share = (changed != images).any(3).mean()
    assert share == 0 if title == "nothing" else 0.1 < share < 0.6


def test_another_background_is_that_of_the_sample_before(script, images):
    changed = script.CHANGES["background of another sample"](images, "")
    np.testing.assert_array_equal(changed[1, 0, 0], images[0, 0, 0])


def test_the_table_has_an_interval_for_each_size(script, capsys):
    dark, bright = (np.full((100, 16, 16, 3), level, np.uint8) for level in (60, 200))
    script.accuracies("set", [("all different", dark, bright)], 2)
    assert capsys.readouterr().out.splitlines() == [
        "| set | c2st | c2st 16 |",
        "|---|---|---|",
        "| all different | 1.00 (0.96 to 1.00) | 1.00 (0.96 to 1.00) |",
    ]
