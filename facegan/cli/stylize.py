"""``facegan stylize``: a photo in the style of other pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import bars
from facegan.bars import clock
from facegan.cli.main import run_function
from facegan.cli.options import FLAT, notify, with_preset
from facegan.files import photo_path
from facegan.pixels.settings import ClassifierConfig, SnapshotConfig
from facegan.pixels.style.config import STYLES, StyleConfig

if TYPE_CHECKING:
    from facegan.pixels.loop import StepStats

PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "settings": STYLES["tutorial"],
        "classifier": ClassifierConfig("vgg19", mean="0,0,0", std="1,1,1"),
        "keep": SnapshotConfig(every=100),
    },
}


def main(
    content: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CONTENT")],
    styles: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="STYLE...")] = (),
    settings: Annotated[StyleConfig, FLAT] = StyleConfig(),  # noqa: B008
    *,
    out: str = "",
    keep: Annotated[SnapshotConfig, FLAT] = SnapshotConfig(),  # noqa: B008
    classifier: Annotated[ClassifierConfig, FLAT] = ClassifierConfig(),  # noqa: B008
    preset: str = "",
    quiet: bool = False,
) -> int:
    """Paint a photo in the style of one or more pictures.

    Ctrl-C saves the picture so far; the same command then continues from there, as it does after a crash.

    Args:
        content: the photo to paint.
        styles: the pictures whose style it gets, or sample:strokes, sample:mosaic, sample:waves.
        settings: of the style transfer.
        out: a .png or .jpg; '' is CONTENT-STYLE.png here. Unfinished work lies beside it, as .safetensors.
        keep: what is kept on the way.
        classifier: whose layers content and style are.
        preset: tutorial: the settings of the tutorial; other options still win.
        quiet: no live line.
    """
    from facegan.pixels.style.stylize import stylize

    line = bars.Line()

    def resumed(work: Path) -> None:
        if not quiet:
            notify(f"going on from {work}")

    try:
        done = stylize(
            content,
            styles,
            model=classifier,
            config=settings,
            out=out,
            keep=keep,
            on_step=None if quiet else lambda stats: line.show(status(stats)),
            on_resume=resumed,
        )
    finally:
        line.close()
    names = ", ".join(photo_path(style).name for style in styles)
    height, width = done.image.shape[:2]
    print(f"{photo_path(content).name} in the style of {names}, {width}x{height} px -> {done.path}")
    if done.frames:
        print(f"{done.frames} frames -> {keep.film}")
    if done.outcome.exit_code:
        notify("facegan stylize: interrupted; the same command goes on from here")
    return done.outcome.exit_code


def status(stats: StepStats) -> str:
    """Return the live line."""
    v = stats.values
    left = clock((stats.steps - stats.step) * stats.seconds / max(1, stats.step))
    return (
        f"{v['size']:.0f} px  step {stats.step} of {stats.steps}  style {v['style']:.4g}  "
        f"content {v['content']:.4g}  left {left}"
    )


def run(argv: list[str]) -> int:
    """Run the command."""
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
