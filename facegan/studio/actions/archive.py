"""Write a model with its card, graph and page into one archive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from facegan.studio.actions import Action
from facegan.studio.actions.publish import HUB, run
from facegan.studio.call import Call, only, optional, ref
from facegan.studio.project import Project


def _call(settings: Mapping[str, Any], project: Project) -> Call:
    only(settings, "model", "space", "onnx")
    model = ref(settings, "model", project, kind="models")
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", model.name.rpartition("/")[2].removesuffix(".safetensors"))
    return Call(
        "publish",
        {
            "model": model,
            "repo": f"local/{plain.strip('-_') or 'model'}",
            "dry_run": True,
            "out": HUB,
            "space": optional(settings, "space", True),
            "onnx": optional(settings, "onnx", True),
        },
        positional=("model", "repo"),
        prose=("repo",),
    )


ACTION = Action("archive", "Pack a model", _call, run)
