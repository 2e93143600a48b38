"""``facegan interpolate``: a path between faces, as a figure or a film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from facegan.cli.main import run_function
from facegan.errors import InputError

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator

MOST_IN_A_FIGURE = 10_000


def main(
    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")],
    points: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="POINT...")] = (),
    path: Literal["slerp", "lerp", "hypersphere"] = "slerp",
    steps: int = 10,
    rows: int = 1,
    loop: bool = False,
    truncation: float = 1.0,
    out: str = "interpolation.png",
    fps: float = 24.0,
    scale: int = 0,
    columns: int = 0,
    device: str = "cpu",
) -> None:
    """Go from face to face. A .png is a strip (or figure); .mp4, .gif and .webp are films.

    Args:
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name.
        points: two or more seeds (7, 3-6), or saved vectors (FILE.npz, FILE.npz:2).
        path: slerp, lerp (straight), or hypersphere (straight, kept at the first point's norm).
        steps: pictures from each point to the next, both ends counted.
        rows: so many pairs, one a row; the pairs after the first are the seeds that follow.
        loop: go back to the first point; for films that repeat.
        truncation: below 1 draws towards the average face.
        out: the file: .png, .mp4, .gif or .webp.
        fps: frames a second of a film.
        scale: repeat each pixel so often; 0 is 1 in figures, and about 256 px in films.
        columns: of the figure; 0 is one row for each path (10 where one path has over 24 pictures).
        device: cpu, cuda or mps.
    """
    from facegan import figures, images, video
    from facegan.latent import path_length
    from facegan.runs import load

    target = Path(out)
    if target.suffix.lower() != ".png" and not video.is_film(target):
        raise InputError(f"--out {out}: choose a name that ends in .png, {', '.join(video.FORMATS)}")
    if rows < 1 or scale < 0 or columns < 0:
        raise InputError("--rows must be at least 1, --scale and --columns 0 or more")
    network = load(model, device)
    routes = _routes(network, points or ("0", "1"), rows)
    frames = (frame for route in routes for frame in _frames(network, route, steps, path, loop, truncation))
    each = path_length(len(routes[0]), steps, loop)
    total = each * len(routes)
    try:
        if video.is_film(target):
            big = scale or figures.fitting_scale(network.image_shape[2], 256)
            total = video.write_film(target, (images.enlarge(f, big) for f in frames), fps)
        else:
            if total > MOST_IN_A_FIGURE:
                raise InputError(f"--out {out}: {total} pictures are too many for one figure; choose a film")
            sheet = images.grid(np.stack(list(frames)), columns or (each if each <= 24 else 10))
            text = {"model": network.hash, "points": " ".join(points or ("0", "1")), "path": path}
            images.save_png(target, images.enlarge(sheet, scale or 1), text)
    except OSError as error:
        raise InputError(f"--out {out}: cannot be written ({error.strerror})") from None
    print(f"{total} pictures -> {out}")


def _routes(network: Generator, points: tuple[str, ...], rows: int) -> list[list[torch.Tensor]]:
    """The points of each row; rows after the first go on with the seeds after the last one."""
    import torch

    from facegan.latent.points import parse_point, seed_vectors

    given = [parse_point(network, text) for text in points]
    first = list(torch.cat([v.z for v in given]))
    if len(first) < 2:
        raise InputError(f"a path needs two points or more, not {len(first)}: give two seeds, such as 0 1")
    if rows == 1:
        return [first]
    last = given[-1].names[-1]
    if not last.isdigit():
        raise InputError("--rows goes on with the seeds after the last point, which must be a seed then")
    following = range(int(last) + 1, int(last) + 1 + len(first) * (rows - 1))
    more = list(seed_vectors(network, following).z)
    return [first, *(more[i : i + len(first)] for i in range(0, len(more), len(first)))]


def _frames(
    network: Generator, route: list[torch.Tensor], steps: int, kind: str, loop: bool, truncation: float
) -> Iterator[np.ndarray]:
    """Pictures along a route, a batch in memory at a time."""
    from itertools import islice

    import torch

    from facegan.latent import path

    vectors = path(route, steps, kind, loop)
    while batch := list(islice(vectors, 32)):
        for pictures in network.stream(torch.stack(batch), truncation):
            yield from pictures


def run(argv: list[str]) -> int:
    run_function(main, argv)
    return 0
