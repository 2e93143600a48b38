"""Save those pictures of a dataset of which an expression is true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.errors import InputError
from facegan.studio.actions import Action
from facegan.studio.actions.prepare import show_dataset
from facegan.studio.call import Call, new, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "dataset", "expression", "name", "min_confidence", "split")
    expression = setting(settings, "expression", "")
    if not expression.strip():
        raise InputError("expression: say which pictures, for example smiling and not eyeglasses")
    return Call(
        "select",
        {
            "dataset": ref(settings, "dataset", project, kind="datasets"),
            "expression": expression,
            "out": new(settings, "name", project, kind="datasets"),
            "min_confidence": optional(settings, "min_confidence", 0.0, most=1),
            "split": setting(settings, "split", ""),
        },
        positional=("dataset", "expression"),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    made = facegan.select(**report.values(call), on_progress=report.progress)
    item = show_dataset(made.dataset, report)
    return {"dataset": item, "counts": made.dataset.counts, "before": made.before, "unknown": made.unknown}


ACTION = Action("select", "Save a selection", _call, _run)
