"""Change a photo a little, until a classifier sees something else in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.errors import InputError
from facegan.pixels.attacks.config import METHODS, TRANSFORM_NAMES
from facegan.studio.actions import Action
from facegan.studio.actions.photos import Live, adopt, classifier, photo, show
from facegan.studio.call import Call, Place, only, optional
from facegan.studio.project import Project
from facegan.studio.report import JobReport

LEVELS = 4  # the usual largest change of a value, of 255


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "photo", "target", "model", "method", "levels", "steps", "confidence", "robust")
    method = optional(settings, "method", "pgd", choices=METHODS)
    levels = optional(settings, "levels", LEVELS, least=1, most=255)
    robust = settings.get("robust", [])
    if not isinstance(robust, list) or any(name not in TRANSFORM_NAMES for name in robust):
        raise InputError(f"robust: choose from {', '.join(TRANSFORM_NAMES)}")
    measured = method in ("ddn", "fmn")  # they look for the smallest change by themselves
    return Call(
        "attack",
        {
            "photos": photo(settings, "photo", project),
            "target": optional(settings, "target", ""),
            "model": classifier(settings),
            "method": method,
            "epsilon": None if measured or levels is None else f"{levels}/255",
            "steps": optional(settings, "steps", 0, most=10_000),
            "confidence": optional(settings, "confidence", 0.0, most=0.999),
            "robust": robust or None,
            "out": Place(".png"),
        },
        positional=("photos",),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan
    from facegan.cli.attack import describe
    from facegan.files import derived
    from facegan.pixels.loop import StepStats

    values, live = report.values(call), Live(report)

    def on_step(stats: StepStats) -> None:
        probability = stats.values["probability"]
        report.progress("changing the photo", stats.step, stats.steps, note=f"{probability:.1%}")
        live(stats.pictures, step=stats.step, probability=probability)

    [found] = facegan.attack(**values, on_step=on_step)
    place = Path(values["out"])
    report.picture(place, "picture")
    for ending in ("difference", "figure"):
        adopt(report, derived(place, f"-{ending}.png"), ending)
    show(report, found.original, "photo")
    return {
        "text": describe(found),
        "stopped": bool(found.signum),
        "success": found.success,
        "target": found.target_name,
        "probability": found.probability,
        "before": _named(found.before, found.labels),
        "after": _named(found.after, found.labels),
        "levels": round(found.linf * 255),
        "l2": found.l2,
        "changed": found.changed,
        "steps": found.steps,
        "curve": found.curve,
        "window": found.window,
        "size": found.original.shape[:2],
        "face_found": not found.faces or found.window is not None,
        "survived": found.survived,
    }


def _named(rows: list[tuple[int, float]], labels: Any) -> list[dict[str, Any]]:
    return [{"class": number, "name": labels[number], "probability": p} for number, p in rows]


ACTION = Action("attack", "Fool a classifier", _call, _run)
