"""Figures: every picture whole and where it belongs, labels readable and never cut off."""

from __future__ import annotations

import numpy as np
import pytest

from facegan.figures import (
    ArithmeticRow,
    arithmetic_figure,
    colour,
    join,
    labelled_grid,
    magnified,
    spelled,
    table,
    text_line,
    tile,
)
from facegan.inversion.figures import curve_figure


def plain(number: int, h: int = 32, w: int = 32, c: int = 3) -> np.ndarray:
    """One colour that no other number, and no text, has."""
    return np.full((h, w, c), (10 * number + 7, 200, 90)[:c], np.uint8)


def places(sheet: np.ndarray, image: np.ndarray) -> tuple[int, int, int, int]:
    """y, x, height and width of the block in the image's colour; it must be a full rectangle."""
    ys, xs = np.nonzero((sheet == colour(image)[0, 0]).all(-1))
    y, x, h, w = ys.min(), xs.min(), np.ptp(ys) + 1, np.ptp(xs) + 1
    assert len(ys) == h * w, "covered by nothing"
    return int(y), int(x), int(h), int(w)


def ink(block: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row, first and last column with dark pixels."""
    ys, xs = np.nonzero(block.min(-1) < 128)
    return int(ys.min()), int(ys.max()), int(xs.min()), int(xs.max())


@pytest.mark.parametrize(
    ("size", "columns", "scale", "expected"),
    [
        ((64, 64), 10, 0, (98, 98)),
        ((64, 64), 1, 0, (512, 512)),
        ((64, 48), 2, 0, (675, 506)),
        ((64, 64), 25, 0, (64, 64)),
        ((64, 64), 10, 1, (64, 64)),
        ((64, 48), 10, 3, (192, 144)),
        ((600, 600), 1, 0, (600, 600)),
    ],
)
def test_pictures_fill_a_figure_and_are_never_made_smaller(
    size: tuple[int, int], columns: int, scale: int, expected: tuple[int, int]
) -> None:
    pictures = np.stack([plain(i, *size) for i in range(2)])
    large = magnified(pictures, columns, scale)
    assert large.shape == (2, *expected, 3) and large.dtype == np.uint8
    assert (large == pictures[:, :1, :1]).all(), "one colour stays one"


def test_enlarging_is_smooth_unless_a_scale_asks_for_pixels() -> None:
    edge = np.zeros((1, 8, 8, 3), np.uint8)
    edge[:, :, 4:] = 255
    assert set(np.unique(magnified(edge, 1, 4))) == {0, 255}
    assert len(np.unique(magnified(edge, 1, 0))) > 20


def test_a_table_names_its_rows_and_columns() -> None:
    rows = [(f"row {r}", [plain(3 * r + c) for c in range(3)]) for r in range(2)]
    sheet, bare = table(rows, ["a", "b\nof two lines", "c"]), table([("", row) for _, row in rows])
    found = [[places(sheet, picture) for picture in row] for _, row in rows]
    for line in found:
        y, x, h, _ = line[0]
        assert (sheet[y : y + h, : x - 4].min(-1) < 128).any(), "the name, left of its row"
        assert len({y for y, *_ in line}) == 1
    for y, x, _, w in found[0]:
        assert (sheet[:y, x : x + w].min(-1) < 128).any(), "the name, above its column"
    assert [x for _, x, _, _ in found[0]] == [x for _, x, _, _ in found[1]]
    assert bare.shape == (2 * 36 + 4, 3 * 36 + 4, 3) and bare.min() > 0


@pytest.mark.parametrize("width", [16, 32, 64, 96, 300])
@pytest.mark.parametrize(
    "text", ["1", "100", "average of 12", "gjpqy ÄÖÜ|", "- 0.5 x smiling woman with glasses", "W" * 200]
)
@pytest.mark.parametrize("size", [13, 16])
def test_text_is_never_clipped(text: str, width: int, size: int) -> None:
    line = text_line(text, width, size)
    assert line.shape == (round(size * 1.5), width, 3) and line.dtype == np.uint8
    border = np.concatenate([line[0], line[-1], line[:, 0], line[:, -1]])
    assert border.min() > 200, "nothing touches the edge"
    top, bottom, _, _ = ink(line)
    if width > 16:  # there, a long text is "…" alone
        assert bottom - top >= 4, "something is there, and it is readable"


def test_text_is_centred() -> None:
    _, _, left, right = ink(text_line("100", 101))
    assert abs((left + right) / 2 - 50) <= 1


def test_labels_share_a_baseline() -> None:
    """A row of labels looks even, whatever letters they hold."""
    assert ink(text_line("1", 60))[1] == ink(text_line("100", 60))[1] == ink(text_line("10", 60))[1]


def test_empty_text_is_white() -> None:
    assert (text_line("", 40) == 255).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_tile(channels: int) -> None:
    block = tile(plain(1, 8, 6, channels), "7", scale=5)
    assert (block[:40] == colour(plain(1, 1, 1, channels))[0, 0]).all() and block.shape[1:] == (30, 3)
    assert ink(block[40:])[0] >= 0
    assert tile(plain(1), scale=2).shape == (64, 64, 3)


def test_labelled_grid_places_pictures_row_by_row() -> None:
    images = np.stack([plain(i) for i in range(7)])
    sheet = labelled_grid(images, [str(i + 1) for i in range(7)], columns=3, scale=2)
    found = [places(sheet, image) for image in images]
    assert {(h, w) for _, _, h, w in found} == {(64, 64)}
    assert [found[i][:2] for i in (0, 1, 2)] == [(4, 4), (4, 72), (4, 140)]
    assert {found[i][1] for i in (0, 3, 6)} == {4} and found[3][0] == found[4][0] > found[0][0] + 64
    assert sheet.shape[1] == 3 * 68 + 4
    for y, x, h, w in found:
        assert (sheet[y + h : y + h + 18, x : x + w].min(-1) < 128).any(), "a label under each"


def test_square_by_default() -> None:
    sheet = labelled_grid(np.stack([plain(i) for i in range(9)]), [""] * 9)
    assert sheet.shape[1] == 3 * 36 + 4


def test_join_aligns_tops_and_fills_with_white() -> None:
    sheet = join([[plain(1, 4, 4), plain(2, 8, 8)], [plain(3, 2, 20)]], pad=1)
    assert sheet.shape == (1 + 8 + 1 + 2 + 1, 1 + 20 + 1, 3)
    assert places(sheet, plain(1)) == (1, 1, 4, 4)
    assert places(sheet, plain(2)) == (1, 6, 8, 8)
    assert places(sheet, plain(3)) == (10, 1, 2, 20)
    assert (sheet[5:9, 1:6] == 255).all()


@pytest.mark.parametrize("count", [1, 3, 8, 12])
def test_arithmetic_figure(count: int) -> None:
    """Members left, their average right, the result below all of it, twice as large."""
    members = np.stack([plain(i) for i in range(count)])
    average, result = plain(20), plain(22)
    rows = [ArithmeticRow("+ first", members, [str(i) for i in range(count)], average)]
    sheet = arithmetic_figure(rows, result, scale=3)
    shown = [places(sheet, m) for m in members[:8]]
    assert {(y, h, w) for y, _, h, w in shown} == {(shown[0][0], 96, 96)}
    assert [x for _, x, _, _ in shown] == sorted(x for _, x, _, _ in shown)
    y, x, h, w = places(sheet, average)
    assert (y, h, w) == (shown[0][0], 96, 96) and x >= shown[-1][1] + 96 + 16
    y, x, h, w = places(sheet, result)
    assert (h, w) == (192, 192) and y > shown[0][0] + 96
    assert abs(x + w / 2 - sheet.shape[1] / 2) <= 12, "the result is in the middle"
    if count > 8:
        assert not (sheet == plain(9)[0, 0]).all(-1).any(), "the first eight are enough"


def test_grey_and_colour_give_the_same_figure() -> None:
    grey = np.stack([np.full((8, 8, 1), 40 * i, np.uint8) for i in range(4)])
    figures = []
    for faces in (grey, colour(grey)):
        rows = [ArithmeticRow("+ a", faces[:2], ["1", "2"], faces[2])]
        figures.append(arithmetic_figure(rows, faces[3], scale=3))
    assert np.array_equal(*figures)


def test_arithmetic_figure_with_terms_of_different_sizes() -> None:
    rows = [
        ArithmeticRow("+ a", np.stack([plain(1), plain(2), plain(3)]), ["1", "2", "3"], plain(4)),
        ArithmeticRow("- b", np.stack([plain(5)]), ["5"], plain(6)),
    ]
    sheet = arithmetic_figure(rows, plain(7), scale=2)
    assert places(sheet, plain(6))[1] == places(sheet, plain(4))[1], "averages stand below each other"
    assert places(sheet, plain(5))[1] == places(sheet, plain(1))[1]


def test_names_for_labels_are_short_and_in_the_font(recwarn: pytest.WarningsRecorder) -> None:
    assert [spelled("Zoë"), spelled("a" * 30)] == ["Zoë", "a" * 30]
    assert spelled("a" * 31) == "a" * 29 + "…" and spelled("名前.jpg") == "??.jpg"
    curve_figure(np.ones((3, 1)), ["名前" * 30], "title")
    assert not list(recwarn)
