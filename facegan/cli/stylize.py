"""``facegan stylize``: a photo in the style of other pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import __version__
from facegan.cli.dream import loaded
from facegan.cli.main import run_function
from facegan.cli.options import Live, check_ending, with_preset, writing
from facegan.errors import InputError
from facegan.pixels.settings import STYLES, StyleSettings

if TYPE_CHECKING:
    from facegan.pixels import Classifier
    from facegan.pixels.loop import StepStats

PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "model": "vgg19", "settings": STYLES["tutorial"], "every": 100, "mean": "0,0,0", "std": "1,1,1",
    },
}  # fmt: skip


def main(
    content: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONTENT")],
    styles: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STYLE...")] = (),
    model: str = "vgg19",
    settings: Annotated[StyleSettings, tyro.conf.arg(name="")] = StyleSettings(),  # noqa: B008
    out: str = "",
    every: int = 0,
    pictures: str = "",
    film: str = "",
    fps: float = 24.0,
    curve: str = "",
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
    """Paint a photo in the style of one or more pictures.

    Ctrl-C saves the picture so far; the same command then goes on from there, as it does after a crash.

    Args:
        content: the photo that is painted.
        styles: the pictures whose style it gets.
        model: the classifier: a name of torchvision's, an exported program (.pt2), or FILE.py:FUNCTION.
        settings: of the style transfer.
        out: a .png or .jpg; '' is CONTENT-STYLE.png here. Unfinished work lies beside it, as .safetensors.
        every: keep a picture after every so many steps.
        pictures: folder for them; '' is OUT-steps/.
        film: .mp4, .gif or .webp of them.
        fps: frames a second of the film.
        curve: a .png with the losses of each step.
        labels: file with the names of the classes; no style needs it.
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
    if not styles:
        raise InputError("give CONTENT and at least one STYLE picture")
    place = out or f"{Path(content).stem}-{Path(styles[0]).stem}.png"
    check_ending("--out", place, (".png", ".jpg", ".jpeg"))
    if curve:
        check_ending("--curve", curve, (".png",))
    for given in (content, *styles):
        if Path(place).exists() and Path(given).exists() and Path(place).samefile(given):
            raise InputError(f"--out {place}: is one of the pictures themselves; choose another name")
    if every < 0:
        raise InputError(f"--every must be 0 or more, not {every}")
    if film and not every:
        raise InputError("--film is made of the pictures of --every: give both, such as --every 5")
    settings.check(len(styles))
    from facegan.pixels.dreams import photo_of
    from facegan.pixels.moments import check_film

    check_film(film, fps)

    for picture in (content, *styles):  # what is wrong with them is said before the network is loaded
        photo_of(picture)
    for mask in settings.masks:
        if mask != "-":
            photo_of(mask, least=1)
    classifier = loaded(model, labels, weights, input_size, mean, std, device, random_weights, reverse)
    folder = pictures or (str(Path(place).with_suffix("")) + "-steps" if every and not film else "")
    return _paint(classifier, content, styles, settings, place, every, folder, film, fps, curve, Live(quiet))


def status(stats: StepStats) -> str:
    """The live line."""
    v = stats.values
    left = (stats.steps - stats.step) * stats.seconds / max(1, stats.step)
    return (
        f"{v['size']:.0f} px  step {stats.step} of {stats.steps}  style {v['style']:.4g}  "
        f"content {v['content']:.4g}  left {left:.0f} s"
    )


def _paint(
    classifier: Classifier, content: str, styles: tuple[str, ...], settings: StyleSettings, place: str,
    every: int, folder: str, film: str, fps: float, curve: str, live: Live,
) -> int:  # fmt: skip
    from facegan import images
    from facegan.pixels import stylize
    from facegan.pixels.moments import Moments, save_curve

    moments = Moments(folder, film, fps)
    unfinished = Path(place).with_suffix(".safetensors")
    if unfinished.exists() and not live.quiet:
        print(f"going on from {unfinished}", file=sys.stderr)
    try:
        with writing("--out", place):
            done = stylize(
                classifier, content, styles, settings, state=unfinished, every=every, on_picture=moments,
                on_step=lambda stats: live(status(stats)),
            )  # fmt: skip
            live.close()
            names = ", ".join(Path(style).name for style in styles)
            text = {"content": Path(content).name, "styles": names, "model": classifier.name}
            images.save_picture(place, done.image, {**text, "Software": f"facegan {__version__}"})
            if curve and done.curve:
                save_curve(curve, done.curve, f"{Path(content).name}, {names}")
            frames = moments.finish(done.image.shape[:2])
    finally:
        live.close()
    h, w = done.image.shape[:2]
    print(f"{Path(content).name} in the style of {names}, {w}x{h} px -> {place}")
    if frames:
        print(f"{frames} frames -> {film}")
    if done.outcome.exit_code:
        print("facegan stylize: interrupted; the same command goes on from here", file=sys.stderr)
    return done.outcome.exit_code


def run(argv: list[str]) -> int:
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
