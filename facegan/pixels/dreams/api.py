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
from facegan.classifiers.classifier import Classifier
from facegan.errors import InputError
from facegan.files import fit_name
from facegan.interrupts import signals
from facegan.marks import COMPOSITE, GENERATED, Mark, made, without_folder
from facegan.pixels.dreams.config import DreamConfig, FlightConfig
from facegan.pixels.dreams.dream import Dreamed, dream_photo, zoom
from facegan.pixels.dreams.visualise import Visualised, visualise
from facegan.pixels.loading import Model, load_configured, model_name, with_settings
from facegan.pixels.loop import OnPicture, OnStep, Outcome, StepStats
from facegan.pixels.pictures import Picture, name_of, photo_of
from facegan.pixels.settings import ClassifierConfig, SnapshotConfig
from facegan.pixels.snapshots import Recorder, check_snapshots

NOISE_EVERY = 8  # steps between the kept pictures of a dream from noise, without --every
_Network = Classifier | ClassifierConfig


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
    on_picture: OnPicture | None = None,
    **settings: Any,
) -> Dreamed | Visualised:
    """Change a photo so that a classifier sees more of what it sees in it already.

    Without a photo: feature visualisation, a picture from noise for each layer, channel or class.

    >>> facegan.dream("sample:astronaut", octaves=4, out="dream.png", film="dream.mp4", every=2)
    >>> facegan.dream(model="efficientnet_lite0", classes="goldfish").images

    Args:
        photo: A file, or an array ``H,W,C``; None begins from noise.
        model: What ``load_classifier`` takes, its result, or a ``ClassifierConfig``.
        config: Settings of the dream.
        guide: A picture whose features the dream takes, instead of the photo's own.
        out: A .png or .jpg; "" is PHOTO-dream.png in the current folder; None writes no picture.
        columns: Columns of the sheet of pictures from noise; 0 makes it about square.
        keep: What is kept on the way: pictures, a film, a curve.
        flight: A film that flies into the dream, instead of a picture.
        on_step: Sees each step's numbers, and can draw the work so far (``StepStats``).
        on_picture: Sees (steps done, uint8 ``H,W,3``) after every ``keep.every`` steps; 0: after each octave.
        settings: Fields of ``DreamConfig``, ``SnapshotConfig``, ``FlightConfig`` and ``ClassifierConfig``.

    Returns:
        The dream, pictures from noise, or a flight's last frame; after Ctrl-C (``outcome.exit_code`` 130) the
        picture so far.
    """
    configs = config or DreamConfig(), keep or SnapshotConfig(), flight or FlightConfig()
    network, config, keep, flight = with_settings(model, settings, *configs)
    default = "dream.png" if photo is None else fit_name(Path(name_of(photo)).stem, "-dream.png")
    place = "" if out is None else str(out) or default
    check_snapshots(keep, place, (photo, guide))
    _check(photo, guide, columns, keep=keep, flight=flight, out=out)
    if photo is not None and flight.zoom:
        return _fly(network, photo, config, guide=guide, keep=keep, flight=flight, on_step=on_step)
    source = GENERATED if photo is None else COMPOSITE
    mark = _mark(network, config, keep, source=source)
    recorder = Recorder(keep, place, mark=mark, on_picture=on_picture)
    if photo is None:
        return _from_noise(network, config, columns, recorder=recorder, on_step=on_step)
    done = dream_photo(
        network, photo, config, guide=guide, every=keep.every, on_picture=recorder, on_step=on_step
    )
    what, rows = ", ".join(done.names), [{"loss": v} for v in done.curve]
    title, text = f"{name_of(photo)}: {what}", {"dream": what}
    path, frames = recorder.finish(done.image, rows, steps=done.outcome.steps, title=title, text=text)
    return replace(done, path=path, frames=frames)


def _mark(network: _Network, config: DreamConfig, keep: SnapshotConfig, *, source: str) -> Mark:
    """Return the mark of the pictures: seed and model."""
    name = without_folder(model_name(network))
    return made(name, mark=keep.mark, source=source, seed=str(config.seed))


def _check(
    photo: Picture | None,
    guide: Picture | None,
    columns: int,
    *,
    keep: SnapshotConfig,
    flight: FlightConfig,
    out: str | Path | None,
) -> None:
    """Raise InputError for arguments that do not go together, before the network is loaded."""
    flight.check()
    if flight.zoom and (photo is None or not keep.film):
        raise InputError("--zoom flies into a photo: give PHOTO and --film FILE.mp4")
    if flight.zoom and (out or keep.curve or keep.pictures):
        raise InputError("--zoom makes a film alone: leave out --out, --curve and --pictures")
    if columns < 0:
        raise InputError(f"--columns must be 0 or more, not {columns}")
    if guide is not None and photo is None:
        raise InputError("--guide goes with a photo")


def _from_noise(
    network: _Network, config: DreamConfig, columns: int, *, recorder: Recorder, on_step: OnStep | None
) -> Visualised:
    """Make pictures from noise; write the sheet, the curve and the film."""

    def sheet(pictures: np.ndarray) -> np.ndarray:
        return images.grid(pictures, columns or None)

    keep = recorder.keep
    done = visualise(
        network,
        config,
        every=keep.every or NOISE_EVERY * bool(keep.film or keep.pictures),
        on_step=on_step,
        on_picture=lambda steps, pictures: recorder(steps, sheet(pictures)),
    )
    what, one = ", ".join(done.names), len(done.images) == 1
    path, frames = recorder.finish(
        done.images[0] if one else figures.labelled_grid(done.images, done.names, columns or None),
        [{"value": v} for v in done.curve],
        steps=done.outcome.steps,
        title=what[:80],
        text={"dream": what},
        frame=sheet(done.images),
    )
    return replace(done, path=path, frames=frames)


def _fly(
    network: _Network,
    photo: Picture,
    config: DreamConfig,
    *,
    guide: Picture | None,
    keep: SnapshotConfig,
    flight: FlightConfig,
    on_step: OnStep | None,
) -> Dreamed:
    """Make the film of a flight; a signal ends it after the frame that is dreamt, and it is whole."""
    photo_of(photo, config.size)  # its errors come before the network is loaded
    done, last = 0, np.zeros(0)

    def forward(stats: StepStats) -> None:
        if on_step is not None:
            on_step(replace(stats, values={**stats.values, "frame": done + 1, "frames": flight.count}))

    frames = zoom(
        load_configured(network),
        photo,
        flight.frames,
        settings=config,
        factor=flight.zoom,
        turn=flight.turn,
        centre=flight.centre,
        between=flight.between,
        guide=guide,
        on_step=forward,
    )
    first = next(frames)  # errors in the settings come before a file is begun

    def counted(caught: list[int]) -> Iterator[np.ndarray]:
        nonlocal done, last
        for last in itertools.chain([first], frames):
            yield last
            done += 1
            if caught:
                return

    with signals() as caught:  # also while frames are blended and written
        mark = _mark(network, config, keep, source=COMPOSITE)
        count = video.write_film(keep.film, counted(caught), keep.fps, mark=mark)
    signum = 0 if count == flight.count else int(signal.SIGINT)
    return Dreamed(last, Outcome(count, signum=signum), path=Path(keep.film), frames=count)
