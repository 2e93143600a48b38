"""Paint a photo in the style of other pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.pixels.style.config import MAX_SIDE
from facegan.studio.actions import Action
from facegan.studio.actions.photos import Live, classifier, photo, styles
from facegan.studio.call import Call, Place, only, optional
from facegan.studio.project import Project
from facegan.studio.report import JobReport

NAMES = ("photo", "styles", "model", "size", "steps", "content_weight", "style_scale", "keep_colours", "seed")


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, *NAMES)
    return Call(
        "stylize",
        {
            "content": photo(settings, "photo", project),
            "styles": styles(settings, "styles", project),
            "model": classifier(settings),
            "size": optional(settings, "size", 512, least=32, most=MAX_SIDE),
            "steps": optional(settings, "steps", 100, least=1, most=2000),
            "content_weight": optional(settings, "content_weight", -1.0, least=-1, most=1000),
            "style_scale": optional(settings, "style_scale", 1.0, least=0.05, most=20),
            "keep_colours": optional(settings, "keep_colours", False),
            "seed": optional(settings, "seed", 0),
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
