"""Names of packages that are imported on first use, since what defines them is slow to load."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def importer(
    package: str, places: Mapping[str, str], renamed: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package.

    Args:
        package: its name.
        places: the module in which each name is defined; that of a module of the package is itself.
        renamed: earlier names, which go on working, with those of today.
    """

    def find(name: str) -> Any:
        current = (renamed or {}).get(name, name)
        if current not in places:
            raise AttributeError(f"module '{package}' has no attribute {name!r}")
        module = importlib.import_module(places[current])
        return module if places[current] == f"{package}.{current}" else getattr(module, current)

    return find
