"""Turn a photo, or a drawing, into what a translator makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.studio.actions import Action
from facegan.studio.actions.photos import adopt, photo, show
from facegan.studio.call import Call, Place, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "photo", "model", "direction", "whole", "ready", "face", "steps", "align")
    model = ref(settings, "model", project, kind="models")
    if project.find("models", model.id).facts.get("model") != "translator":
        raise InputError(f"model: {model.name} makes faces of noise; choose a translator")
    whole, ready = (optional(settings, name, False) for name in ("whole", "ready"))
    if whole and ready:
        raise InputError("ready: a drawing holds no photo to put a face back into; leave one of them out")
    steps = optional(settings, "steps", 0, most=25)
    if steps == 1:
        raise InputError("steps: choose from 2 to 25 pictures, or 0")
    return Call(
        "translate",
        {
            "model": model,
            "images": photo(settings, "photo", project),
            "direction": setting(settings, "direction", ""),
            "whole": whole,
            "ready": ready,
            "align": optional(settings, "align", True),
            "face": optional(settings, "face", 0, most=1000),
            "steps": steps,
            "out": Place(".png"),
        },
        positional=("model", "images"),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = report.values(call)
    done = facegan.translate(**values, on_progress=report.progress, say=report.message)
    figure, result = (Path(file) for file in done.files)
    adopt(report, result, "result", role="picture")
    report.picture(figure, "figure")
    show(report, done.inputs[0], "photo" if values.get("whole") else "input")
    return {"model": call.arguments["model"].id, "direction": done.direction, "pictures": done.count}


ACTION = Action("translate", "Translate a photo", _call, _run)
