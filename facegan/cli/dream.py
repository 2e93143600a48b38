"""``facegan dream``: a photo, or noise, in which a classifier sees ever more of what it sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import __version__
from facegan.cli.main import run_function
from facegan.cli.options import Live, check_ending, chosen_classifier, with_preset, writing
from facegan.errors import InputError
from facegan.pixels.settings import DREAMS, DreamSettings

if TYPE_CHECKING:
    from facegan.pixels import Classifier
    from facegan.pixels.loop import StepStats

# The tutorial's network and what it does to pictures; it also reverses the channels.
PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "model": "vgg19", "settings": DREAMS["tutorial"], "every": 1,
        "mean": f"{103.939 / 255},{116.779 / 255},{123.68 / 255}", "std": "1,1,1", "reverse": True,
    },
}  # fmt: skip


def main(
    photo: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")] = "",
    model: str = "inception_v3",
    settings: Annotated[DreamSettings, tyro.conf.arg(name="")] = DreamSettings(),  # noqa: B008
    guide: str = "",
    out: str = "",
    every: int = 0,
    pictures: str = "",
    film: str = "",
    fps: float = 24.0,
    curve: str = "",
    zoom: float = 0.0,
    turn: float = 0.0,
    centre: tuple[float, float] = (0.5, 0.5),
    frames: int = 120,
    between: int = 0,
    columns: int = 0,
    labels: str = "",
    weights: str = "",
    input_size: int = 0,
    mean: str = "",
    std: str = "",
    reverse: bool = False,
    random_weights: bool = False,
    device: str = "cpu",
    preset: str = "",
    quiet: bool = False,
) -> int:
    """Dream: change a photo so that a classifier sees more of what it sees in it already.

    Without a photo: feature visualisation, a picture from noise for each layer, channel or class.
    Ctrl-C saves the picture so far.

    Args:
        photo: the photo; none begins from noise.
        model: the classifier: a name of torchvision's, an exported program (.pt2), or FILE.py:FUNCTION.
        settings: of the dream.
        guide: a picture whose features the dream is to have, instead of those that are there.
        out: a .png or .jpg; '' is PHOTO-dream.png here.
        every: keep a picture after every so many steps; 0 is at the end of each octave.
        pictures: folder for them; '' keeps them only where --every is given, in OUT-steps/.
        film: .mp4, .gif or .webp of them, or of the flight with --zoom.
        fps: frames a second of a film; up to 60 looks smoother (--between).
        curve: a .png with the loss of each step.
        zoom: make a film that flies into the dream, each frame so much larger: 1.02.
        turn: degrees that each of its frames turns.
        centre: of the flight, across and down from 0 to 1.
        frames: how many of its frames are dreamt.
        between: frames blended between two dreamt ones: 1 makes 30 a second into 60.
        columns: of the sheet of pictures from noise; 0 makes it about square.
        labels: file with the names of the classes, one a line, or JSON; '' is what the classifier brings.
        weights: file of weights for torchvision's networks; '' looks into torch's cache, then downloads.
        input_size: side of what the classifier was trained with, in px; 0 is what it says.
        mean: of the colours, in [0, 1]: 0.485,0.456,0.406; '' is the classifier's.
        std: of the colours; '' is the classifier's.
        reverse: the network takes blue, green, red (after the mean was taken off), as Keras's VGG does.
        random_weights: of torchvision's networks, to try things out.
        device: cpu, cuda or mps.
        preset: tutorial: the settings of the tutorial; other options still win.
        quiet: no live line.
    """
    from facegan.pixels.moments import check_film

    place = out or (f"{Path(photo).stem}-dream.png" if photo else "dream.png")
    check_ending("--out", place, (".png", ".jpg", ".jpeg"))
    if curve:
        check_ending("--curve", curve, (".png",))
    if photo and Path(place).exists() and Path(photo).exists() and Path(place).samefile(photo):
        raise InputError(f"--out {place}: is the photo itself; choose another name")
    if every < 0 or columns < 0 or between < 0 or frames < 1:
        raise InputError("--every, --columns and --between must be 0 or more, --frames at least 1")
    settings.check()
    check_film(film, fps)
    if zoom and not (photo and film):
        raise InputError("--zoom flies into a photo: give PHOTO and --film FILE.mp4")
    if zoom and not 1 <= zoom <= 2:
        raise InputError(f"--zoom must be from 1 to 2, not {zoom:g}")
    if min(centre) < 0 or max(centre) > 1:
        raise InputError("--centre must be two numbers from 0 to 1, across and down")
    if guide and not photo:
        raise InputError("--guide goes with a photo")
    if photo:
        from facegan.pixels.dreams import photo_of

        photo_of(photo, settings.size)  # what is wrong with it is said before the network is loaded
    classifier = loaded(model, labels, weights, input_size, mean, std, device, random_weights, reverse)
    live = Live(quiet)
    text = {"model": classifier.name, "Software": f"facegan {__version__}"}
    try:
        if zoom:
            return _fly(
                classifier, photo, settings, guide, film, fps, frames, zoom, turn, centre, between, live
            )
        if not photo:
            return _from_noise(
                classifier, settings, place, columns, every, pictures, film, fps, curve, text, live
            )
        return _photo(
            classifier, photo, settings, guide, place, every, pictures, film, fps, curve, text, live
        )
    finally:
        live.close()


def loaded(
    model: str, labels: str, weights: str, input_size: int, mean: str, std: str, device: str,
    random_weights: bool, reverse: bool,
) -> Classifier:  # fmt: skip
    """The classifier that the options of dream and stylize describe."""
    from facegan.cli.options import numbers
    from facegan.pixels import load_classifier
    from facegan.pixels.tiles import reverse_channels

    if random_weights:
        classifier = load_classifier(
            model, labels=labels, input_size=max(0, input_size), device=device, random_weights_seed=0,
            mean=numbers("--mean", mean) if mean else None, std=numbers("--std", std) if std else None,
        )  # fmt: skip
    else:
        classifier = chosen_classifier(model, labels, weights, input_size, mean, std, False, device)
    if reverse:
        reverse_channels(classifier)
    return classifier


def status(stats: StepStats) -> str:
    """The live line."""
    octave = f"octave {stats.values['octave']:g}  " if "octave" in stats.values else ""
    rate = stats.seconds / max(1, stats.step)
    left = (stats.steps - stats.step) * rate
    return f"{octave}step {stats.step} of {stats.steps}  loss {stats.loss:.4g}  left {left:.0f} s"


def _kept(place: str, every: int, pictures: str) -> str:
    """The folder for pictures of moments, or ""."""
    return pictures or (str(Path(place).with_suffix("")) + "-steps" if every else "")


def _photo(
    classifier: Classifier, photo: str, settings: DreamSettings, guide: str, place: str, every: int,
    pictures: str, film: str, fps: float, curve: str, text: dict[str, str], live: Live,
) -> int:  # fmt: skip
    from facegan import images
    from facegan.pixels import dream
    from facegan.pixels.dreams import suited
    from facegan.pixels.moments import Moments, save_curve

    settings = suited(classifier, settings)
    moments = Moments(_kept(place, every, pictures), film, fps)
    with writing("--out", place):
        done = dream(
            classifier, photo, settings, guide=guide or None, every=every, on_picture=moments,
            on_step=lambda stats: live(status(stats)),
        )  # fmt: skip
        live.close()
        what = ", ".join([*settings.layers, *settings.classes])
        images.save_picture(place, done.image, {"dream": what, "seed": str(settings.seed), **text})
        if curve and done.curve:
            save_curve(curve, [{"loss": v} for v in done.curve], f"{Path(photo).name}: {what}")
        count = moments.finish(done.image.shape[:2])
    h, w = done.image.shape[:2]
    losses = f"loss {done.curve[0]:.4g} -> {done.curve[-1]:.4g}"
    print(f"{what}, {len(done.octaves)} octaves up to {w}x{h} px, {losses} -> {place}")
    if count:
        print(f"{count} frames -> {film}")
    return _ended(done.outcome.exit_code, place)


def _ended(code: int, place: str) -> int:
    import sys

    if code:
        print(f"facegan dream: interrupted; the picture so far is {place}", file=sys.stderr)
    return code


def _from_noise(
    classifier: Classifier, settings: DreamSettings, place: str, columns: int, every: int, pictures: str,
    film: str, fps: float, curve: str, text: dict[str, str], live: Live,
) -> int:  # fmt: skip
    from facegan import figures, images
    from facegan.pixels import visualise
    from facegan.pixels.moments import Moments, save_curve

    def sheet(found: Any, names: list[str]) -> Any:
        return found[0] if len(found) == 1 else figures.labelled_grid(found, names, columns or None)

    moments = Moments(_kept(place, every, pictures), film, fps)
    with writing("--out", place):
        done = visualise(
            classifier, settings, every=every or 8 * bool(film or pictures),
            on_step=lambda stats: live(status(stats)),
            on_picture=lambda steps, found: moments(steps, images.grid(found, columns or None)),
        )  # fmt: skip
        live.close()
        images.save_picture(place, sheet(done.images, done.names), {"dream": ", ".join(done.names), **text})
        if curve and done.curve:
            save_curve(curve, [{"value": v} for v in done.curve], ", ".join(done.names)[:80])
        count = moments.finish(images.grid(done.images, columns or None).shape[:2])
    print(f"{', '.join(done.names)} -> {place}")
    if count:
        print(f"{count} frames -> {film}")
    return _ended(done.outcome.exit_code, place)


def _fly(
    classifier: Classifier, photo: str, settings: DreamSettings, guide: str, film: str, fps: float,
    frames: int, factor: float, turn: float, centre: tuple[float, float], between: int, live: Live,
) -> int:  # fmt: skip
    import itertools

    from facegan import video
    from facegan.pixels import zoom

    done = 0

    def told(stats: StepStats) -> None:
        live(f"frame {done + 1} of {1 + (frames - 1) * (between + 1)}  {status(stats)}")

    flight = zoom(
        classifier, photo, frames, replace(settings), factor=factor, turn=turn, centre=centre,
        between=between, guide=guide or None, on_step=told,
    )  # fmt: skip

    def counted() -> Any:
        nonlocal done
        for frame in itertools.chain([next(flight)], flight):
            yield frame
            done += 1

    count = video.write_film(film, counted(), fps)
    live.close()
    print(f"{count} frames, {count / fps:.1f} s -> {film}")
    if count < 1 + (frames - 1) * (between + 1):
        return _ended(130, film)
    return 0


def run(argv: list[str]) -> int:
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
