"""Read and write deltas, small files that change a model's weights: ``MODEL+delta.safetensors``.

A delta holds, for some tensors of one model, the difference: whole (``full/NAME``), or as two thin factors
(``left/NAME``, ``right/NAME``) whose product it is, the tensor seen as ``rows, -1``. It names its model by
hash. Loading executes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facegan.errors import ModelError
from facegan.generator import Generator
from facegan.model_hash import BELOW
from facegan.tensor_files import half, read_tensors, write_tensors

FORMAT = 1


def save_delta(
    path: str | Path, model_hash: str, tensors: Mapping[str, torch.Tensor], **metadata: Any
) -> None:
    """Write ``tensors`` (keys as above) in half precision; ``metadata`` says how they were made."""
    head = {"format": FORMAT, "model": model_hash, **metadata}
    write_tensors(path, "facegan-delta", head, tensors=half(tensors))


def load_delta(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the metadata and the full difference of each tensor; raise ModelError in one line."""
    with read_tensors(path, "facegan-delta", FORMAT, what="delta") as (head, tensors):
        str(head["model"])
        found = differences(tensors)
    if not all(bool(v.isfinite().all()) for v in found.values()):
        raise ModelError(f"{path}: some values are not finite")
    return head, found


def differences(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the full difference of each of the model's tensors from the tensors of a delta file."""
    parts = {key: value.float() for key, value in tensors.items()}
    found = {k[5:]: v for k, v in parts.items() if k.startswith("full/")}
    for key in parts:
        if key.startswith("left/"):
            found[key[5:]] = parts[key] @ parts[f"right/{key[5:]}"]
    return found


def apply_delta(model: Generator, path: str | Path) -> Generator:
    """Add the delta to the model's weights in place; raise ModelError if it was made for another model."""
    head, found = load_delta(path)
    known = model.hashes
    if head["model"] not in known:
        raise ModelError(
            f"{path}: made for another model (hash {str(head['model'])[:12]}, not {known[0][:12]})"
        )
    below = list(base_hashes(model) if "delta" in model.meta else known)
    add_differences(model, found, str(path))
    model.meta = {**model.meta, "delta": {"name": Path(path).name, **head, BELOW: below}}
    return model


def base_hashes(model: Generator) -> tuple[str, ...]:
    """Return the hashes by which files name the model, or the one below its deltas, whose files it shares."""
    delta = model.meta.get("delta") or {}
    if BELOW in delta:
        return tuple(map(str, delta[BELOW]))
    return (str(delta["model"]),) if "model" in delta else model.hashes


def add_differences(model: Generator, found: Mapping[str, torch.Tensor], name: str) -> None:
    """Add differences to the model's tensors in place; raise ModelError if a tensor does not exist."""
    tensors = model.network.state_dict()
    for key, difference in found.items():
        if key not in tensors or tensors[key].numel() != difference.numel():
            raise ModelError(f"{name}: the model has no tensor '{key[:80]}' of that size")
        tensors[key].add_(difference.reshape(tensors[key].shape).to(tensors[key]))
