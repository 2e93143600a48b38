"""Film a way through favourites, with even steps and as a video of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facegan.errors import InputError
from facegan.seeds import parse_seeds
from facegan.studio.actions import Action
from facegan.studio.call import Call, Place, Ref, file_ref, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

FORMATS = (".mp4", ".gif", ".webp")
NAMES = ("model", "points", "vectors", "labels", "seconds", "fps", "loop", "truncation", "format", "scale")


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, *NAMES)
    return Call(
        "film",
        {
            "model": ref(settings, "model", project, kind="models"),
            "points": [_points(settings, project)],
            "labels": setting(settings, "labels", ""),
            "seconds": setting(settings, "seconds", 0.0, most=3600),
            "fps": setting(settings, "fps", 24.0, most=120),
            "loop": setting(settings, "loop", True),
            "truncation": optional(settings, "truncation", 1.0, most=10),
            "scale": optional(settings, "scale", 0, most=64),
            "out": Place(setting(settings, "format", ".mp4", choices=FORMATS)),
        },
        positional=("model", "points"),
    )


def _points(settings: Mapping[str, Any], project: Project) -> str | Ref:
    """Return seeds as a text, or the result that holds vectors."""
    if settings.get("vectors"):
        return file_ref(settings, "vectors", project)
    text: str = setting(settings, "points", "seed:0-5")
    if not text.startswith("seed:"):
        raise InputError("points: name seeds, such as seed:3,8")
    parse_seeds(text, "points")
    return text


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan

    values = report.values(call)
    done = facegan.film(**values, on_progress=report.progress, say=report.message)
    report.picture(values["out"], "film")
    return {"text": str(done), "hash": done.sampler.hash}


ACTION = Action("film", "Film a way through faces", _call, _run)
