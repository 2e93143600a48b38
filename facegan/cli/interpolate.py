"""``facegan interpolate``: a path between faces, as a figure or a film."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from facegan.cli.main import run_function
from facegan.cli.options import apply_labels, check_drawn, check_scale, files_of, result_metadata
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError
from facegan.files import writing

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator
    from facegan.latent import Vectors

MOST_IN_A_FIGURE = 10_000


def main(
    points: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] POINT...")] = (),
    model: str = "",
    path: Literal["slerp", "lerp", "hypersphere"] = "slerp",
    *,
    steps: int = 10,
    rows: int = 1,
    loop: bool = False,
    truncation: float = 1.0,
    out: str = "interpolation.png",
    fps: float = 24.0,
    scale: int = 0,
    columns: int = 0,
    captions: bool = True,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """Go from face to face. A .png is a strip or figure; .mp4, .gif and .webp are films.

    Args:
        points: two or more: seeds (seed:7, seed:3-6), or saved vectors (FILE.npz, FILE.npz:2). Default: seeds
            0 and 1.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        path: slerp, lerp (straight), or hypersphere (straight, kept at the first point's norm).
        steps: pictures from each point to the next, both ends counted.
        rows: so many pairs of points, one a row: two points are followed by the seeds after them.
        loop: go back to the first point; for films that repeat.
        truncation: below 1 draws towards the average face.
        out: the file: .png, .mp4, .gif or .webp.
        fps: frames a second of a film.
        scale: repeat each pixel so often; 0 enlarges smoothly, to figures of about 1,024 px and films of 512.
        columns: of the figure; 0 is one row for each path (10 columns where one has over 24 pictures).
        captions: name the points below their pictures in a figure.
        labels: of a conditional model, such as smiling=1,male=0; random draws each seed its own.
        device: cpu, cuda or mps.
    """
    from facegan import figures, images, video
    from facegan.generator import check_truncation
    from facegan.models import load
    from facegan.vectors import is_point

    model, named = model_first(
        points, model, command="interpolate", usage="MODEL seed:0 seed:1", is_other=is_point
    )
    named = named or ["seed:0,1"]
    film = video.is_film(out)
    if Path(out).suffix.lower() != ".png" and not film:
        raise InputError(f"--out {out}: choose a name that ends in .png, {', '.join(video.FORMATS)}")
    if rows < 1 or columns < 0:
        raise InputError("--rows must be at least 1, --columns 0 or more")
    check_scale(scale)
    network = apply_labels(
        check_truncation(truncation, load(model, device)), labels, by_seed=not files_of(named)
    )
    check_drawn(network, truncation)
    routes = _routes(network, named, rows)
    text = result_metadata(network.hash, truncation, points=" ".join(named), path=path, steps=str(steps))
    frames = [
        _frames(network, list(route.z), steps, kind=path, loop=loop, truncation=truncation)
        for route in routes
    ]
    with writing("--out", out):
        if film:
            large = (figures.magnified(f[None], 1, scale)[0] for f in _together(frames))
            count = video.write_film(out, large, fps)
            print(f"{count} frames, {count / fps:.1f} s -> {out}")
        else:
            sheet = _figure(
                out, frames, routes, steps=steps, loop=loop, scale=scale, columns=columns, captions=captions
            )
            images.save_png(out, sheet, text)
            print(f"{len(routes)} path{'s' * (len(routes) != 1)} -> {out}")


def _routes(network: Generator, points: Sequence[str], rows: int) -> list[Vectors]:
    """The points of each row. Two points begin ``rows`` pairs of seeds; 2 x ``rows`` are the pairs."""
    from facegan.latent import joined, parse_point, parse_seeds, seed_vectors
    from facegan.vectors import is_seeds

    given = [parse_point(network, text) for text in points]
    every = joined(network, given)
    if len(every) < 2:
        raise InputError(
            f"a path needs two points or more, not {len(every)}: give two seeds, such as seed:0,1"
        )
    if rows == 1:
        return [every]
    if len(every) == 2:
        if not all(map(is_seeds, points)):
            raise InputError("--rows goes on with the seeds after the second point, so give two seeds")
        next_seed = [seed for text in points for seed in parse_seeds(text)][1] + 1
        more = seed_vectors(network, range(next_seed, next_seed + 2 * (rows - 1)))
        every = joined(network, [every, more])
    if len(every) != 2 * rows:
        raise InputError(f"--rows {rows} needs two points or {2 * rows}, not {len(every)}")
    return [every[[i, i + 1]] for i in range(0, len(every), 2)]


def _frames(
    network: Generator, route: list[torch.Tensor], steps: int, *, kind: str, loop: bool, truncation: float
) -> Iterator[np.ndarray]:
    """Pictures along a route, a batch in memory at a time."""
    from itertools import islice

    import torch

    from facegan.latent import path

    vectors = path(route, steps, kind, loop=loop)
    while batch := list(islice(vectors, 32)):
        for pictures in network.stream(torch.stack(batch), truncation):
            yield from pictures


def _together(frames: list[Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
    """Frames of a film: one path as it is, several beside each other."""
    from facegan import images

    return (f[0] if len(f) == 1 else images.grid(np.stack(f)) for f in zip(*frames, strict=True))


def _figure(
    out: str,
    frames: list[Iterator[np.ndarray]],
    routes: list[Vectors],
    *,
    steps: int,
    loop: bool,
    scale: int,
    columns: int,
    captions: bool,
) -> np.ndarray:
    from facegan import figures, images
    from facegan.latent import path_length

    each = path_length(len(routes[0]), steps, loop)
    if each * len(routes) > MOST_IN_A_FIGURE:
        raise InputError(f"--out {out}: {each * len(routes)} pictures are too many for a figure; make a film")
    faces = np.stack([frame for route in frames for frame in route])
    columns = columns or (each if each <= 24 else 10)
    faces = figures.magnified(faces, columns, scale)
    if not captions:
        return images.grid(faces, columns)
    names = [""] * len(faces)
    for row, route in enumerate(routes):
        for i, name in enumerate(route.names):
            names[row * each + i * (steps - 1)] = name
    return figures.labelled_grid(faces, names, columns)


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
