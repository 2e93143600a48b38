"""``facegan.dream``: all that the command does, from Python."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facegan import figures, images, video
from facegan.errors import InputError
from facegan.files import fit_name
from facegan.interrupts import signals
from facegan.pixels.classifiers import Classifier
from facegan.pixels.dreams import dream as dreams
from facegan.pixels.dreams.config import DreamConfig, FlightConfig
from facegan.pixels.dreams.visualise import Visualised, visualise
from facegan.pixels.dreams.zoom import zoom
from facegan.pixels.loading import Model, load_configured, model_name, with_settings
from facegan.pixels.loop import OnStep, Outcome, StepStats
from facegan.pixels.pictures import Picture, name_of, photo_of
from facegan.pixels.settings import ClassifierConfig, SnapshotConfig
from facegan.pixels.snapshots import Recorder, check_snapshots

NOISE_EVERY = 8  # steps between the kept pictures of a dream from noise, unless something else is said


def dream(
    photo: Picture | None = None,
    *,
    model: Model = "faces",
    config: DreamConfig | None = None,
    guide: Picture | None = None,
    out: str | Path | None = None,
    columns: int = 0,
    keep: SnapshotConfig | None = None,
    flight: FlightConfig | None = None,
    on_step: OnStep | None = None,
    **settings: Any,
) -> dreams.Dreamed | Visualised:
    """Change a photo so that a classifier sees more of what it sees in it already.

    Without a photo: feature visualisation, a picture from noise for each layer, channel or class.

    >>> facegan.dream("sample:astronaut", octaves=4, out="dream.png", film="dream.mp4", every=2)
    >>> facegan.dream(model="efficientnet_lite0", classes="goldfish").images

    Args:
        photo: A file, or an array ``H,W,C``; None begins from noise.
        model: What ``load_classifier`` takes, its result, or a ``ClassifierConfig``.
        config: Settings of the dream.
        guide: A picture whose features the dream is to have, instead of those that are there.
        out: A .png or .jpg; "" is PHOTO-dream.png in the current folder; None writes no picture.
        columns: Columns of the sheet of pictures from noise; 0 makes it about square.
        keep: What is kept on the way: pictures, a film, a curve.
        flight: A film that flies into the dream, instead of a picture.
        on_step: Sees each step's numbers.
        settings: Fields of ``DreamConfig``, ``SnapshotConfig``, ``FlightConfig`` and ``ClassifierConfig``.

    Returns:
        The dream, pictures from noise, or a flight's last frame; after Ctrl-C (``outcome.exit_code`` 130) the
        picture so far.
    """
    configs = config or DreamConfig(), keep or SnapshotConfig(), flight or FlightConfig()
    network, config, keep, flight = with_settings(model, settings, *configs)
    place = "" if out is None else str(out) or _default_name(photo)
    _check(photo, guide, place, columns=columns, settings=(config, keep, flight))
    if out and flight.zoom:
        raise InputError("--zoom makes a film alone: leave out --out, --curve and --pictures")
    if photo is None:
        return _from_noise(network, config, columns, recorder=Recorder(keep, place), on_step=on_step)
    if flight.zoom:
        return _fly(network, photo, config, guide=guide, keep=keep, flight=flight, on_step=on_step)
    recorder = Recorder(keep, place)
    done = dreams.dream(
        network, photo, config, guide=guide, every=keep.every, on_picture=recorder.snapshots, on_step=on_step
    )
    what = ", ".join(done.names)
    return replace(
        done,
        path=recorder.save(done.image, _text(network, what, config)),
        frames=recorder.finish(
            done.outcome.steps,
            done.image,
            [{"loss": v} for v in done.curve],
            title=f"{name_of(photo)}: {what}",
        ),
    )


def _default_name(photo: Picture | None) -> str:
    return "dream.png" if photo is None else fit_name(Path(name_of(photo)).stem, "-dream.png")


def _text(network: Classifier | ClassifierConfig, what: str, config: DreamConfig) -> dict[str, str]:
    """Return the text that says in a picture's file what made it."""
    return {"dream": what, "seed": str(config.seed), "model": model_name(network)}


def _check(
    photo: Picture | None,
    guide: Picture | None,
    place: str,
    *,
    columns: int,
    settings: tuple[DreamConfig, SnapshotConfig, FlightConfig],
) -> None:
    """Raise InputError for what cannot be, before the network is loaded."""
    config, keep, flight = settings
    config.check()
    check_snapshots(keep, place, (photo, guide))
    flight.check()
    if flight.zoom and (photo is None or not keep.film):
        raise InputError("--zoom flies into a photo: give PHOTO and --film FILE.mp4")
    if flight.zoom and (keep.curve or keep.pictures):
        raise InputError("--zoom makes a film alone: leave out --out, --curve and --pictures")
    if columns < 0:
        raise InputError(f"--columns must be 0 or more, not {columns}")
    if guide is not None and photo is None:
        raise InputError("--guide goes with a photo")


def _from_noise(
    network: Classifier | ClassifierConfig,
    config: DreamConfig,
    columns: int,
    *,
    recorder: Recorder,
    on_step: OnStep | None,
) -> Visualised:
    """Make pictures from noise, and write what is asked for."""

    def sheet(pictures: np.ndarray) -> np.ndarray:
        return images.grid(pictures, columns or None)

    keep = recorder.keep
    done = visualise(
        network,
        config,
        every=keep.every or NOISE_EVERY * bool(keep.film or keep.pictures),
        on_step=on_step,
        on_picture=lambda steps, pictures: recorder.snapshots(steps, sheet(pictures)),
    )
    what, one = ", ".join(done.names), len(done.images) == 1
    shown = done.images[0] if one else figures.labelled_grid(done.images, done.names, columns or None)
    return replace(
        done,
        path=recorder.save(shown, _text(network, what, config)),
        frames=recorder.finish(
            done.outcome.steps, sheet(done.images), [{"value": v} for v in done.curve], title=what[:80]
        ),
    )


def _fly(
    network: Classifier | ClassifierConfig,
    photo: Picture,
    config: DreamConfig,
    *,
    guide: Picture | None,
    keep: SnapshotConfig,
    flight: FlightConfig,
    on_step: OnStep | None,
) -> dreams.Dreamed:
    """Make the film of a flight; a signal ends it after the frame that is dreamt, and it is whole."""
    photo_of(photo, config.size)  # tell what is wrong with it before the network is loaded
    done, last = 0, np.zeros(0)

    def tell(stats: StepStats) -> None:
        if on_step is not None:
            on_step(replace(stats, values={**stats.values, "frame": done + 1, "frames": flight.count}))

    frames = zoom(
        load_configured(network) if isinstance(network, ClassifierConfig) else network,
        photo,
        flight.frames,
        settings=config,
        factor=flight.zoom,
        turn=flight.turn,
        centre=flight.centre,
        between=flight.between,
        guide=guide,
        on_step=tell,
    )
    first = next(frames)  # what is wrong with the settings is said before a file is begun

    def counted(caught: list[int]) -> Iterator[np.ndarray]:
        nonlocal done, last
        for last in itertools.chain([first], frames):
            yield last
            done += 1
            if caught:
                return

    with signals() as caught:  # also while frames are blended and written
        count = video.write_film(keep.film, counted(caught), keep.fps)
    signum = 0 if count == flight.count else int(signal.SIGINT)
    return dreams.Dreamed(last, Outcome(count, signum=signum), path=Path(keep.film), frames=count)
