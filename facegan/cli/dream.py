"""``facegan dream``: a photo, or noise, in which a classifier sees ever more of what it sees."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import __version__
from facegan.cli.main import run_function
from facegan.cli.options import Live, with_preset, writing
from facegan.cli.pixel_flags import ClassifierFlags, KeepFlags, left
from facegan.errors import InputError
from facegan.files import fit_name, photo_path
from facegan.pixels.settings import DREAMS, DreamSettings

if TYPE_CHECKING:
    import numpy as np

    from facegan.pixels import Classifier
    from facegan.pixels.loop import StepStats

# The tutorial's network, and what it does to pictures before its network sees them.
PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "settings": DREAMS["tutorial"],
        "classifier": ClassifierFlags(
            "vgg19", mean=f"{103.939 / 255},{116.779 / 255},{123.68 / 255}", std="1,1,1", reverse=True
        ),
        "keep": KeepFlags(every=1),
    },
}  # fmt: skip


@dataclass(frozen=True)
class FlightFlags:
    """The flags are these fields."""

    zoom: float = 0.0
    """make a film (--film) that flies into the dream, each frame so much larger: 1.02."""
    turn: float = 0.0
    """degrees that each of its frames turns."""
    centre: tuple[float, float] = (0.5, 0.5)
    """of the flight, across and down from 0 to 1."""
    frames: int = 120
    """how many of its frames are dreamt."""
    between: int = 0
    """frames blended between two dreamt ones: 1 makes 30 a second into 60 (--fps 60)."""

    def check(self, photo: str, keep: KeepFlags, out: str) -> None:
        if self.between < 0 or self.frames < 1:
            raise InputError("--between must be 0 or more, --frames at least 1")
        if self.zoom and not (photo and keep.film):
            raise InputError("--zoom flies into a photo: give PHOTO and --film FILE.mp4")
        if self.zoom and (out or keep.curve or keep.pictures):
            raise InputError("--zoom makes a film alone: leave out --out, --curve and --pictures")
        if not self.zoom and replace(self, zoom=0.0) != FlightFlags():
            raise InputError("--turn, --centre, --frames and --between go with --zoom (1 only turns)")
        if self.zoom and not 1 <= self.zoom <= 2:
            raise InputError(f"--zoom must be from 1 to 2, not {self.zoom:g}")
        if min(self.centre) < 0 or max(self.centre) > 1:
            raise InputError("--centre must be two numbers from 0 to 1, across and down")
        if not abs(self.turn) <= 180:
            raise InputError(f"--turn must be from -180 to 180, not {self.turn:g}")

    @property
    def count(self) -> int:
        return 1 + (self.frames - 1) * (self.between + 1)


FLAT = tyro.conf.arg(name="")


def main(
    photo: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")] = "",
    settings: Annotated[DreamSettings, FLAT] = DreamSettings(),  # noqa: B008
    guide: str = "",
    out: str = "",
    columns: int = 0,
    keep: Annotated[KeepFlags, FLAT] = KeepFlags(),  # noqa: B008
    flight: Annotated[FlightFlags, FLAT] = FlightFlags(),
    classifier: Annotated[ClassifierFlags, FLAT] = ClassifierFlags(),  # noqa: B008
    preset: str = "",
) -> int:
    """Dream: change a photo so that a classifier sees more of what it sees in it already.

    Without a photo: feature visualisation, a picture from noise for each layer, channel or class.
    Ctrl-C saves the picture so far.

    Args:
        photo: the photo; none begins from noise.
        settings: of the dream.
        guide: a picture whose features the dream is to have, instead of those that are there.
        out: a .png or .jpg; '' is PHOTO-dream.png here.
        columns: of the sheet of pictures from noise; 0 makes it about square.
        keep: what is kept on the way.
        flight: into the dream.
        classifier: that dreams.
        preset: tutorial: the settings of the tutorial; other options still win.
    """
    place = out or (fit_name(photo_path(photo).stem, "-dream.png") if photo else "dream.png")
    settings.check()
    keep.check(place, (photo, guide))
    flight.check(photo, keep, out)
    if columns < 0:
        raise InputError(f"--columns must be 0 or more, not {columns}")
    if guide and not photo:
        raise InputError("--guide goes with a photo")
    if photo:
        from facegan.pixels.dreams.dream import photo_of

        photo_of(photo, settings.size)  # what is wrong with it is said before the network is loaded
    network, live = classifier.load(), Live(keep.quiet)
    try:
        if flight.zoom:
            return _fly(network, photo, settings, guide, keep, flight, live)
        if photo:
            return _photo(network, photo, settings, guide, place, keep, live)
        return _from_noise(network, settings, place, columns, keep, live)
    finally:
        live.close()


def status(stats: StepStats) -> str:
    """The live line."""
    octave = f"octave {stats.values['octave']:g}  " if "octave" in stats.values else ""
    return f"{octave}step {stats.step} of {stats.steps}  loss {stats.loss:.4g}  {left(stats)}"


def _papers(network: Classifier, what: str, seed: int) -> dict[str, str]:
    return {"dream": what, "seed": str(seed), "model": network.name, "Software": f"facegan {__version__}"}


def _ended(code: int, place: str) -> int:
    if code:
        print(f"facegan dream: interrupted; the picture so far is {place}", file=sys.stderr)
    return code


def _photo(
    network: Classifier,
    photo: str,
    settings: DreamSettings,
    guide: str,
    place: str,
    keep: KeepFlags,
    live: Live,
) -> int:
    from facegan import images
    from facegan.pixels import dream
    from facegan.pixels.dreams.dream import suited
    from facegan.pixels.snapshots import save_curve

    settings, snapshots = suited(network, settings), keep.snapshots(place)
    what = ", ".join([*settings.layers, *settings.classes])
    with writing("--out", place):
        done = dream(
            network, photo, settings, guide=guide or None, every=keep.every, on_picture=snapshots,
            on_step=lambda stats: live(status(stats)),
        )  # fmt: skip
        live.close()
        images.save_picture(place, done.image, _papers(network, what, settings.seed))
    if keep.curve and done.curve:
        with writing("--curve", keep.curve):
            save_curve(keep.curve, [{"loss": v} for v in done.curve], f"{photo_path(photo).name}: {what}")
    with writing("--film", keep.film):
        frames = snapshots.finish(done.outcome.steps, done.image)
    h, w = done.image.shape[:2]
    octaves = f"{len(done.octaves)} octave{'s' * (len(done.octaves) != 1)}"
    losses = f", loss {done.curve[0]:.4g} -> {done.curve[-1]:.4g}" if done.curve else ""
    print(f"{what}, {octaves} up to {w}x{h} px{losses} -> {place}")
    if frames:
        print(f"{frames} frames -> {keep.film}")
    return _ended(done.outcome.exit_code, place)


def _from_noise(
    network: Classifier, settings: DreamSettings, place: str, columns: int, keep: KeepFlags, live: Live
) -> int:
    from facegan import figures, images
    from facegan.pixels import visualise
    from facegan.pixels.snapshots import save_curve

    snapshots = keep.snapshots(place)

    def sheet(pictures: np.ndarray) -> np.ndarray:
        return images.grid(pictures, columns or None)

    with writing("--out", place):
        done = visualise(
            network, settings, every=keep.every or 8 * bool(keep.film or keep.pictures),
            on_step=lambda stats: live(status(stats)),
            on_picture=lambda steps, pictures: snapshots(steps, sheet(pictures)),
        )  # fmt: skip
        live.close()
        one = len(done.images) == 1
        shown = done.images[0] if one else figures.labelled_grid(done.images, done.names, columns or None)
        images.save_picture(place, shown, _papers(network, ", ".join(done.names), settings.seed))
    if keep.curve and done.curve:
        with writing("--curve", keep.curve):
            save_curve(keep.curve, [{"value": v} for v in done.curve], ", ".join(done.names)[:80])
    with writing("--film", keep.film):
        frames = snapshots.finish(done.outcome.steps, sheet(done.images))
    print(f"{', '.join(done.names)} -> {place}")
    if frames:
        print(f"{frames} frames -> {keep.film}")
    return _ended(done.outcome.exit_code, place)


def _fly(
    network: Classifier, photo: str, settings: DreamSettings, guide: str, keep: KeepFlags,
    flight: FlightFlags, live: Live,
) -> int:  # fmt: skip
    import itertools

    from facegan import video
    from facegan.interrupts import signals
    from facegan.pixels import zoom

    done = 0
    frames = zoom(
        network, photo, flight.frames, settings, factor=flight.zoom, turn=flight.turn, centre=flight.centre,
        between=flight.between, guide=guide or None,
        on_step=lambda stats: live(f"frame {done + 1} of {flight.count}  {status(stats)}"),
    )  # fmt: skip
    first = next(frames)  # what is wrong with the settings is said before a file is begun

    def counted(caught: list[int]) -> Any:
        nonlocal done
        for frame in itertools.chain([first], frames):
            yield frame
            done += 1
            if caught:
                return

    with signals() as caught:  # also while frames are blended and written: the film ends, and is whole
        count = video.write_film(keep.film, counted(caught), keep.fps)
    live.close()
    print(f"{count} frames, {count / keep.fps:.1f} s -> {keep.film}")
    return _ended(0 if count == flight.count else 130, keep.film)


def run(argv: list[str]) -> int:
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
