"""Labelled figures of small pictures: sheets, paths, and the arithmetic figure.

Blocks are uint8 ``h,w,3``. Pictures are enlarged smoothly, so that a figure is about 1,024 px wide, or by
repeating pixels, if a scale is given.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facegan.images import enlarge, resize
from facegan.marks import Mark, made

if TYPE_CHECKING:
    from PIL import ImageFont

_INK, _PAPER = 30, 255
WIDE, LARGEST = 1024, 512  # px: of a figure, and of one picture in it, without a scale
NAMES = 110  # px: the column with the names of rows


def magnified(
    pictures: np.ndarray, columns: int = 1, scale: int = 0, *, wide: int = WIDE, pad: int = 4
) -> np.ndarray:
    """Enlarge uint8 ``N,H,W,C`` for a figure with ``columns`` of them by repeating pixels ``scale`` times.

    0 enlarges smoothly, so that the figure is about ``wide`` px wide and a picture at most 512. Pictures are
    never made smaller.
    """
    if scale or not len(pictures):
        return pictures.repeat(max(1, scale), axis=1).repeat(max(1, scale), axis=2)
    height, width = pictures.shape[1:3]
    side = max(1, min(LARGEST, (wide - pad) // max(1, columns) - pad))
    factor = max(1.0, side / width)
    size = (round(height * factor), round(width * factor))
    return np.stack([resize(picture, size, "bicubic") for picture in pictures])


def colour(images: np.ndarray) -> np.ndarray:
    """Return uint8 ``...,H,W,3`` from one or three channels."""
    return np.repeat(images, 3, -1) if images.shape[-1] == 1 else images


def _font_file() -> str:
    """Return the file of matplotlib's DejaVu Sans: Pillow's own font lacks most letters beyond ASCII."""
    from matplotlib import get_data_path

    return f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(_font_file(), size)


@functools.cache
def _letters() -> frozenset[int]:
    """Return the code points that the font has."""
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(_font_file()).get_charmap())


def spelled(text: str, most: int = 30) -> str:
    """Return ``text`` cut to ``most`` characters, with ? for those that matplotlib's font lacks."""
    shown = "".join(c if ord(c) in _letters() else "?" for c in text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def text_line(text: str, width: int, size: int = 12) -> np.ndarray:
    """Draw dark text centred on white, uint8 ``h,width,3``, smaller or cut with … until it fits."""
    from PIL import Image, ImageDraw

    height = round(size * 1.5)
    shown, kept, smallest = text, len(text), min(9, size)
    while True:
        font = _font(size)
        left, top, right, bottom = font.getbbox(shown or " ")
        if right - left <= width - 2 or kept == 0:
            break
        if size > smallest:
            size -= 1
        else:
            kept -= 1
            shown = text[:kept].rstrip(" ,") + "…"
    picture = Image.new("RGB", (width, height), (_PAPER,) * 3)
    # The height of "0" rather than the text's own, so that lines of labels share their baseline.
    _, top, _, bottom = font.getbbox("0")
    at = ((width - (right - left)) / 2 - left, (height - (bottom - top)) / 2 - top)
    ImageDraw.Draw(picture).text(at, shown, fill=(_INK,) * 3, font=font)
    return np.asarray(picture)


def tile(image: np.ndarray, label: str = "", scale: int = 1, *, size: int = 0) -> np.ndarray:
    """Put an enlarged picture (uint8 ``H,W,C``) above its label; ``size`` 0 fits the picture's width."""
    big = enlarge(colour(image), scale)
    size = size or label_size(big.shape[1])
    return np.concatenate([big, text_line(label, big.shape[1], size)]) if label else big


def label_size(width: int) -> int:
    """Return the size of letters below a picture of ``width`` px."""
    return min(18, max(12, width // 9))


def table(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], columns: Sequence[str] = (), pad: int = 4
) -> np.ndarray:
    """Arrange rows of blocks of one size, with the name of each row left of it and those of columns above.

    Line feeds separate the lines of a name. If no row has a name, there is no column for them.
    """
    width = rows[0][1][0].shape[1]
    named, size = any(name for name, _ in rows), label_size(width)
    blocks: list[list[np.ndarray]] = []
    if columns:
        lines = max(name.count("\n") for name in columns) + 1
        texts = [[*name.split("\n"), *[""] * lines][:lines] for name in columns]
        heads = [np.concatenate([text_line(line, width, size) for line in text]) for text in texts]
        blocks.append([np.full((1, NAMES, 3), _PAPER, np.uint8), *heads] if named else heads)
    for name, cells in rows:
        label = text_line(name, NAMES, size)
        above = max(0, (cells[0].shape[0] - len(label)) // 2)
        label = np.pad(label, ((above, 0), (0, 0), (0, 0)), constant_values=_PAPER)
        blocks.append([label, *cells] if named else list(cells))
    return join(blocks, pad)


def labelled_grid(
    images: np.ndarray, labels: Sequence[str], columns: int | None = None, *, scale: int = 1, pad: int = 4
) -> np.ndarray:
    """Arrange uint8 ``N,H,W,C`` row by row, each with a label below, as one ``H,W,3`` picture.

    ``columns`` defaults to the smallest square that holds all.
    """
    columns = columns or math.ceil(math.sqrt(len(images)))
    tiles = [tile(image, label or " ", scale) for image, label in zip(images, labels, strict=True)]
    return join([tiles[i : i + columns] for i in range(0, len(tiles), columns)], pad)


def join(rows: Sequence[Sequence[np.ndarray]], pad: int = 4) -> np.ndarray:
    """Arrange rows of uint8 ``h,w,3`` blocks of any size on white, each row as high as its highest block."""
    strips = []
    for row in rows:
        height = max(block.shape[0] for block in row)
        cells = [
            np.pad(b, ((pad, height - b.shape[0]), (pad, 0), (0, 0)), constant_values=_PAPER) for b in row
        ]
        strips.append(np.concatenate(cells, axis=1))
    width = max(strip.shape[1] for strip in strips) + pad
    full = [np.pad(s, ((0, 0), (0, width - s.shape[1]), (0, 0)), constant_values=_PAPER) for s in strips]
    return np.pad(np.concatenate(full), ((0, pad), (0, 0), (0, 0)), constant_values=_PAPER)


@dataclass(frozen=True)
class ArithmeticRow:
    """One term: its title, members ``N,H,W,C`` with labels, and the picture of their average."""

    title: str
    members: np.ndarray
    labels: Sequence[str]
    average: np.ndarray


def arithmetic_figure(
    rows: Sequence[ArithmeticRow], result: np.ndarray, scale: int = 0, *, most: int = 8
) -> np.ndarray:
    """Draw a row for each term (members, then their average), and the result below, twice as large.

    Terms with more than ``most`` members show the first ones and say how many there are. ``scale`` is that of
    :func:`magnified`.
    """
    shown = max(min(len(row.members), most) for row in rows)

    def large_enough(pictures: np.ndarray) -> np.ndarray:
        return magnified(pictures, max(7, shown + 1), scale, wide=WIDE - 20)

    h, w = large_enough(rows[0].average[None]).shape[1:3]
    width = (shown + 1) * (w + 4) + 20
    blank = np.full((h, w, 3), _PAPER, np.uint8)
    gap = np.full((h, 16, 3), _PAPER, np.uint8)
    blocks: list[list[np.ndarray]] = []
    for row in rows:
        some = large_enough(row.members[:most])
        members = [tile(m, label) for m, label in zip(some, row.labels, strict=False)]
        count = len(row.members)
        average = tile(
            large_enough(row.average[None])[0], "average" if count <= most else f"average of {count}"
        )
        title = f"\N{MINUS SIGN}{row.title[1:]}" if row.title.startswith("- ") else row.title
        blocks += [[text_line(title, width - 4, 17)]]
        blocks += [[*members, *[blank] * (shown - len(members)), gap, average]]
    twice = 2 * w if not scale else 0
    large = colour(magnified(result[None], 1, 2 * scale, wide=twice + 8)[0])
    side = max(0, (width - 4 - large.shape[1]) // 2)
    large = np.pad(large, ((0, 0), (side, side), (0, 0)), constant_values=_PAPER)
    return join([*blocks, [text_line("result", width - 4, 17)], [large]])


def origin(model_hash: str, truncation: float = 1.0, *, mark: bool = True, **more: str) -> Mark:
    """Return the mark of generated pictures: truncation, model and what else made them."""
    return made(model_hash, mark=mark, **more, truncation=f"{truncation:g}")
