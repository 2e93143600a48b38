"""Change a face that was found along directions, such as a smile, and keep the result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.files import derived
from facegan.studio.actions import Action
from facegan.studio.actions.photos import adopt, found_face
from facegan.studio.call import Call, Own, Place, Ref, only, optional, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "face", "edits", "hold", "steps")
    found = found_face(project, settings.get("face"))
    edits = setting(settings, "edits", "")
    if not edits.strip():
        raise InputError("edits: move a slider, or say what to change, such as smiling=+2")
    tuned = Own(f"{found.item.name}+{project.relative(found.model.rpartition('+')[2])}")
    return Call(
        "edit",
        {
            "model": tuned if found.tuned else Ref("models", found.item.id, found.item.name),
            "target": Own(project.relative(found.vectors)),
            "edits": edits,
            "hold": None if setting(settings, "hold", True) else "none",
            "labels": found.labels,
            "steps": optional(settings, "steps", 5, least=2, most=25),
            "out": Place(".png"),
        },
        positional=("model", "target", "edits"),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    report.progress("changing the face", 0, 1)
    values = report.values(call)
    done = facegan.edit(**values, say=report.message)
    report.progress("changing the face", 1, 1)
    strip = Path(values["out"])
    adopt(report, derived(strip, "-result.png"), "result", role="picture")
    report.picture(strip, "strip")
    report.file(strip.with_suffix(".npz"), "vectors")
    return {"strengths": done.strengths, "text": done.spelled()}


ACTION = Action("edit", "Change a face", _call, _run)
