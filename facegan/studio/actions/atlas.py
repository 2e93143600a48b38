"""Lay thousands of faces of a model out by likeness: the map of the view Explore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "model", "count", "labels", "truncation")
    return Call(
        "atlas",
        {
            "model": ref(settings, "model", project, kind="models"),
            "count": setting(settings, "count", 2500, most=20_000),
            "labels": setting(settings, "labels", ""),
            "truncation": optional(settings, "truncation", 1.0, most=10),
            "out": Place(".webp"),
            "layout": Place(".json", "layout"),
        },
        positional=("model",),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = report.values(call)
    done = facegan.atlas(**values, on_progress=report.progress, say=report.message)
    report.picture(values["out"], "map")
    for file, role in zip(done.files[1:], ("page", "layout"), strict=True):
        report.file(file, role)
    return {"text": str(done), "hash": done.model.hash}


ACTION = Action("atlas", "Draw the map of a model", _call, _run)
