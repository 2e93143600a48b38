"""Find the directions of a model, such as smiling, for sliders and edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, only, ref
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "model")
    return Call(
        "directions",
        {"model": ref(settings, "model", project, kind="models"), "figure": Place(".png")},
        positional=("model",),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = report.values(call)
    # Without a file of their own, they are kept where everything that edits faces looks for them.
    found = facegan.directions(**values, out="", on_progress=report.progress)
    report.picture(values["figure"], "directions")
    return {"text": f"{len(found.names)} directions", "names": list(found.names), "hash": found.model_hash}


ACTION = Action("directions", "Find directions", _call, _run, resumable=True)
