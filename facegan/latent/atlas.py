"""A map of the latent space: samples laid out by likeness, as one picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facegan import arguments, bars, images
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent.layout import MAX_FACES, Progress, arrange, neighbour_distance, shape_for
from facegan.metrics.feature_extractors import FeatureTable, table

MOST_PIXELS = 2**26  # of the picture, which is in memory twice
MOST_SIDE = 16_383  # what WebP can have


@dataclass(frozen=True)
class Atlas:
    """``seeds`` lie row by row in ``columns``; ``picture`` is uint8 ``H,W,C`` of their faces, each
    ``tile`` (height, width) px. ``likeness`` is the mean distance in features of neighbours on the map,
    divided by that of random pairs."""

    seeds: tuple[int, ...]
    columns: int
    tile: tuple[int, int]
    picture: np.ndarray
    likeness: float

    def __repr__(self) -> str:
        h, w = self.picture.shape[:2]
        return f"<Atlas: {len(self.seeds):,} faces in {self.rows} rows of {self.columns}, {w}x{h} px>"

    def _repr_png_(self) -> bytes:
        return images.png_bytes(self.picture)

    @property
    def rows(self) -> int:
        return -(-len(self.seeds) // self.columns)


def atlas(
    model: Generator,
    seeds: int | arguments.Seeds = 2500,
    *,
    features: str | FeatureTable = "faces",
    columns: int = 0,
    tile: int = 0,
    truncation: float = 1.0,
    seed: int = 0,
    perplexity: float = 30.0,
    on_progress: Progress | None = None,
) -> Atlas:
    """Draw ``seeds`` (N means 0 to N-1) and lay them out so that like faces are neighbours.

    ``features`` is the table that compares them: faces, pixels or inception. ``columns`` 0 makes the
    picture about square. ``tile`` is the width of a face in px (0: as it is, or less where the picture
    would be larger than 64 megapixels). ``seed`` is that of the layout; equal arguments give equal maps.
    """
    if on_progress is None:
        with bars.shown() as told:
            return atlas(
                model,
                seeds,
                features=features,
                columns=columns,
                tile=tile,
                truncation=truncation,
                seed=seed,
                perplexity=perplexity,
                on_progress=told,
            )
    if arguments.is_number(seeds):
        seeds = range(arguments.whole(seeds, "the number of faces", 0, most=arguments.MAX_SEEDS))
    chosen = arguments.seeds(seeds)
    columns, tile = (arguments.whole(v, n) for n, v in (("columns", columns), ("tile", tile)))
    perplexity = arguments.real(perplexity, "perplexity", 0)
    if not 1 <= len(chosen) <= MAX_FACES:
        raise InputError(f"a map takes 1 to {MAX_FACES:,} faces, not {len(chosen):,}")
    c, h, w = model.image_shape
    shape = shape_for(len(chosen), columns, w / h)
    size = tile_size((h, w), shape, tile)
    judge = table(features, device=str(model.device)) if isinstance(features, str) else features
    found = np.empty((len(chosen), judge.dim), np.float32)
    faces = np.empty((len(chosen), *size, c), np.uint8)
    done = 0
    for batch in model.stream(chosen, truncation):
        part = slice(done, done + len(batch))
        found[part] = judge(batch)
        faces[part] = batch if size == (h, w) else [images.resize(face, size) for face in batch]
        done += len(batch)
        on_progress("drawing and comparing", done, len(chosen))
    if not np.isfinite(found).all():
        raise InputError("the features of some of these faces are not finite: is the model sound?")
    order = arrange(found, shape[1], seed, perplexity=perplexity, on_progress=on_progress)
    likeness = neighbour_distance(found, order, shape[1])
    return Atlas(tuple(chosen[i] for i in order), shape[1], size, mosaic(faces, order, shape), likeness)


def tile_size(face: tuple[int, int], shape: tuple[int, int], width: int = 0) -> tuple[int, int]:
    """(height, width) of a face on the map, for a picture that is not too large."""
    (h, w), (rows, columns) = face, shape
    if max(shape) > MOST_SIDE:
        raise InputError(f"{rows} rows of {columns} faces: a map is {MOST_SIDE} px wide and high at most")
    high, wide = rows * h, columns * w
    most = min(MOST_SIDE / high, MOST_SIDE / wide, (MOST_PIXELS / (high * wide)) ** 0.5)
    if width and width > max(1, int(w * most)):
        raise InputError(f"--tile {width}: {rows}x{columns} faces may be {int(w * most)} px wide at most")
    factor = width / w if width else min(1.0, most)
    return max(1, int(h * factor)), max(1, int(w * factor))


def mosaic(faces: np.ndarray, order: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """uint8 ``H,W,C``: faces ``N,h,w,C`` side by side, row by row, in ``order``; empty cells are white."""
    _, h, w, c = faces.shape
    rows, columns = shape
    out = np.full((rows * h, columns * w, c), 255, np.uint8)
    for cell, i in enumerate(order):
        y, x = divmod(cell, columns)
        out[y * h : (y + 1) * h, x * w : (x + 1) * w] = faces[i]
    return out


def pyramid(picture: np.ndarray, smallest: int = 512) -> Iterator[np.ndarray]:
    """The picture, then halves of it, each pixel the mean of four, until no side is above ``smallest``."""
    yield picture
    while max(picture.shape[:2]) > smallest:
        h, w = picture.shape[:2]
        even = np.pad(picture, ((0, h % 2), (0, w % 2), (0, 0)), "edge")
        total = np.full(((h + 1) // 2, (w + 1) // 2, picture.shape[2]), 2, np.uint16)
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            total += even[y::2, x::2]
        picture = (total >> 2).astype(np.uint8)
        yield picture
