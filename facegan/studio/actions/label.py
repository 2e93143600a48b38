"""Predict the attributes of a dataset's faces, with their confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.studio.actions import Action
from facegan.studio.actions.prepare import show_dataset
from facegan.studio.call import Call, new, only, optional, ref
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "dataset", "name", "min_confidence", "overwrite")
    return Call(
        "label",
        {
            "source": ref(settings, "dataset", project, kind="datasets"),
            "out": new(settings, "name", project, kind="datasets"),
            "min_confidence": optional(settings, "min_confidence", 0.5, most=1),
            "overwrite": optional(settings, "overwrite", False),
        },
        positional=("source",),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    made = facegan.label(**report.values(call), on_progress=report.progress)
    assert made.dataset is not None  # the source is one
    item = show_dataset(made.dataset, report)
    return {"dataset": item, "count": made.labelled.count, "names": made.labelled.names}


ACTION = Action("label", "Predict attributes", _call, _run)
