"""The checkpoints in a run folder: their names, and what can be read without building networks."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facegan.errors import RunError
from facegan.files import failpoint
from facegan.models import meaning, resolve
from facegan.tensor_files import by_group

if TYPE_CHECKING:
    import torch


def kimg_name(images_seen: int) -> str:
    """Return ``000030kimg``, or ``000030.064kimg`` between thousands, to be sorted by :func:`kimg_of`."""
    whole, rest = divmod(images_seen, 1000)
    return f"{whole:06d}" + (f".{rest:03d}" if rest else "") + "kimg"


def kimg_of(name: str) -> float:
    """Return the kimg in a name that begins as :func:`kimg_name` makes it."""
    return float(name.partition("kimg")[0])


def drop(checkpoints: list[Path]) -> None:
    """Remove checkpoints; under another name first, so that none is ever found half removed."""
    for old in checkpoints:
        gone = old.with_name(f".{old.name}.tmp")
        failpoint(f"{old.name}: before its removal")
        os.replace(old, gone)
        failpoint(f"{old.name}: set aside")
        shutil.rmtree(gone, ignore_errors=True)


def version_of(name: str) -> int:
    """Return the number behind the name of a checkpoint that was written again; 0 without one."""
    return int(name.partition("kimg-")[2] or 0)


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the whole checkpoints, oldest first."""
    found = (p for p in folder.glob("[0-9]*kimg*") if re.fullmatch(r"[0-9.]+kimg(-\d+)?", p.name))
    return sorted((p for p in found if p.is_dir()), key=lambda p: (kimg_of(p.name), version_of(p.name)))


def checkpoint_of(reference: str | Path) -> Path | None:
    """Return the newest checkpoint of a run folder, or that of ``RUN@best``; None if none is kept.

    ModelError if the run has no such model.
    """
    found = meaning(reference)
    if found.run is None:
        return None
    known = list_checkpoints(found.run / "checkpoints")
    if found.kind == "folder":
        return known[-1] if known else None
    kimg = kimg_of(resolve(reference).name)
    return next((p for p in reversed(known) if kimg_of(p.name) == kimg), None)


def is_healthy(checkpoint: Path) -> bool:
    """Return whether the watchdog saw nothing suspicious when the checkpoint was written."""
    try:
        return bool(read_header(checkpoint).get("healthy", True))
    except (OSError, ValueError):
        return False


def read_header(checkpoint: Path) -> dict[str, Any]:
    """Return the counts and the configuration of a checkpoint."""
    return json.loads((checkpoint / "state.json").read_text())


def read_networks(checkpoint: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return the networks' tensors by name; RunError if the checkpoint is damaged."""
    from safetensors.torch import load

    try:
        groups = by_group(load((checkpoint / "state.safetensors").read_bytes()))
    except Exception as error:
        raise RunError(f"{checkpoint}: not readable ({str(error).splitlines()[0]})") from None
    others = ("sums", "extra")
    return {k: v for k, v in groups.items() if k not in others and not k.endswith("_optimizer")}
