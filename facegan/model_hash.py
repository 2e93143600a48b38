"""The hashes by which files name a model.

A model's hash is over what it does: its configuration and its weights in half precision. Where it came from
stands beside that (:data:`BESIDE`), so the same training in another folder, or one that went on elsewhere,
ends with the same hash. Earlier versions named models by the hash of the whole header, which files still have
to show damage; what they wrote for a model is known by it (:func:`former_hash`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from facegan.model_header import IDENTITY, KEY, without_hash
from facegan.tensor_files import MAX_HALF, canonical_json

BESIDE = frozenset({"provenance", "alignment", "licence", "delta"})
"""Entries of a header that do not count: they change no picture that the model makes."""
DISCRIMINATOR = "discriminator"
"""The settings that do not count, for the same reason; they may name files."""
BELOW = "below"
"""The entry of ``delta`` with the hashes of the model without it, which earlier versions did not write."""

Part = tuple[str, tuple[int, ...], str, bytes]
"""Name, shape, torch's name of the type, and values of a tensor, floats in half precision."""
Parts = Callable[[], Iterable[Part]]
"""A function that yields all tensors, sorted by name."""


def content_hash(meta: dict[str, Any], parts: Parts) -> str:
    """Return the SHA-256 of the whole header and the tensors, by which damage shows."""
    digest = hashlib.sha256(canonical_json(without_hash(meta)).encode())
    for name, shape, kind, values in parts():
        digest.update(f"\n{name} {shape} {kind}\n".encode())
        digest.update(values)
    return digest.hexdigest()


def model_hash(meta: dict[str, Any], parts: Parts) -> str:
    """Return the SHA-256 of configuration and tensors, which models of equal weights share."""
    core = {k: v for k, v in meta.items() if k not in BESIDE}
    config = {k: v for k, v in core.get("config", {}).items() if k != DISCRIMINATOR}
    return content_hash({**core, "config": config}, parts)


def former_hash(meta: dict[str, Any], parts: Parts) -> str:
    """Return the hash by which earlier versions named the model."""
    if BELOW in (meta.get("delta") or {}):
        meta = {**meta, "delta": {k: v for k, v in meta["delta"].items() if k != BELOW}}
    return content_hash(meta, parts)


def checked_hash(meta: dict[str, Any], parts: Parts) -> str:
    """Return the :func:`model_hash` of what a file holds; "" if that is not what was written."""
    digest = model_hash(meta, parts) if content_hash(meta, parts) == meta["hash"] else ""
    return digest if meta.get(IDENTITY) in (None, digest) else ""


def hash_of_file(path: str | Path) -> str:
    """Return the :func:`model_hash` of a model's file, without torch.

    It is "" for a file that cannot be read.
    """
    import json

    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as handle:
            meta = json.loads((handle.metadata() or {})[KEY])
            return model_hash(meta, lambda: (as_part(k, handle.get_tensor(k)) for k in sorted(handle.keys())))
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError):
        return ""


def as_part(name: str, values: Any) -> Part:
    """Return an array of NumPy as hashes take it."""
    import numpy as np

    # Bounds are slow in half precision, where they change what is infinite or NaN alone: bits above 0x7BFF.
    finite = values.dtype == np.float16 and not (values.view(np.uint16) & 0x7FFF > 0x7BFF).any()
    if np.issubdtype(values.dtype, np.floating) and not finite:
        values = values.clip(-MAX_HALF, MAX_HALF).astype(np.float16)
    return name, tuple(values.shape), f"torch.{values.dtype}", values.tobytes()
