"""A map of the latent space: samples laid out by likeness, as one picture, and as a page that zooms."""

from __future__ import annotations

import base64
import html
import io
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegan import arguments, bars, images
from facegan.errors import InputError
from facegan.generator import Generator
from facegan.latent.layout import MAX_FACES, Progress, arrange, neighbour_distance, shape_for
from facegan.marks import Mark
from facegan.metrics.feature_extractors import FeatureTable, table
from facegan.runs.page import render
from facegan.seeds import spell_seeds

MAX_PIXELS = 2**26  # of the picture, which is in memory twice
MAX_SIDE = 16_383  # what WebP can have
SIDE = 512  # px of a part of a level
_QUALITY = 82


@dataclass(frozen=True)
class Atlas:
    """A map: ``seeds`` lie row by row in ``columns``, each face ``tile`` (height, width) px of ``picture``.

    ``likeness`` is the mean distance in features of neighbours, divided by that of random pairs.
    """

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
    with bars.shown(on_progress) as show:
        for batch in model.stream(chosen, truncation):
            part = slice(done, done + len(batch))
            found[part] = judge(batch)
            faces[part] = batch if size == (h, w) else [images.resize(face, size) for face in batch]
            done += len(batch)
            show("drawing and comparing", done, len(chosen))
        if not np.isfinite(found).all():
            raise InputError("the features of some of these faces are not finite: is the model sound?")
        order = arrange(found, shape[1], seed, perplexity=perplexity, on_progress=show)
    likeness = neighbour_distance(found, order, shape[1])
    return Atlas(tuple(chosen[i] for i in order), shape[1], size, mosaic(faces, order, shape), likeness)


def tile_size(face: tuple[int, int], shape: tuple[int, int], width: int = 0) -> tuple[int, int]:
    """Return (height, width) of a face on the map, for a picture that is not too large."""
    (h, w), (rows, columns) = face, shape
    if max(shape) > MAX_SIDE:
        raise InputError(f"{rows} rows of {columns} faces: a map is {MAX_SIDE} px wide and high at most")
    high, wide = rows * h, columns * w
    most = min(MAX_SIDE / high, MAX_SIDE / wide, (MAX_PIXELS / (high * wide)) ** 0.5)
    if width and width > max(1, int(w * most)):
        raise InputError(f"--tile {width}: {rows}x{columns} faces may be {int(w * most)} px wide at most")
    factor = width / w if width else min(1.0, most)
    return max(1, int(h * factor)), max(1, int(w * factor))


def mosaic(faces: np.ndarray, order: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return faces ``N,h,w,C`` side by side, row by row, in ``order``; empty cells are white."""
    _, h, w, c = faces.shape
    rows, columns = shape
    out = np.full((rows * h, columns * w, c), 255, np.uint8)
    for cell, i in enumerate(order):
        y, x = divmod(cell, columns)
        out[y * h : (y + 1) * h, x * w : (x + 1) * w] = faces[i]
    return out


def pyramid(picture: np.ndarray, smallest: int = 512) -> Iterator[np.ndarray]:
    """Yield the picture, then halves of it (the mean of four pixels), until no side is above ``smallest``."""
    yield picture
    while max(picture.shape[:2]) > smallest:
        h, w = picture.shape[:2]
        even = np.pad(picture, ((0, h % 2), (0, w % 2), (0, 0)), "edge")
        total = np.full(((h + 1) // 2, (w + 1) // 2, picture.shape[2]), 2, np.uint16)
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            total += even[y::2, x::2]
        picture = (total >> 2).astype(np.uint8)
        yield picture


# --- the page -------------------------------------------------------------------------------------


def render_atlas(
    done: Atlas, model: str, options: str = "", *, features: str = "faces", mark: Mark | None = None
) -> bytes:
    """Return HTML of one file. ``model`` and ``options`` go into its commands, as on the command line.

    ``mark`` goes into each of its pictures.
    """
    count, name, packet = len(done.seeds), shlex.quote(model), mark.packet() if mark else b""
    data = {
        "columns": done.columns,
        "tile": done.tile,
        "seeds": done.seeds,
        "side": SIDE,
        "levels": [_level(picture, packet) for picture in pyramid(done.picture, SIDE)],
        "command": f"facegan generate {name} seed:{{seed}}{options} --out seed{{seed}}.png",
        "film": f"facegan film {name} seed:{{seeds}}{options} --out film.mp4",
    }
    spelled = spell_seeds(sorted(done.seeds))
    spelled = spelled if len(spelled) <= 40 else f"{spelled[:40]}…"
    fields = {
        "title": html.escape(f"{Path(model).name}: a map"),
        "name": html.escape(Path(model).name),
        "subtitle": html.escape(f"{count:,} generated faces, seeds {spelled}"),
        "reading": html.escape(_reading(done, features)),
    }
    return render("atlas", fields, data, package="facegan.latent")


def _reading(done: Atlas, features: str) -> str:
    judge = {"faces": "a network that knows faces", "pixels": "their pixels"}.get(features, features)
    text = f"None of these people exist. Faces lie near faces that are like them, judged by {judge}."
    return text + f" Neighbours differ {done.likeness:.0%} as much as random pairs do." * (
        len(done.seeds) > 1
    )


def _level(picture: np.ndarray, packet: bytes) -> dict[str, Any]:
    """Return its size and its parts, row by row, as data URIs."""
    h, w = picture.shape[:2]
    return {
        "size": [h, w],
        "uris": [
            _uri(picture[y : y + SIDE, x : x + SIDE], packet)
            for y in range(0, h, SIDE)
            for x in range(0, w, SIDE)
        ],
    }


def _uri(picture: np.ndarray, packet: bytes) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    plain = picture[..., 0] if picture.shape[2] == 1 else picture
    made = Image.fromarray(np.ascontiguousarray(plain)).convert("RGB")
    made.save(buffer, "WEBP", quality=_QUALITY, method=4, xmp=packet)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
