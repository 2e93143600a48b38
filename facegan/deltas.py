"""Small files that change a model's weights a little: ``MODEL+delta.safetensors``.

A delta holds, for some tensors of one model, the difference: whole (``full/NAME``), or as two thin factors
(``left/NAME``, ``right/NAME``) whose product it is, the tensor seen as ``rows, -1``. It names its model by
hash. Loading executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facegan.errors import ModelError
from facegan.files import write_bytes
from facegan.generator import Generator

FORMAT = 1


def save_delta(path: str | Path, model_hash: str, tensors: Mapping[str, torch.Tensor], **papers: Any) -> None:
    """Write ``tensors`` (keys as above) in half precision; ``papers`` say how they were made."""
    from safetensors.torch import save

    head = {"format": FORMAT, "model": model_hash, **papers}
    half = {k: v.detach().cpu().clamp(-65504, 65504).half().contiguous() for k, v in sorted(tensors.items())}
    write_bytes(path, save(half, {"facegan-delta": json.dumps(head, sort_keys=True)}))


def load_delta(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The papers, and the difference of each tensor in full; ModelError in one line."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as handle:
            text = (handle.metadata() or {}).get("facegan-delta")
            parts = {key: handle.get_tensor(key).float() for key in handle.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such delta") from None
    except (SafetensorError, OSError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise ModelError(f"{path}: not a readable .safetensors file ({first})") from None
    if text is None:
        raise ModelError(f"{path}: no delta (its header has no 'facegan-delta' entry)")
    try:
        head = json.loads(text)
        if head["format"] != FORMAT:
            raise ModelError(f"{path}: format {head['format']} is not {FORMAT}; is facegan up to date?")
        str(head["model"])
        found = {k[5:]: v for k, v in parts.items() if k.startswith("full/")}
        for key in parts:
            if key.startswith("left/"):
                found[key[5:]] = parts[key] @ parts[f"right/{key[5:]}"]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise ModelError(f"{path}: the header does not describe its tensors ({first})") from None
    if not all(bool(v.isfinite().all()) for v in found.values()):
        raise ModelError(f"{path}: some values are not finite")
    return head, found


def apply_delta(model: Generator, path: str | Path) -> Generator:
    """Add the delta to the model's weights, in place; ModelError where it was made for another."""
    head, differences = load_delta(path)
    if head["model"] != model.hash:
        raise ModelError(
            f"{path}: made for another model (hash {str(head['model'])[:12]}, not {model.hash[:12]})"
        )
    tensors = model.network.state_dict()
    for name, difference in differences.items():
        if name not in tensors or tensors[name].numel() != difference.numel():
            raise ModelError(f"{path}: the model has no tensor '{name[:80]}' of that size")
        tensor = tensors[name]
        tensor.add_(difference.reshape(tensor.shape).to(tensor))
    model.meta = {**model.meta, "delta": {"name": Path(path).name, **head}}
    return model
