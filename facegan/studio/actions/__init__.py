"""The kinds of long work that the studio does, one file for each; imported when first needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from facegan.errors import InputError
from facegan.studio.call import Call
from facegan.studio.project import Project
from facegan.studio.report import JobReport


@dataclass(frozen=True)
class Action:
    """A kind of long work."""

    name: str
    """Its row in ``ACTIONS``."""
    title: str
    """What people read: ``Measure a model``."""
    call: Callable[[Mapping[str, Any], Project], Call]
    """Checks the settings of a request and makes a call of them. It runs in the server, so it imports no
    torch; a FaceganError names the setting. Texts of the request never become paths: items come from
    ``ref``, new ones from ``new``, files to make are ``Place``."""
    run: Callable[[Call, JobReport], Mapping[str, Any]]
    """Works, in a process of its own. It calls the public function with ``report.values(call)`` and returns
    what the page shows, as JSON. With ``draft`` in it, it is not listed among the project's results."""
    resumable: bool = False
    """Whether the same call in the same place goes on where it stopped, as training does."""
    quick: bool = False
    """Whether it takes moments and leaves nothing behind: it waits for no long work, and is no result."""


ACTIONS: dict[str, str] = {
    "archive": "facegan.studio.actions.archive",
    "atlas": "facegan.studio.actions.atlas",
    "attack": "facegan.studio.actions.attack",
    "directions": "facegan.studio.actions.directions",
    "dream": "facegan.studio.actions.dream",
    "edit": "facegan.studio.actions.edit",
    "evaluate": "facegan.studio.actions.evaluate",
    "export": "facegan.studio.actions.export",
    "film": "facegan.studio.actions.film",
    "generate": "facegan.studio.actions.generate",
    "invert": "facegan.studio.actions.invert",
    "label": "facegan.studio.actions.label",
    "plan": "facegan.studio.actions.plan",
    "prepare": "facegan.studio.actions.prepare",
    "publish": "facegan.studio.actions.publish",
    "select": "facegan.studio.actions.select",
    "stylize": "facegan.studio.actions.stylize",
    "train": "facegan.studio.actions.train",
    "translate": "facegan.studio.actions.translate",
}
"""Name -> module with ``ACTION``."""


def get_action(name: Any) -> Action:
    """Return the action of that name; InputError if there is none."""
    if not isinstance(name, str) or name not in ACTIONS:
        raise InputError(f"there is no such action; there are: {', '.join(ACTIONS)}")
    action: Action = importlib.import_module(ACTIONS[name]).ACTION
    return action
