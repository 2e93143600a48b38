"""Paths between faces, as a figure or a film."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from facegan import figures, images, video
from facegan.errors import InputError
from facegan.explore.config import MAX_IN_GRID, InterpolateConfig, configure
from facegan.explore.result import Explored, as_words, check_drawn, describe_points, files_of, gather
from facegan.files import writing
from facegan.latent.interpolation import path_arrays, path_length
from facegan.models import as_sampler, with_labels
from facegan.sampler import Sampler, check_truncation
from facegan.seeds import is_seeds, parse_seeds
from facegan.vectors import Vectors, joined, seed_vectors


def interpolate(
    model: Sampler | str | Path,
    points: Any = ("seed:0,1",),
    *,
    labels: str = "",
    device: str = "cpu",
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Explored:
    """Go from face to face. A .png is a strip or figure; .mp4, .gif and .webp are films.

    >>> facegan.interpolate("celeba64", [3, 8, 12], loop=True, out="path.gif")

    Args:
        model: what ``load`` takes, or a loaded model.
        points: two or more: texts such as ``seed:7`` and ``FILE.npz:2``, whole numbers as seeds, or vectors.
        labels: of a conditional model, such as ``smiling=1``; ``random`` draws each seed its own.
        device: cpu, cuda or mps, of a model that is loaded.
        say: receives a line on the labels taken.
        **settings: those of :class:`~facegan.explore.config.InterpolateConfig`.
    """
    config, words = configure(InterpolateConfig, settings), as_words(points)
    if Path(config.out).suffix.lower() != ".png" and not video.is_film(config.out):
        raise InputError(f"--out {config.out}: choose a name that ends in .png, {', '.join(video.FORMATS)}")
    network = check_truncation(config.truncation, as_sampler(model, device))
    network = with_labels(network, labels, by_seed=not files_of(words), say=say)
    check_drawn(network, config.truncation)
    routes = _split_rows(network, gather(network, points), words, rows=config.rows)
    frames = [_draw(network, route, config) for route in routes]
    about = {**describe_points(points), "path": config.path, "steps": str(config.steps)}
    note = figures.origin(network.hash, config.truncation, **about, mark=config.mark)
    with writing("--out", config.out):
        if video.is_film(config.out):
            together = (f[0] if len(f) == 1 else images.grid(np.stack(f)) for f in zip(*frames, strict=True))
            large = (figures.magnified(frame[None], 1, config.scale)[0] for frame in together)
            count = video.write_film(config.out, large, config.fps, mark=note)
            text = f"{count} frames, {count / config.fps:.1f} s -> {config.out}"
        else:
            images.save_png(config.out, _arrange(frames, routes, config), note)
            text = f"{len(routes)} path{'s' * (len(routes) != 1)} -> {config.out}"
    return Explored(network, (Path(config.out),), text)


def _split_rows(model: Sampler, every: Vectors, words: list[str], *, rows: int) -> list[Vectors]:
    """Return the points of each row. Two points begin ``rows`` pairs of seeds; 2 x ``rows`` are the pairs."""
    if rows == 1:
        return [every]
    if len(every) == 2:
        if not words or not all(map(is_seeds, words)):
            raise InputError("--rows goes on with the seeds after the second point, so give two seeds")
        first = [seed for text in words for seed in parse_seeds(text)][1] + 1
        more = seed_vectors(model, range(first, first + 2 * (rows - 1)))
        every = joined(model, [every, more])
    if len(every) != 2 * rows:
        raise InputError(f"--rows {rows} needs two points or {2 * rows}, not {len(every)}")
    return [every[[i, i + 1]] for i in range(0, len(every), 2)]


def _draw(model: Sampler, route: Vectors, config: InterpolateConfig) -> Iterator[np.ndarray]:
    """Yield the pictures along a route, a batch in memory at a time."""
    vectors = path_arrays(route, config.steps, config.path, loop=config.loop)
    return (
        picture
        for batch in iter(lambda: list(islice(vectors, 32)), [])
        for pictures in model.stream(np.stack(batch), config.truncation)
        for picture in pictures
    )


def _arrange(
    frames: list[Iterator[np.ndarray]], routes: list[Vectors], config: InterpolateConfig
) -> np.ndarray:
    """Return the figure of all paths, with the names of their points."""
    each = path_length(len(routes[0]), config.steps, config.loop)
    if (count := each * len(routes)) > MAX_IN_GRID:
        raise InputError(f"--out {config.out}: {count} pictures are too many for a figure; make a film")
    columns = config.columns or (each if each <= 24 else 10)
    faces = np.stack([frame for route in frames for frame in route])
    faces = figures.magnified(faces, columns, config.scale)
    if not config.captions:
        return images.grid(faces, columns)
    names = [""] * count
    for row, route in enumerate(routes):
        for i, name in enumerate(route.names):
            names[row * each + i * (config.steps - 1)] = name
    return figures.labelled_grid(faces, names, columns)
