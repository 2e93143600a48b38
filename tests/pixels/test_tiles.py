"""Tiles: their gradients add up to the whole picture's."""

from __future__ import annotations

import itertools

import pytest
import torch
from small import picture, small

from facegan.errors import InputError
from facegan.pixels.dreams.objective import Objective, parse_terms
from facegan.pixels.loading import reverse_channels
from facegan.pixels.style.gram import StyleObjective
from facegan.pixels.tiles import (
    Canvas,
    activation_bytes,
    choose_tile,
    cut,
    mirror_indices,
    require_memory,
    spans,
    strides,
)

LAYERS = ("features.1=0.5", "features.4:3=-2", "features.7")
MARGIN = 20  # features.7 sees 18 px: 3 px at stride 1, 2 x 3 and 4 x 3, and the poolings


@pytest.mark.parametrize("length, tile", [(100, 40), (101, 40), (64, 64), (7, 64), (1000, 1), (33, 32)])
def test_every_position_has_one_owner(length: int, tile: int) -> None:
    for margin in (0, 8):
        found = spans(length, tile, margin, stride=4)
        assert found[0].own_begin == 0 and found[-1].own_end == length and found[-1].last
        assert all(a.own_end == b.own_begin for a, b in itertools.pairwise(found))
        assert all(s.begin % 4 == 0 and 0 <= s.begin <= s.own_begin < s.own_end <= s.end for s in found)
        assert all(s.end <= length for s in found)


def test_the_first_tile_is_the_last_corner() -> None:
    first = cut(100, 200, 50, margin=4, stride=4)[0]
    assert first.rows.last and first.columns.last


@pytest.mark.parametrize("size", [(64, 96), (61, 75), (40, 130)])
@pytest.mark.parametrize("pad", [(0, 0, 0, 0), (3, 5, 6, 2)])
def test_tiles_equal_the_whole_picture(size: tuple[int, int], pad: tuple[int, int, int, int]) -> None:
    classifier = small()
    x = picture(*size)
    objective = Objective(classifier, parse_terms(classifier, LAYERS, ()))
    loss, whole = objective.evaluate(x, 0, margin=0, pad=pad)
    pieces, summed = objective.evaluate(x, 56, margin=MARGIN, pad=pad)
    assert len(Canvas(x, 56, MARGIN, stride=4, pad=pad).tiles) >= 4
    assert pieces == pytest.approx(loss, rel=1e-12)
    assert torch.allclose(summed, whole, rtol=0, atol=1e-12 * float(whole.abs().max()))


def test_without_a_margin_they_do_not() -> None:
    """So that the test above can fail."""
    classifier = small()
    objective = Objective(classifier, parse_terms(classifier, LAYERS, ()))
    x = picture(64, 96)
    whole, summed = objective.evaluate(x)[1], objective.evaluate(x, 16, 0)[1]
    assert not torch.allclose(summed, whole, rtol=1e-3)


def test_a_guide_in_tiles_equals_the_whole() -> None:
    classifier = small()
    objective = Objective(classifier, parse_terms(classifier, ("features.7",), ()))
    objective.follow(picture(40, 40, seed=3))
    x = picture(61, 75)
    loss, whole = objective.evaluate(x)
    pieces, summed = objective.evaluate(x, 56, MARGIN)
    assert pieces == pytest.approx(loss, rel=1e-12) and torch.allclose(summed, whole, atol=1e-15)


@pytest.mark.parametrize("formula", ["relative", "tutorial"])
@pytest.mark.parametrize("masked", [False, True])
def test_style_in_tiles_equals_the_whole(formula: str, masked: bool) -> None:
    classifier = small()
    results = []
    for tile in (0, 56):
        objective = StyleObjective(
            classifier,
            {"features.1": 1.0, "features.4": 0.5},
            {"features.7": 1.0},
            content=picture(61, 75),
            content_weight=0.3,
            tv_weight=0.1,
            formula=formula,
            tile=tile,
            margin=MARGIN,
            border=4,
        )
        mask = torch.zeros(1, 1, 61, 75, dtype=torch.float64)
        mask[..., :40] = 1
        objective.add_style(picture(50, 90, seed=1), 0.7, mask if masked else None)
        objective.add_style(picture(33, 40, seed=2), 0.3)
        results.append(objective.evaluate(picture(61, 75, seed=5)))
    (loss, whole, parts), (pieces, summed, other) = results
    assert pieces == pytest.approx(loss, rel=1e-10)
    assert other == pytest.approx(parts, rel=1e-10) and all(v > 0 for v in parts.values())
    assert torch.allclose(summed, whole, rtol=0, atol=1e-10 * float(whole.abs().max()))


def test_the_gradient_is_that_of_the_loss() -> None:
    """Central differences at a few pixels, in tiles."""
    classifier = small(smooth=True)
    objective = StyleObjective(
        classifier,
        {"features.1": 1.0, "features.4": 0.5},
        {"features.7": 1.0},
        content=picture(40, 44),
        tv_weight=0.5,
        tile=32,
        margin=8,
    )
    objective.margin = MARGIN
    objective.add_style(picture(40, 40, seed=1))
    x = picture(40, 44, seed=5)
    _, gradient, _ = objective.evaluate(x)
    for at in [(0, 0, 0, 0), (0, 1, 20, 21), (0, 2, 39, 43)]:
        step = torch.zeros_like(x)
        step[at] = 1e-5
        slope = (objective.evaluate(x + step)[0] - objective.evaluate(x - step)[0]) / 2e-5
        assert float(gradient[at]) == pytest.approx(slope, rel=1e-4, abs=1e-9)


def test_mirrored_indices() -> None:
    assert mirror_indices(4, 2, 3).tolist() == [2, 1, 0, 1, 2, 3, 2, 1, 0]
    assert mirror_indices(2, 3, 3).tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    assert mirror_indices(1, 1, 2).tolist() == [0, 0, 0, 0]


def test_strides_and_the_choice_of_tiles() -> None:
    assert strides(small(), ["features.1", "features.4", "features.7"]) == {
        "features.1": 1,
        "features.4": 2,
        "features.7": 4,
    }
    assert choose_tile(-1, 1000, 1000) == 0 and choose_tile(-1, 3000, 4000) > 0
    assert choose_tile(0, 3000, 4000) == 0 and choose_tile(64, 10, 10) == 64


def test_reversed_channels_are_a_reversed_picture() -> None:
    plain, other = small(), small()
    reverse_channels(other)
    x = picture(32, 32)
    assert torch.allclose(other.module(x), plain.module(x.flip(1)), atol=1e-12)


def test_too_large_for_memory_names_the_option() -> None:
    classifier = small(dtype=torch.float32)
    per_picture = sum(c * h * w for c, h, w in [s for _, s in classifier.layer_names() if len(s) == 3])
    assert activation_bytes(classifier, 64 * 64) == 4 * 4 * per_picture
    with pytest.raises(InputError, match="use --tile 512"), require_memory(classifier, 10**13, 0):
        raise AssertionError("it should not have begun")
