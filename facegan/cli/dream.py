"""``facegan dream``: a photo, or noise, in which a classifier sees ever more of what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import tyro

from facegan import bars
from facegan.bars import clock
from facegan.cli.main import run_function
from facegan.cli.options import FLAT, notify, with_preset
from facegan.pixels.dreams.config import DREAMS, DreamConfig, FlightConfig
from facegan.pixels.settings import ClassifierConfig, SnapshotConfig

if TYPE_CHECKING:
    from facegan.pixels.dreams.dream import Dreamed
    from facegan.pixels.loop import StepStats

# The tutorial's network, and what it does to pictures before its network sees them.
PRESETS: dict[str, dict[str, Any]] = {
    "tutorial": {
        "settings": DREAMS["tutorial"],
        "classifier": ClassifierConfig(
            "vgg19", mean=f"{103.939 / 255},{116.779 / 255},{123.68 / 255}", std="1,1,1", reverse=True
        ),
        "keep": SnapshotConfig(every=1),
    },
}


def main(
    photo: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")] = "",
    settings: Annotated[DreamConfig, FLAT] = DreamConfig(),  # noqa: B008
    guide: str = "",
    *,
    out: str = "",
    columns: int = 0,
    keep: Annotated[SnapshotConfig, FLAT] = SnapshotConfig(),  # noqa: B008
    flight: Annotated[FlightConfig, FLAT] = FlightConfig(),  # noqa: B008
    classifier: Annotated[ClassifierConfig, FLAT] = ClassifierConfig(),  # noqa: B008
    preset: str = "",
    quiet: bool = False,
) -> int:
    """Change a photo so that a classifier sees more of what it already sees.

    Without a photo, draw a picture from noise for each layer, channel or class. Ctrl-C saves the current
    picture.

    Args:
        photo: the photo; without one, start from noise.
        settings: of the dream.
        guide: a picture whose features to amplify instead of the photo's own.
        out: a .png or .jpg; '' is PHOTO-dream.png here.
        columns: of the sheet of pictures from noise; 0 makes it about square.
        keep: what is kept on the way.
        flight: into the dream.
        classifier: that dreams.
        preset: tutorial: the settings of the tutorial; other options still win.
        quiet: no live line.
    """
    from facegan.pixels.dreams.api import dream
    from facegan.pixels.dreams.dream import Dreamed

    line = bars.Line()
    try:
        done = dream(
            photo or None,
            model=classifier,
            config=settings,
            guide=guide or None,
            keep=keep,
            flight=flight,
            out=out or ("" if not flight.zoom else None),
            columns=columns,
            on_step=None if quiet else lambda stats: line.show(status(stats)),
        )
    finally:
        line.close()
    if flight.zoom:
        print(f"{done.frames} frames, {done.frames / keep.fps:.1f} s -> {keep.film}")
    else:
        print(f"{describe(done) if isinstance(done, Dreamed) else ', '.join(done.names)} -> {done.path}")
        if done.frames:
            print(f"{done.frames} frames -> {keep.film}")
    if done.outcome.exit_code:
        notify(f"facegan dream: interrupted; the picture so far is {done.path}")
    return done.outcome.exit_code


def describe(done: Dreamed) -> str:
    """Return one line on a dream."""
    height, width = done.image.shape[:2]
    octaves = f"{len(done.octaves)} octave{'s' * (len(done.octaves) != 1)}"
    losses = f", loss {done.curve[0]:.4g} -> {done.curve[-1]:.4g}" if done.curve else ""
    return f"{', '.join(done.names)}, {octaves} up to {width}x{height} px{losses}"


def status(stats: StepStats) -> str:
    """Return the live line."""
    frame = f"frame {stats.values['frame']} of {stats.values['frames']}  " if "frame" in stats.values else ""
    octave = f"octave {stats.values['octave']:g}  " if "octave" in stats.values else ""
    left = clock((stats.steps - stats.step) * stats.seconds / max(1, stats.step))
    return f"{frame}{octave}step {stats.step} of {stats.steps}  loss {stats.loss:.4g}  left {left}"


def run(argv: list[str]) -> int:
    """Run the command."""
    return int(run_function(with_preset(main, PRESETS, argv), argv) or 0)
