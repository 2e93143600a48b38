"""Draw the pictures of seeds to a file of the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.errors import InputError
from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "model", "points", "labels", "truncation", "numbered")
    points = setting(settings, "points", "seed:0-24")
    if not points.startswith("seed:"):
        raise InputError("points: name seeds, such as seed:0-24 or seed:3,7")
    return Call(
        "generate",
        {
            "model": ref(settings, "model", project, kind="models"),
            "points": [points],
            "labels": optional(settings, "labels", ""),
            "truncation": optional(settings, "truncation", 1.0, most=10),
            "numbered": optional(settings, "numbered", False),
            "out": Place(".png"),
        },
        positional=("model", "points"),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = report.values(call)
    done = facegan.generate(**values, say=report.message)
    report.picture(values["out"], "sheet")
    return {"text": str(done)}


ACTION = Action("generate", "Draw faces", _call, _run)
