"""Measure a generator against the real pictures of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.errors import InputError
from facegan.metrics.registry import FEATURE_NAMES
from facegan.studio.actions import Action
from facegan.studio.call import Call, only, optional, ref
from facegan.studio.project import Project
from facegan.studio.report import JobReport


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "model", "dataset", "features", "metrics", "split", "count", "truncation", "labels")
    features = optional(settings, "features", "faces")
    if features not in (None, *FEATURE_NAMES):
        raise InputError(f"features: choose one of {', '.join(FEATURE_NAMES)}")
    return Call(
        "evaluate",
        {
            "subject": ref(settings, "model", project, kind="models"),
            "against": ref(settings, "dataset", project, kind="datasets"),
            "table": features,
            "metrics": optional(settings, "metrics", ""),
            "split": optional(settings, "split", ""),
            "count": optional(settings, "count", 0, most=50_000),
            "truncation": optional(settings, "truncation", 1.0, most=10),
            "labels": optional(settings, "labels", ""),
        },
        positional=("subject",),
        flags={"table": "features"},
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    done = facegan.evaluate(**report.values(call), on_progress=report.progress, say=report.message)
    rows = [
        {"name": name, "title": value.title, "better": value.better, "reading": value.reading}
        | {"digits": value.digits, "value": done.values[name], "real": done.real.get(name)}
        | {end: done.values.get(f"{name}_{end}") for end in ("low", "high")}
        for name, value, _, _ in done.rows()
    ]
    return {**done.to_dict(), "rows": rows, "text": str(done)}


ACTION = Action("evaluate", "Measure a model", _call, _run)
