"""A picture in overlapping tiles whose gradients add up to the whole picture's.

A layer's activation belongs to one tile only; the tile reaches ``margin`` px further on each side, so that
an owned activation sees its surroundings. Where the margin is at least the layer's field of view the sum over
tiles *is* the whole picture's gradient; with less it is near, and a grid that moves from step to step leaves
no seams. Memory for activations is that of one tile.

Positions in a layer are those in the picture divided by its stride, so tiles begin at multiples of the
largest one; this holds for networks that pad ("same") and shrink by powers of two.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facegan.classifiers.classifier import Classifier
from facegan.devices import free_memory
from facegan.errors import InputError
from facegan.training.out_of_memory import is_out_of_memory

AUTO_TILE = 768
AUTO_ABOVE = 1_500_000  # px; below, a step over the whole picture takes little memory
# What errors of networks say that take pictures of one size only.
_WRONG_SIZE = ("Expected input at", "cannot be multiplied", "size mismatch", "Wrong image")


@dataclass(frozen=True)
class Span:
    """One axis of a tile: it reads begin..end and owns own_begin..own_end; a ``last`` one up to the end."""

    begin: int
    end: int
    own_begin: int
    own_end: int
    last: bool

    def owned(self, stride: int) -> slice:
        """Return what it owns of an activation with this stride, counted from the tile's own begin."""
        start = (self.own_begin - self.begin) // stride
        return slice(start, None if self.last else (self.own_end - self.begin) // stride)

    def place(self, stride: int, count: int) -> slice:
        """Return the same counted from the whole picture's begin, for ``count`` owned activations."""
        return slice(self.own_begin // stride, self.own_begin // stride + count)


def spans(length: int, tile: int, margin: int, *, stride: int) -> list[Span]:
    """Cut ``length`` px into spans of at most about ``tile`` px with their margins; 0 is one span.

    The margin is rounded up to whole strides, and so is what a span owns, at least one.
    """
    if not tile or tile >= length:
        return [Span(0, length, 0, length, True)]
    margin = math.ceil(margin / stride) * stride
    core = max(stride, (tile - 2 * margin) // stride * stride)
    count = math.ceil(length / core)
    core = math.ceil(length / count / stride) * stride  # even ones: no sliver at the end
    found = []
    for own in range(0, length, core):
        last = own + core >= length
        end = length if last else own + core
        found.append(Span(max(0, own - margin), min(length, end + margin), own, end, last))
    return found


@dataclass(frozen=True)
class Tile:
    """Two spans: what a tile reads and owns."""

    rows: Span
    columns: Span

    def owned(self, activation: Tensor, stride: int) -> Tensor:
        """Return the part ``N,C,h,w`` of a layer's output on this tile that belongs to it."""
        return activation[..., self.rows.owned(stride), self.columns.owned(stride)]

    def place(self, stride: int, owned: Tensor) -> tuple[slice, slice]:
        """Return where ``owned`` lies in the layer's output on the whole picture: rows, columns."""
        return self.rows.place(stride, owned.shape[-2]), self.columns.place(stride, owned.shape[-1])


def cut(height: int, width: int, tile: int, *, margin: int, stride: int) -> list[Tile]:
    """Return a picture's tiles, last row and column first: the first tile shows how large layers are."""
    down, across = spans(height, tile, margin, stride=stride), spans(width, tile, margin, stride=stride)
    return [Tile(rows, columns) for rows in reversed(down) for columns in reversed(across)]


def mirror_indices(length: int, before: int, after: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Return indices of 0..length-1 with any ``before`` and ``after`` more, mirrored at the edges."""
    period = max(1, 2 * (length - 1))
    index = torch.arange(-before, length + after, device=device).remainder(period)
    return torch.minimum(index, period - index)


class Canvas:
    """A picture with a mirrored border of ``pad`` (top, bottom, left, right), cut into tiles.

    The border moves the network's grid against the picture; no gradient flows back through it.
    """

    def __init__(
        self,
        x: Tensor,
        tile: int = 0,
        margin: int = 0,
        *,
        stride: int = 1,
        pad: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> None:
        self.x, self.pad = x, pad
        self.rows = mirror_indices(x.shape[-2], pad[0], pad[1], device=x.device)
        self.columns = mirror_indices(x.shape[-1], pad[2], pad[3], device=x.device)
        self.height, self.width = len(self.rows), len(self.columns)
        self.tiles = cut(self.height, self.width, tile, margin=margin, stride=stride)

    def crops(self) -> Iterator[tuple[Tile, Tensor]]:
        """Yield each tile with what it reads, ``N,C,h,w``."""
        for tile in self.tiles:
            rows = self.x.index_select(-2, self.rows[tile.rows.begin : tile.rows.end])
            yield tile, rows.index_select(-1, self.columns[tile.columns.begin : tile.columns.end])

    def add(self, gradient: Tensor, tile: Tile, part: Tensor) -> None:
        """Add a tile's gradient, without what fell on the border, to the whole picture's."""
        h, w = self.x.shape[-2:]
        top, left = tile.rows.begin - self.pad[0], tile.columns.begin - self.pad[2]
        y0, x0 = max(0, top), max(0, left)
        y1, x1 = min(h, tile.rows.end - self.pad[0]), min(w, tile.columns.end - self.pad[2])
        if y1 > y0 and x1 > x0:
            gradient[..., y0:y1, x0:x1] += part[..., y0 - top : y1 - top, x0 - left : x1 - left]


def strides(classifier: Classifier, layers: list[str]) -> dict[str, int]:
    """Return each layer's stride: the power of two nearest to what it shrinks the input by; 0 for vectors."""
    shapes = dict(classifier.layer_names())
    found = {}
    for name in layers:
        shape = shapes[classifier.find_layer(name)]
        ratio = classifier.input_size[0] / shape[1] if len(shape) == 3 else 0
        found[name] = 2 ** max(0, round(math.log2(ratio))) if ratio else 0
    return found


def choose_tile(tile: int, height: int, width: int) -> int:
    """Return the tile's side; -1 decides by the size: 0 (the whole) for small pictures, tiles for others."""
    return tile if tile >= 0 else AUTO_TILE if height * width > AUTO_ABOVE else 0


def max_pixels(tile: int, sizes: Sequence[tuple[int, int]]) -> int:
    """Return how many px the network sees at a time of pictures of these sizes."""
    largest = max(h * w for h, w in sizes)
    side = max(choose_tile(tile, *size) for size in sizes)
    return min(largest, side**2) if side else largest


def activation_bytes(classifier: Classifier, pixels: int) -> int:
    """Estimate what one step over so many px keeps for its gradient: every layer's output, once."""
    count = sum(math.prod(shape) for _, shape in classifier.layer_names() if len(shape) == 3)
    return round(4 * count * pixels / math.prod(classifier.input_size))


@contextlib.contextmanager
def require_memory(classifier: Classifier, pixels: int, tile: int, *, hint: str = "") -> Iterator[None]:
    """Raise InputError if a step over ``pixels`` px does not fit; operating systems rarely say so in time.

    ``hint`` is the way out; by default a --tile.
    """
    need, free = activation_bytes(classifier, pixels), free_memory(classifier.device)
    smaller = f"use less than --tile {tile}, and less --overlap" if 0 < tile <= 512 else "use --tile 512"
    hint = hint or smaller
    if free is not None and need > free:
        raise InputError(
            f"{pixels / 1e6:.1f} megapixels at a time take about {need / 1e9:.1f} GB, "
            f"and {free / 1e9:.1f} GB are free: {hint}"
        )
    try:
        yield
    except (RuntimeError, MemoryError, AssertionError) as error:
        if is_out_of_memory(error):
            raise InputError(f"out of memory on {classifier.device}: {hint}") from None
        if not any(sign in str(error) for sign in _WRONG_SIZE):
            raise
        height, width = classifier.input_size
        raise InputError(
            f"{classifier.name}: takes pictures of {width}x{height} px only, and this needs any size "
            "(an exported program: with dynamic height and width)"
        ) from None
