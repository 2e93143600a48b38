"""Griffe extension of mkdocs.yml: in docstrings, show ``>>>`` lines as code and Sphinx roles as names."""

from __future__ import annotations

import re
from typing import Any

import griffe

SESSION = re.compile(r"^(?:>>> .*(?:\n|\Z))(?:(?:>>>|\.\.\.) ?.*(?:\n|\Z))*", re.MULTILINE)
ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(?=`)")


class Examples(griffe.Extension):
    """Put a fence around each run of such lines, and take the roles away."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        self._rewrite(obj)

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite the docstring of the package itself, which is no member of anything."""
        self._rewrite(pkg)

    def _rewrite(self, obj: griffe.Object) -> None:
        if obj.docstring and "```pycon" not in obj.docstring.value:
            text = ROLE.sub("", obj.docstring.value)
            obj.docstring.value = SESSION.sub(lambda m: f"```pycon\n{m[0].rstrip()}\n```\n", text)
