"""``facegan film``: a loop or tour between faces whose motion is even."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro

from facegan.cli.evaluate import Progress, say
from facegan.cli.main import run_function
from facegan.cli.options import apply_labels, check_drawn, check_scale, files_of, result_metadata
from facegan.cli.positional import model_first, options_last
from facegan.errors import InputError
from facegan.files import check_ending, check_places, writing

if TYPE_CHECKING:
    import torch

    from facegan.generator import Generator
    from facegan.latent.film import Film
    from facegan.vectors import Vectors


def main(
    points: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[MODEL] POINT...")] = (),
    model: str = "",
    seconds: float = 0.0,
    *,
    fps: float = 24.0,
    loop: bool = True,
    path: Literal["slerp", "lerp", "hypersphere"] = "slerp",
    features: Literal["faces", "pixels", "inception"] = "faces",
    truncation: float = 1.0,
    out: str = "film.mp4",
    evenness: str = "",
    latents: str = "",
    scale: int = 0,
    labels: str = "",
    device: str = "cpu",
) -> None:
    """A film through faces that changes by equal steps, as a network for faces sees it: no jumps, no pauses.

    Args:
        points: two or more: seeds (seed:7, seed:3-6), or saved vectors (FILE.npz, FILE.npz:2). Default: seeds
            0 to 5.
        model: a run folder, a moment of one (RUN@30kimg), a .safetensors file, or a bundled name; it may
            also stand first. Default: celeba64.
        seconds: length of the film; 0 is two seconds from each point to the next.
        fps: frames a second.
        loop: end where the film begins, so that it can be repeated; --no-loop ends at the last point.
        path: slerp, lerp (straight), or hypersphere (straight, kept at the first point's norm).
        features: what measures the steps: faces (the bundled network), pixels or inception.
        truncation: below 1 draws towards the average face.
        out: the film: .mp4, .gif or .webp.
        evenness: a figure (.png) of the steps beside those of plain lerp through the same points, also as a
            second network sees them that had no part in it.
        latents: save the vectors of all frames, before truncation, as .npz.
        scale: repeat each pixel so often; 0 enlarges smoothly, to frames of at least 512 px.
        labels: of a conditional model, such as smiling=1,male=0; random draws each seed its own.
        device: cpu, cuda or mps.
    """
    from facegan import figures, images, video
    from facegan.generator import check_truncation
    from facegan.latent.film import film, variation
    from facegan.models import load
    from facegan.vectors import is_point, save_vectors

    model, named = model_first(points, model, command="film", usage="MODEL seed:0-5", is_other=is_point)
    named = named or ["seed:0-5"]
    video.check_film(out, fps)
    check_scale(scale)
    if not 0 <= seconds < math.inf:
        raise InputError(f"--seconds must be 0 or more, not {seconds:g}")
    if evenness:
        check_ending("--evenness", evenness, (".png",))
    if latents:
        check_ending("--latents", latents, (".npz",))
    check_places({"--out": out, "--evenness": evenness, "--latents": latents}, files_of(named))
    network = apply_labels(
        check_truncation(truncation, load(model, device)), labels, by_seed=not files_of(named)
    )
    check_drawn(network, truncation)
    route = gather(network, named)
    count = frames_for(route, seconds, fps, loop=loop)
    done = film(
        network,
        route.z,
        count,
        kind=path,
        loop=loop,
        features=features,
        truncation=truncation,
        on_progress=Progress(),
    )
    if latents:
        save_vectors(latents, _vectors(done, network.hash, route.space))
    with writing("--out", out):
        drawn = _drawn(network, done.z, truncation)
        frames = (figures.magnified(frame[None], 1, scale)[0] for frame in drawn)
        written = video.write_film(out, frames, fps)
    seen = f"as 8-bit pictures by {variation(done.seen):.1%}"
    print(f"{written} frames, {written / fps:.1f} s -> {out}; steps vary by {done.variation:.1%}, {seen}")
    if evenness:
        from facegan.latent.evenness import compare, figure

        plain = compare(network, route.z, done, features=features, loop=loop, truncation=truncation)
        text = result_metadata(network.hash, truncation, points=" ".join(named), path=path, features=features)
        with writing("--evenness", evenness):
            images.save_png(evenness, figure(network, plain, done, fps=fps, truncation=truncation), text)
        for row in plain.rows:
            say(
                f"steps by {row.name}: plain lerp varies by {variation(row.plain):.1%}, this film by "
                f"{variation(row.even):.1%}"
            )
        print(f"how even it is -> {evenness}")


def gather(network: Generator, points: Sequence[str]) -> Vectors:
    """All points in one."""
    from facegan.vectors import joined, parse_point

    every = joined(network, [parse_point(network, text) for text in points])
    if len(every) < 2:
        raise InputError(
            f"a film needs two points or more, not {len(every)}: give two seeds, such as seed:0,1"
        )
    return every


def frames_for(route: Vectors, seconds: float, fps: float, *, loop: bool) -> int:
    from facegan.latent.film import MOST_FRAMES

    stretches = len(route) if loop else len(route) - 1
    seconds = seconds or 2.0 * stretches
    frames = seconds * fps
    if not 2 <= round(min(frames, 1e9)) <= MOST_FRAMES:
        raise InputError(
            f"--seconds {seconds:g} at --fps {fps:g} are {frames:,.0f} frames; "
            f"a film takes 2 to {MOST_FRAMES:,}"
        )
    return round(frames)


def _drawn(network: Generator, z: torch.Tensor, truncation: float) -> Iterator[np.ndarray]:
    for batch in network.stream(z, truncation):
        yield from batch


def _vectors(done: Film, model_hash: str, space: str) -> Vectors:
    from facegan.vectors import Vectors

    return Vectors(done.z, tuple(f"at {place:.3f}" for place in done.places), model_hash, space)


def run(argv: list[str]) -> int:
    run_function(main, options_last(main, argv))
    return 0
