"""Checkpoints: one folder each, whole or absent, without pickle.

``checkpoints/000030kimg/`` holds ``state.safetensors`` (networks with buffers, moving average,
optimiser moments, in full precision) and ``state.json`` (counts, configuration, checksum). It is
written under a temporary name, synced, renamed, and the parent synced; only then older ones go.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from facegan.errors import RunError
from facegan.training.step import TrainState

FORMAT = 1
_COUNTS = ("images_seen", "fakes_drawn", "updates", "seconds")


def kimg_name(images_seen: int) -> str:
    """``000030kimg``, or ``000030.064kimg`` between whole thousands; :func:`kimg_of` gives the order."""
    whole, rest = divmod(images_seen, 1000)
    return f"{whole:06d}" + (f".{rest:03d}" if rest else "") + "kimg"


def kimg_of(name: str) -> float:
    """The progress in a name that begins as :func:`kimg_name` has it (as text, 30.064 comes before 30)."""
    return float(name.partition("kimg")[0])


def _modules(state: TrainState) -> dict[str, torch.nn.Module]:
    found = {"generator": state.generator, "discriminator": state.discriminator, "ema": state.ema}
    return {name: module for name, module in found.items() if module is not None}


def _optimizers(state: TrainState) -> dict[str, torch.optim.Optimizer]:
    return {"generator_optimizer": state.g_optimizer, "discriminator_optimizer": state.d_optimizer}


def _tensors(state: TrainState) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for name, module in _modules(state).items():
        for key, value in module.state_dict().items():
            tensors[f"{name}/{key}"] = value
    for name, optimizer in _optimizers(state).items():
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"{name}/{index}/{key}"] = torch.as_tensor(value)
    for key, value in state.sums.items():
        tensors[f"sums/{key}"] = value
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_checkpoint(state: TrainState, folder: Path) -> Path:
    """Write the state under ``folder``/NAME and drop all but the newest ``keep_checkpoints``."""
    from safetensors.torch import save

    name = kimg_name(state.images_seen)
    temporary, final = folder / f".{name}.{os.getpid()}.tmp", folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob(".*.tmp"):
            shutil.rmtree(stale, ignore_errors=True)
        temporary.mkdir()
        content = save(_tensors(state))
        header = {
            "format": FORMAT,
            "sha256": hashlib.sha256(content).hexdigest(),
            "config": state.config.to_dict(),
            "stat_counts": state.counts,
            **{key: getattr(state, key) for key in _COUNTS},
        }
        files = {"state.safetensors": content, "state.json": json.dumps(header, indent=1).encode()}
        for file, data in files.items():
            with open(temporary / file, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
        _sync(temporary)
        if final.exists():
            shutil.rmtree(final)
        os.rename(temporary, final)
        _sync(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise RunError(
            f"{final}: the checkpoint could not be written ({error.strerror}); earlier ones are intact"
        ) from None
    for old in list_checkpoints(folder)[: -state.config.keep_checkpoints]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted((p for p in folder.glob("[0-9]*kimg") if p.is_dir()), key=lambda p: kimg_of(p.name))


def read_header(checkpoint: Path) -> dict[str, Any]:
    return json.loads((checkpoint / "state.json").read_text())


def load_latest(state: TrainState, folder: Path, warn: Callable[[str], None]) -> Path | None:
    """Put the newest intact checkpoint into ``state``; a damaged one is named and passed over."""
    for checkpoint in reversed(list_checkpoints(folder)):
        try:
            _load(state, checkpoint)
            return checkpoint
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            warn(f"{checkpoint}: damaged ({str(error).splitlines()[0]}); trying the one before")
    return None


def _load(state: TrainState, checkpoint: Path) -> None:
    from safetensors.torch import load

    header = read_header(checkpoint)
    if header["format"] != FORMAT:
        raise RunError(f"{checkpoint}: format {header['format']} is not {FORMAT}; is facegan up to date?")
    content = (checkpoint / "state.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != header["sha256"]:
        raise ValueError("the content does not match its checksum")
    groups: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in load(content).items():
        group, _, rest = key.partition("/")
        groups.setdefault(group, {})[rest] = value
    for name, module in _modules(state).items():
        module.load_state_dict(groups[name])
    for name, optimizer in _optimizers(state).items():
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in groups.get(name, {}).items():
            index, _, moment = key.partition("/")
            moments.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        for parameter, values in optimizer.state.items():
            for moment, value in values.items():
                if value.shape == parameter.shape:
                    # Fused Adam walks through memory: moments must lie as their parameter does.
                    values[moment] = torch.empty_like(parameter).copy_(value)
    for key in _COUNTS:
        setattr(state, key, header[key])
    state.sums = {key: value.to(state.device) for key, value in groups.get("sums", {}).items()}
    state.counts = dict(header["stat_counts"])
