"""The studio's addresses, one file for each group; each has ``ROUTES``, and its row in :data:`MODULES`."""

from __future__ import annotations

import importlib

from starlette.routing import Route

MODULES = (
    "explore",
    "jobs",
    "models",
    "photo",
    "photos",
    "pixels",
    "project",
    "recall",
    "results",
    "share",
    "training",
    "translate",
    "uploads",
)
"""The files of this folder."""


def all_routes() -> list[Route]:
    """Return the routes of all files."""
    found: list[Route] = []
    for name in MODULES:
        found += importlib.import_module(f"{__name__}.{name}").ROUTES
    return found
