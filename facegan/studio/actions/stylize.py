"""Paint a photo in the style of other pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.pixels.style.config import MAX_SIDE
from facegan.studio.actions import Action
from facegan.studio.actions.photos import Live, changed, classifier, photo, photos
from facegan.studio.call import Call, Place, only, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

NAMES = ("photo", "styles", "model", "size", "steps", "content_weight", "style_scale", "keep_colours", "seed")


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, *NAMES)
    size, steps = setting(settings, "size", 512, most=MAX_SIDE), setting(settings, "steps", 100, most=2000)
    if size < 32 or steps < 1:
        raise InputError("size: choose at least 32 px" if size < 32 else "steps must be at least 1")
    scale = setting(settings, "style_scale", 1.0, most=20)
    if scale < 0.05:
        raise InputError("style_scale: choose from 0.05 to 20")
    return Call(
        "stylize",
        {
            "content": photo(settings, "photo", project),
            "styles": photos(settings, "styles", project, styles=True),
            "model": changed(classifier(settings), "faces"),
            "size": changed(size, 512),
            "steps": changed(steps, 100),
            "content_weight": changed(setting(settings, "content_weight", -1.0, least=-1, most=1000), -1.0),
            "style_scale": changed(scale, 1.0),
            "keep_colours": changed(setting(settings, "keep_colours", False), False),
            "seed": changed(setting(settings, "seed", 0), 0),
            "out": Place(".png"),
        },
        positional=("content", "styles"),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan
    from facegan.pixels.loop import StepStats

    values, live = report.values(call), Live(report)

    def on_step(stats: StepStats) -> None:
        report.progress("painting", stats.step, stats.steps, note=f"{stats.values['size']:.0f} px")
        live(stats.pictures, step=stats.step)

    done = facegan.stylize(**values, on_step=on_step)
    report.picture(values["out"], "picture")
    Path(values["out"]).with_suffix(".safetensors").unlink(missing_ok=True)  # of work that was stopped
    return {"stopped": bool(done.outcome.exit_code), "steps": len(done.curve)}


ACTION = Action("stylize", "Paint in another style", _call, _run)
