"""Write a model as a file for other programs, or as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

FORMATS = {
    "page": ".html",
    "onnx": ".onnx",
    "program": ".pt2",
    "keras": ".keras",
    "weights": ".pt",
    "arrays": ".npz",
}
"""What is chosen in the page -> the ending of the file."""


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "model", "format", "weights", "title", "direction")
    return Call(
        "export_model",
        {
            "model": ref(settings, "model", project, kind="models"),
            "out": Place(FORMATS[setting(settings, "format", "page", choices=FORMATS)]),
            "weights": optional(settings, "weights", "auto"),
            "title": optional(settings, "title", ""),
            "direction": optional(settings, "direction", ""),
        },
        positional=("model",),
        subcommand="export",
        prose=("title",),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    report.progress("exporting", 0, 1)
    values = report.values(call)
    done = facegan.export_model(**values)
    report.progress("exporting", 1, 1)
    report.file(values["out"], "export")
    return {
        "kind": done.kind,
        "bytes": done.size,
        "parity": str(done.parity) if done.parity else "",
    }


ACTION = Action("export", "Export a model", _call, _run)
