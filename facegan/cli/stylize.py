"""``facegan stylize``: a photo in the style of other pictures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import __version__
from facegan.cli.main import run_function
from facegan.cli.options import Live, with_preset, writing
from facegan.cli.pixel_flags import ClassifierFlags, KeepFlags, left
from facegan.errors import InputError
from facegan.files import derived, fit_name, photo_path
from facegan.pixels.settings import STYLES, StyleSettings

if TYPE_CHECKING:
    from facegan.pixels import Classifier
    from facegan.pixels.loop import StepStats

PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "settings": STYLES["tutorial"], "classifier": ClassifierFlags("vgg19", mean="0,0,0", std="1,1,1"),
        "keep": KeepFlags(every=100),
    },
}  # fmt: skip
FLAT = tyro.conf.arg(name="")


def main(
    content: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONTENT")],
    styles: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STYLE...")] = (),
    settings: Annotated[StyleSettings, FLAT] = StyleSettings(),  # noqa: B008
    out: str = "",
    keep: Annotated[KeepFlags, FLAT] = KeepFlags(),  # noqa: B008
    classifier: Annotated[ClassifierFlags, FLAT] = ClassifierFlags(),  # noqa: B008
    preset: str = "",
) -> int:
    """Paint a photo in the style of one or more pictures.

    Ctrl-C saves the picture so far; the same command then goes on from there, as it does after a crash.

    Args:
        content: the photo that is painted.
        styles: the pictures whose style it gets, or sample:strokes, sample:mosaic, sample:waves.
        settings: of the style transfer.
        out: a .png or .jpg; '' is CONTENT-STYLE.png here. Unfinished work lies beside it, as .safetensors.
        keep: what is kept on the way.
        classifier: whose layers content and style are.
        preset: tutorial: the settings of the tutorial; other options still win.
    """
    from facegan.pixels.dreams.dream import photo_of

    if not styles:
        raise InputError("give CONTENT and at least one STYLE picture")
    place = out or fit_name(f"{photo_path(content).stem}-{photo_path(styles[0]).stem}", ".png")
    settings.check(len(styles))
    keep.check(place, (content, *styles, *settings.masks))
    if (keep.film or keep.pictures) and not keep.every:
        raise InputError("--film and --pictures keep what --every says: give it, too, such as --every 5")
    for picture in (content, *styles):  # what is wrong with them is said before the network is loaded
        photo_of(picture)
    for mask in settings.masks:
        if mask != "-":
            photo_of(mask, least=1)
    network, live = classifier.load(), Live(keep.quiet)
    try:
        return _paint(network, content, styles, settings, place, keep, live)
    finally:
        live.close()


def status(stats: StepStats) -> str:
    """The live line."""
    v = stats.values
    return (
        f"{v['size']:.0f} px  step {stats.step} of {stats.steps}  style {v['style']:.4g}  "
        f"content {v['content']:.4g}  {left(stats)}"
    )


def _paint(
    network: Classifier, content: str, styles: tuple[str, ...], settings: StyleSettings, place: str,
    keep: KeepFlags, live: Live,
) -> int:  # fmt: skip
    from facegan import images
    from facegan.pixels import stylize
    from facegan.pixels.snapshots import save_curve

    unfinished = derived(place, ".safetensors")
    snapshots = keep.snapshots(place, going_on=unfinished.exists())
    if unfinished.exists() and not keep.quiet:
        print(f"going on from {unfinished}", file=sys.stderr)
    names = ", ".join(photo_path(style).name for style in styles)
    with writing("--out", place):
        done = stylize(
            network, content, styles, settings, state=unfinished, every=keep.every, on_picture=snapshots,
            on_step=lambda stats: live(status(stats)),
        )  # fmt: skip
        live.close()
        text = {"content": photo_path(content).name, "styles": names, "model": network.name}
        images.save_picture(place, done.image, {**text, "Software": f"facegan {__version__}"})
    if not done.outcome.exit_code:
        unfinished.unlink(missing_ok=True)  # now that the picture is safe
    if keep.curve and done.curve:
        with writing("--curve", keep.curve):
            save_curve(keep.curve, done.curve, f"{photo_path(content).name}, {names}")
    with writing("--film", keep.film):
        frames = snapshots.finish(done.outcome.steps, done.image)
    h, w = done.image.shape[:2]
    print(f"{photo_path(content).name} in the style of {names}, {w}x{h} px -> {place}")
    if frames:
        print(f"{frames} frames -> {keep.film}")
    if done.outcome.exit_code:
        print("facegan stylize: interrupted; the same command goes on from here", file=sys.stderr)
    return done.outcome.exit_code


def run(argv: list[str]) -> int:
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
