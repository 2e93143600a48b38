"""Pixel blitting copies pixels exactly: numpy's flip, rot90 and reflecting pad say where they go."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from given_draws import given, signed

from facegan.augment import table
from facegan.augment.ada import Ada
from facegan.augment.table import AUGMENTS

NOTHING = Ada(**table.NOTHING)


def picture(h: int, w: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(1, channels, h, w, generator=torch.Generator().manual_seed(h * w)) * 2 - 1


def shifted(x: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """The mirrored picture moved by whole pixels."""
    h, w = x.shape[1:]
    m = 8
    wide = np.pad(x, ((0, 0), (m, m), (m, m)), mode="reflect")
    return wide[:, m - dy : m - dy + h, m - dx : m - dx + w]


@pytest.mark.parametrize("size", [(9, 9), (16, 12)])
@pytest.mark.parametrize("u", [0.0, 0.49, 0.5, 0.99])
def test_flip_is_the_reversed_array(u: float, size: tuple[int, int]) -> None:
    x = picture(*size)
    y = AUGMENTS["flip"](x, 1.0, given(x_flip=[u]))
    assert torch.equal(y, x.flip(-1) if u >= 0.5 else x)


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("size", [9, 10])
def test_a_quarter_turn_is_rot90(quarter: int, size: int) -> None:
    """np.rot90 turns against the clock; here x turns towards y, which points down."""
    x = picture(size, size)
    y = replace(NOTHING, rotate90=True)(x, 1.0, given(rotate90=[quarter / 4 + 0.1]))
    assert np.array_equal(y[0].numpy(), np.rot90(x[0].numpy(), -quarter, (1, 2)))


@pytest.mark.parametrize("half", range(2))
def test_an_oblong_picture_makes_half_turns(half: int) -> None:
    x = picture(12, 9)
    y = replace(NOTHING, rotate90=True)(x, 1.0, given(rotate90=[half / 2 + 0.1]))
    assert torch.equal(y, x.flip(-1, -2) if half else x)


@pytest.mark.parametrize(("dx", "dy"), [*itertools.product((-2, 0, 1), (-1, 0, 3))])
def test_whole_pixels_move_the_mirrored_picture(dx: int, dy: int) -> None:
    x = picture(24, 16)
    u = [signed(dx / (16 * 0.125)), signed(dy / (24 * 0.125))]
    y = replace(NOTHING, int_translation=0.125)(x, 1.0, given(int_translation=u))
    assert np.array_equal(y[0].numpy(), shifted(x[0].numpy(), dx, dy))


def test_flip_then_turn_then_move() -> None:
    x = picture(16, 16)
    draw = given(x_flip=[0.7], rotate90=[0.3], int_translation=[signed(0.5), signed(-1.0)])
    y = replace(NOTHING, x_flip=True, rotate90=True, int_translation=0.125)(x, 1.0, draw)
    assert np.array_equal(y[0].numpy(), shifted(np.rot90(x[0].numpy()[..., ::-1], -1, (1, 2)), 1, -2))
