"""Measure a generator against real pictures, or a translator on held-out ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from facegan.errors import InputError
from facegan.files import write_bytes
from facegan.metrics.registry import FEATURE_NAMES
from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, only, optional, ref
from facegan.studio.project import Project
from facegan.studio.report import JobReport
from facegan.studio.wording import plain_words

NUMBERS = Place(".json", "evaluation")
"""What ``facegan evaluate --json`` writes, which ``facegan publish`` reads."""


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    common = ("model", "dataset", "features", "metrics", "split", "count")
    only(settings, *common, "truncation", "labels")
    model = ref(settings, "model", project, kind="models")
    arguments = {
        "against": ref(settings, "dataset", project, kind="datasets"),
        "table": optional(settings, "features", "faces", choices=FEATURE_NAMES),
        "metrics": optional(settings, "metrics", ""),
        "split": optional(settings, "split", ""),
        "count": optional(settings, "count", 0, most=50_000),
    }
    of_samples = {
        "truncation": optional(settings, "truncation", 1.0, most=10),
        "labels": optional(settings, "labels", ""),
    }
    flags = {"table": "features"}
    if project.find("models", model.id).facts.get("model") != "translator":
        values = {"subject": model, **arguments, **of_samples}
        return Call("evaluate", values, positional=("subject",), flags=flags)
    for name, value in of_samples.items():
        if value is not None:
            raise InputError(f"{name}: is for generators, and this model is a translator; leave it out")
    values = {"model": model, **arguments}
    return Call("evaluate_translator", values, positional=("model",), subcommand="evaluate", flags=flags)


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = report.values(call)
    if call.function == "evaluate_translator":
        translated = facegan.evaluate_translator(**values, on_progress=report.progress)
        return _shown(translated, "unchanged pictures", _rows_of_translator(translated))
    done = facegan.evaluate(**values, on_progress=report.progress, say=report.message)
    place = report.value(NUMBERS)
    write_bytes(place, json.dumps(done.to_dict(), indent=1).encode() + b"\n")
    report.file(place, "evaluation")
    rows = [
        {"name": name, "title": value.title, "better": value.better, "reading": value.reading}
        | {"digits": value.digits, "value": done.values[name], "real": done.real.get(name)}
        | {end: done.values.get(f"{name}_{end}") for end in ("low", "high")}
        for name, value, _, _ in done.rows()
    ]
    return _shown(done, "real pictures", rows)


def _shown(done: Any, reference: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    warnings = [plain_words(one, {}) for one in done.warnings]
    return {**done.to_dict(), "warnings": warnings, "reference": reference, "rows": rows, "text": str(done)}


def _rows_of_translator(done: Any) -> list[dict[str, Any]]:
    from facegan.metrics.translator_evaluation import VALUES

    found = []
    for name, estimate in done.estimates.items():
        value, before = VALUES[name], done.unchanged.get(name)
        numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        about = {"title": value.title, "better": value.better, "reading": value.reading}
        real = before.value if before is not None else None
        found.append({"name": name, "digits": value.digits, "real": real, **about, **numbers})
    return found


ACTION = Action("evaluate", "Measure a model", _call, _run)
