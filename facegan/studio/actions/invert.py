"""Find the vector whose picture is nearest to a photo."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegan.studio.actions import Action
from facegan.studio.actions.photos import Live, adopt, photo, show
from facegan.studio.call import Call, Place, only, optional, ref, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

PRESETS = ("quick", "thorough")


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "photo", "model", "face", "preset", "steps", "tune", "labels", "align")
    return Call(
        "invert",
        {
            "photos": photo(settings, "photo", project),
            "model": ref(settings, "model", project, kind="models"),
            "face": optional(settings, "face", 1, least=1, most=1000),
            "preset": optional(settings, "preset", "quick", choices=PRESETS),
            "steps": optional(settings, "steps", 0, most=5000),
            "align": optional(settings, "align", True),
            "tune": optional(settings, "tune", False),
            "labels": setting(settings, "labels", ""),
            "paths": "none",
            "out": Place(""),
        },
        positional=("photos",),
    )


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan
    from facegan.inversion.invert import SearchStep
    from facegan.inversion.results import InversionStopped

    values, live = report.values(call), Live(report)

    def on_step(at: SearchStep) -> None:
        loss = float(at.losses.mean())
        report.progress("searching the face", at.step, max(at.steps, 1), note=f"distance {loss:.4f}")
        live(at.pictures, step=at.step, loss=loss)

    def on_progress(what: str, done: int, total: int) -> None:
        report.progress("adapting the model", done, total)

    options: Any = {"on_step": on_step, "on_progress": on_progress, "say": None}
    try:
        found, stopped = facegan.invert(**values, **options), False
    except InversionStopped as end:
        found, stopped = end.found, True
    folder, name = Path(values["out"]), found.names[0]
    if found.tuned:  # the first picture is the one that a list of results shows
        show(report, found.tuned[name], "tuned", mark=facegan.read_mark(folder / "pairs.png"))
        adopt(report, folder / f"{name}-delta.safetensors", "delta")
    adopt(report, folder / f"{name}.png", "picture")
    show(report, found.photos[0], "photo")
    adopt(report, folder / "vectors.npz", "vectors")
    adopt(report, folder / "curve.png", "curve")
    shutil.rmtree(folder)
    model = call.arguments["model"]
    return {
        "model": model.id,
        "labels": call.arguments["labels"],
        "stopped": stopped,
        "tuned": bool(found.tuned),
        "space": found.vectors.space,
        "errors": {key: float(values[0]) for key, values in found.errors.items()},
        "tuned_errors": {key: float(values[0]) for key, values in found.tuned_errors.items()},
        "text": str(found).splitlines()[1].strip(),
    }


ACTION = Action("invert", "Find a photo in a model", _call, _run)
