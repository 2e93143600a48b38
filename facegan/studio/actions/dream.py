"""Change a photo, or noise, so that a classifier sees more of what it sees already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from facegan.errors import InputError
from facegan.studio.actions import Action
from facegan.studio.actions.photos import Live, classifier, photo
from facegan.studio.call import Call, Place, only, optional, setting
from facegan.studio.project import Project
from facegan.studio.report import JobReport

SIZE = 512
_HAS_CHANNELS = re.compile(r":[\d,-]+$")
_CHANNELS = re.compile(r"\d+(-\d+)?(=|$)")
NAMES = ("photo", "guide", "model", "layers", "classes", "octaves", "steps", "strength", "size", "seed")


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, *NAMES)
    given = bool(settings.get("photo"))
    size = setting(settings, "size", SIZE, most=4096)
    if size and size < 32:
        raise InputError("size: choose at least 32 px, or 0 for the photo's own")
    octaves = optional(settings, "octaves", 6, least=1, most=20)
    return Call(
        "dream",
        {
            "photo": photo(settings, "photo", project) if given else None,
            "guide": photo(settings, "guide", project) if settings.get("guide") else None,
            "model": classifier(settings),
            "layers": _words(settings, "layers"),
            "classes": _words(settings, "classes"),
            "octaves": octaves if given else None,
            "steps": optional(settings, "steps", 0, most=2000),
            "step_size": optional(settings, "strength", 0.01, least=0.0001, most=0.5),
            "size": size if given and size else None,
            "seed": optional(settings, "seed", 0),
            "out": Place(".png"),
        },
        positional=("photo",) if given else (),
    )


def _words(settings: Mapping[str, Any], name: str) -> list[str] | None:
    """Return the words of a setting, which commas separate, except between channels: ``stem:3,7,10-12``."""
    words: list[str] = []
    for word in (each.strip() for each in setting(settings, name, "").split(",")):
        if words and _HAS_CHANNELS.search(words[-1]) and _CHANNELS.match(word):
            words[-1] += f",{word}"
        elif word:
            words.append(word)
    return words or None


def _run(call: Call, report: JobReport) -> Mapping[str, Any]:
    import facegan
    from facegan.pixels.loop import StepStats

    values, live = report.values(call), Live(report)

    def on_step(stats: StepStats) -> None:
        octave = stats.values.get("octave")
        note = f"size {octave:g}" if octave else ""
        report.progress("dreaming", stats.step, stats.steps, note=note)
        live(stats.pictures, step=stats.step)

    done = facegan.dream(**values, on_step=on_step)
    report.picture(values["out"], "picture")
    return {"names": done.names, "stopped": bool(done.outcome.exit_code), "curve": done.curve}


ACTION = Action("dream", "Let a classifier dream", _call, _run)
