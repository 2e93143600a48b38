"""Going on with a run: its newest checkpoint, and what is no longer equal to the bit from there on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from facegan import distributed
from facegan.errors import RunError
from facegan.layers.ema import batch_norms
from facegan.layers.feedforward import MinibatchStd
from facegan.runs.callbacks import Listener
from facegan.runs.checkpoints import list_checkpoints, read_header
from facegan.runs.folder import RunFolder
from facegan.training.checkpoint import circumstances, load_latest
from facegan.training.state import TrainState
from facegan.training.trainer import announce


def circumstances_before(run: RunFolder | None, device: torch.device) -> dict[str, Any]:
    """The circumstances in which the run was, where it goes on on the same kind of device; else nothing."""
    for path in reversed(list_checkpoints(run.checkpoints) if run is not None else []):
        with suppress(OSError, ValueError):  # a damaged one is told where it is loaded
            then = dict(read_header(path).get("circumstances", {}))
            return then if then.get("device") == device.type else {}
    return {}


def resume_newest(state: TrainState, run: RunFolder | None, listeners: Sequence[Listener]) -> None:
    """Load the newest checkpoint, if there is one, and say what is no longer bit for bit."""
    folder = run.checkpoints if run is not None else None
    found = load_latest(state, folder, lambda text: announce(listeners, state, text))
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
    announce(listeners, state, f"resumed from {found.name}{note}")


def what_shares_change(state: TrainState, then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What does not take a batch the same way where it is cut into other pieces, or shared by others."""
    modules = [*state.generator.modules(), *state.discriminator.modules()]
    groups = [m.group for m in modules if isinstance(m, MinibatchStd)]
    old, new = (state.config.batch // (c["processes"] * c["accumulate"]) for c in (then, now))
    found = []
    if then["accumulate"] != now["accumulate"]:
        if batch_norms(state.generator):
            found.append("batch norm, which sees one piece at a time,")
        if state.generator.draws_noise or state.discriminator.draws_noise:
            found.append("what noise and dropout draw")
    if any(math.gcd(old, group) != math.gcd(new, group) for group in groups):
        found.append("the groups of minibatch deviation")
    return found
