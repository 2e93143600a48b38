"""Checkpoints: one folder each, whole or absent, without pickle; and how a run goes on from its newest.

``checkpoints/000030kimg/`` holds ``state.safetensors`` (networks with buffers, moving average,
optimiser moments, in full precision) and ``state.json`` (counts, configuration, checksum). It is
written under a temporary name, synced and renamed, and the parent is synced before older ones are removed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from facegan import distributed
from facegan.errors import RunError
from facegan.files import rename, sync_folder, write_synced
from facegan.layers.ema import batch_norms
from facegan.layers.feedforward import MinibatchStd
from facegan.runs.callbacks import Listener, announce
from facegan.runs.checkpoints import (
    drop,
    is_healthy,
    kimg_name,
    kimg_of,
    list_checkpoints,
    read_header,
    version_of,
)
from facegan.runs.folder import RunFolder
from facegan.tensor_files import by_group
from facegan.training.state import TrainState

FORMAT = 1
_COUNTS = [
    "images_seen",
    "fakes_drawn",
    "updates",
    "seconds",
    "lr_scale",
    "watch",
    "best",
    "path_mean",
    "images_before",
]


def _tensors(state: TrainState) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for name, module in state.networks.items():
        for key, value in module.state_dict().items():
            tensors[f"{name}/{key}"] = value
    for name, optimizer in state.optimizers.items():
        for index, values in optimizer.state_dict()["state"].items():
            for key, value in values.items():
                tensors[f"{name}_optimizer/{index}/{key}"] = torch.as_tensor(value)
    for key, value in state.extra.items():
        tensors[f"extra/{key}"] = value
    for key, value in state.sums.items():
        tensors[f"sums/{key}"] = value
    return {key: value.detach().cpu().contiguous() for key, value in tensors.items()}


def circumstances(state: TrainState) -> dict[str, Any]:
    """Return what a resumed run must share with an uninterrupted one to end bit for bit as it does."""
    return {
        "device": state.device.type,
        "processes": distributed.world(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "precision": state.config.precision,
        "accumulate": state.config.accumulate,
    }


def save_checkpoint(state: TrainState, folder: Path, healthy: bool = True) -> Path:
    """Write the state under ``folder`` and drop what is no longer needed.

    The newest ``keep_checkpoints`` stay, the newest ``healthy`` one, to which the watchdog goes back, and
    the best one by the run's metric.
    """
    from safetensors.torch import save

    name = kimg_name(state.images_seen)
    final = folder / name
    temporary = folder / f".{name}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        content = save(_tensors(state))
        header = {
            "format": FORMAT,
            "sha256": hashlib.sha256(content).hexdigest(),
            "config": state.config.to_dict(),
            "stat_counts": state.counts,
            "healthy": healthy,
            "circumstances": circumstances(state),
            "augment": state.augment.state(),
            **{key: vars(state)[key] for key in _COUNTS},
            "path_mean": float(state.path_mean),  # which lies on the device
        }
        write_synced(temporary / "state.safetensors", content)
        write_synced(temporary / "state.json", json.dumps(header, indent=1).encode())
        sync_folder(temporary)
        if final.exists():  # a name of its own: nothing whole is removed before this one stands
            newest = max(version_of(p.name) for p in list_checkpoints(folder) if p.name.startswith(name))
            final = folder / f"{name}-{newest + 1}"
        rename(temporary, final)
        sync_folder(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise RunError(
            f"{final}: the checkpoint could not be written ({error.strerror}); earlier ones are intact; "
            "the same command goes on from them"
        ) from None
    best = state.best.get("images_seen", -1)
    drop(_superfluous(folder, state.config.keep_checkpoints, best))
    return final


def _superfluous(folder: Path, keep: int, best: int) -> list[Path]:
    older = list_checkpoints(folder)[:-keep]
    newest_healthy = next((p for p in reversed(list_checkpoints(folder)) if is_healthy(p)), None)
    return [p for p in older if p != newest_healthy and round(kimg_of(p.name) * 1000) != best]


def load_latest(
    state: TrainState, folder: Path | None, warn: Callable[[str], None], *, healthy: bool = False
) -> Path | None:
    """Put the newest intact (and ``healthy``) checkpoint into ``state``; a damaged one is passed over.

    In several processes the first alone has a ``folder``; all take the one that it can read.
    """
    for checkpoint in reversed(list_checkpoints(folder)) if folder is not None else ():
        if healthy and not is_healthy(checkpoint):
            continue
        try:
            load_checkpoint(state, checkpoint)
            return distributed.from_first(checkpoint)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            warn(f"{checkpoint}: damaged ({str(error).splitlines()[0]}); trying the one before")
    chosen = distributed.from_first(None)
    if chosen is not None:
        load_checkpoint(state, chosen)
    return chosen


def load_checkpoint(state: TrainState, checkpoint: Path) -> None:
    """Put a checkpoint into ``state``; ValueError if it does not match its checksum."""
    from safetensors.torch import load

    header = read_header(checkpoint)
    if header["format"] != FORMAT:
        raise RunError(f"{checkpoint}: format {header['format']} is not {FORMAT}; is facegan up to date?")
    content = (checkpoint / "state.safetensors").read_bytes()
    if hashlib.sha256(content).hexdigest() != header["sha256"]:
        raise ValueError("the content does not match its checksum")
    groups = by_group(load(content))
    for name, module in state.networks.items():
        module.load_state_dict(groups[name])
    for name, optimizer in state.optimizers.items():
        _load_optimizer(optimizer, groups.get(f"{name}_optimizer", {}))
    # The last to change: a damaged file leaves the counts alone.
    vars(state).update({key: header[key] for key in _COUNTS if key in header})
    if "best" in state.watch:  # where version 0.1 kept it
        state.best = state.watch.pop("best")
    if "augment" in header:
        state.augment.load(header["augment"])
    state.sums = {key: value.to(state.device) for key, value in groups.get("sums", {}).items()}
    state.extra = {key: value.to(state.device) for key, value in groups.get("extra", {}).items()}
    state.counts = dict(header["stat_counts"])


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    moments = {int(index): values for index, values in by_group(tensors).items()}
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, values in optimizer.state.items():
        for moment, value in values.items():
            if value.shape == parameter.shape:
                # Fused Adam walks through memory: moments must lie as their parameter does.
                values[moment] = torch.empty_like(parameter).copy_(value)


# --- resuming ---------------------------------------------------------------------------------------


def circumstances_before(run: RunFolder | None, device: torch.device) -> dict[str, Any]:
    """Return the circumstances of the newest checkpoint; {} if it is of another kind of device."""
    for path in reversed(list_checkpoints(run.checkpoints) if run is not None else []):
        with suppress(OSError, ValueError):  # loading warns of a damaged one
            then = dict(read_header(path).get("circumstances", {}))
            return then if then.get("device") == device.type else {}
    return {}


def resume_newest(state: TrainState, run: RunFolder | None, listeners: Sequence[Listener]) -> None:
    """Load the newest checkpoint, if there is one, and announce what has changed since."""
    folder = run.checkpoints if run is not None else None
    found = load_latest(state, folder, lambda text: announce(listeners, state.images_seen, text))
    distributed.first_does(lambda: _resumed(state, run, listeners, found=found))


def _resumed(
    state: TrainState, run: RunFolder | None, listeners: Sequence[Listener], *, found: Path | None
) -> None:
    assert run is not None
    if list_checkpoints(run.checkpoints) and found is None:
        raise RunError(
            f"{run.checkpoints}: every checkpoint is damaged; the models are kept; choose another --out"
        )
    run.truncate(state.images_seen if found is not None else -1)
    if found is None:
        return
    then, now = read_header(found).get("circumstances", {}), circumstances(state)
    changed = [
        f"{name} {then[name]} -> {now[name]}" for name in now if then.get(name, now[name]) != now[name]
    ]
    but = " and ".join([*what_shares_change(state, {**now, **then}, now), "rounding"])
    note = f"; {', '.join(changed)}: from here on equal but for {but}, not bit for bit" if changed else ""
    announce(listeners, state.images_seen, f"resumed from {found.name}{note}")


def what_shares_change(state: TrainState, then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what treats a batch differently when it is cut or shared in another way."""
    trained = [state.networks[name] for name in state.optimizers]
    modules = [module for network in trained for module in network.modules()]
    groups = [m.group for m in modules if isinstance(m, MinibatchStd)]
    old, new = (state.config.batch // (c["processes"] * c["accumulate"]) for c in (then, now))
    found = []
    if then["accumulate"] != now["accumulate"]:
        if any(batch_norms(state.networks[name]) for name in state.optimizers if name[0] == "g"):
            found.append("batch norm, which sees one piece at a time,")
        if any(network.draws_noise for network in trained):
            found.append("what noise and dropout draw")
    if any(math.gcd(old, group) != math.gcd(new, group) for group in groups):
        found.append("the groups of minibatch deviation")
    return found
