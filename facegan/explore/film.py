"""Films between faces that change by equal steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from facegan import figures, images, video
from facegan.errors import InputError
from facegan.explore.config import FilmConfig, configure
from facegan.explore.result import Explored, as_words, check_drawn, describe_points, files_of, gather
from facegan.files import check_ending, check_places, writing
from facegan.latent.even_film import MAX_FRAMES, Film, Progress, compare, figure, variation
from facegan.latent.even_film import film as place_frames
from facegan.marks import Mark
from facegan.models import as_sampler, with_labels
from facegan.sampler import Sampler, check_truncation
from facegan.vectors import Vectors, save_vectors


def film(
    model: Sampler | str | Path,
    points: Any = ("seed:0-5",),
    *,
    labels: str = "",
    device: str = "cpu",
    on_progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    **settings: Any,
) -> Explored:
    """Film a way through faces that changes by equal steps, as a network for faces sees it.

    >>> facegan.film("celeba64", ["seed:3", "seed:8"], seconds=6, out="film.mp4")

    Args:
        model: what ``load`` takes, or a loaded model.
        points: two or more: texts such as ``seed:7`` and ``FILE.npz:2``, whole numbers as seeds, or vectors.
        labels: of a conditional model, such as ``smiling=1``; ``random`` draws each seed its own.
        device: cpu, cuda or mps, of a model that is loaded.
        on_progress: receives what is done, how much, and of how much; without it a bar shows it.
        say: receives lines on the labels taken and on how even the film is.
        **settings: those of :class:`~facegan.explore.config.FilmConfig`.
    """
    config, read = configure(FilmConfig, settings), files_of(as_words(points))
    video.check_film(config.out, config.fps)
    for option, name, ending in (("evenness", config.evenness, ".png"), ("latents", config.latents, ".npz")):
        if name:
            check_ending(f"--{option}", name, [ending])
    written = {"--out": config.out, "--evenness": config.evenness, "--latents": config.latents}
    check_places(written, read)
    network = check_truncation(config.truncation, as_sampler(model, device))
    network = with_labels(network, labels, by_seed=not read, say=say)
    check_drawn(network, config.truncation)
    route = gather(network, points, "a film")
    count = _count_frames(len(route) - (not config.loop), config)
    options: Any = {"loop": config.loop, "features": config.features, "truncation": config.truncation}
    done = place_frames(network, route.array, count, kind=config.path, on_progress=on_progress, **options)
    frames = Vectors(done.array, tuple(f"at {place:.3f}" for place in done.places), network.hash, route.space)
    if config.latents:
        save_vectors(config.latents, frames)
    about = {**describe_points(points), "path": config.path, "features": config.features}
    note = figures.origin(network.hash, config.truncation, **about, mark=config.mark)
    with writing("--out", config.out):
        drawn = (face for batch in network.stream(done.array, config.truncation) for face in batch)
        large = (figures.magnified(face[None], 1, config.scale)[0] for face in drawn)
        video.write_film(config.out, large, config.fps, mark=note)
    text = f"{count} frames, {count / config.fps:.1f} s -> {config.out}; steps vary by "
    text += f"{done.variation:.1%}, as 8-bit pictures by {variation(done.seen):.1%}"
    if config.evenness:
        _compare(network, route, done, config=config, note=note, say=say)
        text += f"\nhow even it is -> {config.evenness}"
    return Explored(network, tuple(Path(name) for name in written.values() if name), text, frames)


def _count_frames(stretches: int, config: FilmConfig) -> int:
    seconds = config.seconds or 2.0 * stretches
    frames = seconds * config.fps
    if not 2 <= round(min(frames, 1e9)) <= MAX_FRAMES:
        raise InputError(
            f"--seconds {seconds:g} at --fps {config.fps:g} are {frames:,.0f} frames; "
            f"a film takes 2 to {MAX_FRAMES:,}"
        )
    return round(frames)


def _compare(
    network: Sampler,
    route: Vectors,
    done: Film,
    *,
    config: FilmConfig,
    note: Mark,
    say: Callable[[str], None] | None,
) -> None:
    """Write the figure of the film's steps beside those of plain lerp, and say how much both vary."""
    options: Any = {"loop": config.loop, "features": config.features, "truncation": config.truncation}
    plain = compare(network, route.array, done, **options)
    sheet = figure(network, plain, done, fps=config.fps, truncation=config.truncation)
    with writing("--evenness", config.evenness):
        images.save_png(config.evenness, sheet, note)
    if say is not None:
        for row in plain.rows:
            lerp, even = variation(row.plain), variation(row.even)
            say(f"steps by {row.name}: plain lerp varies by {lerp:.1%}, this film by {even:.1%}")
