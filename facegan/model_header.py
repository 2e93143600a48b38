"""Headers of model files, which are read without PyTorch."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY, FORMAT = "facegan", 1
IDENTITY = "facegan-identity"  # the entry with the model's hash; earlier files have none
TRANSLATOR = "translator"
OTHER_HASH = "the content does not match its hash; the file is damaged"


def without_hash(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a header says of the model, without what it says of the file."""
    return {k: v for k, v in meta.items() if k not in ("format", "hash", IDENTITY)}


def read_header(path: str | Path) -> dict[str, Any]:
    """Return the header of a model file; {} of what is no model file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as handle:
            head = json.loads((handle.metadata() or {}).get(KEY, "{}"))
    except (SafetensorError, OSError, ValueError):
        return {}
    return head if isinstance(head, dict) else {}


WRONG_KIND = {
    "": "this is a translator, which turns photos into pictures: use 'facegan translate'",
    TRANSLATOR: "this is a generator, which makes pictures of latent vectors, and no translator",
}
"""Kind that was wanted -> what to say of a file of the other kind."""


def kind_of(path: str | Path) -> str:
    """Return the kind in the header of a model file; "" for a generator, and for what is no model file."""
    return str(read_header(path).get("kind", ""))


def from_dict(cls: type, values: dict[str, Any]) -> Any:
    """Rebuild a (nested) frozen dataclass from the output of ``dataclasses.asdict`` and JSON."""
    hints = typing.get_type_hints(cls)
    names = {f.name for f in dataclasses.fields(cls)}
    unknown = set(values) - names
    if unknown:
        raise ValueError(f"unknown setting '{sorted(unknown)[0]}'")
    built: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints[name]
        if dataclasses.is_dataclass(hint) and isinstance(value, dict):
            value = from_dict(hint, value)  # type: ignore[arg-type]
        elif isinstance(value, list):
            value = tuple(value)
        built[name] = value
    return cls(**built)
