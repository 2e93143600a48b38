"""An estimate of how long a training will take, by two or three updates with few pictures.

``--dry-run`` measures real updates and takes its time for it; this one takes a few seconds, also where one
update takes a minute, and may be wrong by a third.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from facegan.data.dataset import Dataset
from facegan.devices import pick_device
from facegan.errors import ConfigError
from facegan.families import get_family
from facegan.machine import OtherWork, cores
from facegan.recipes.choice import image_shape, pick_recipe, surroundings
from facegan.recipes.config import TrainConfig, check, override, update_kinds
from facegan.recipes.table import RECIPES
from facegan.runs.page import duration
from facegan.training.initialization import with_precision
from facegan.training.objective import train_step
from facegan.training.out_of_memory import finished_run

LONG_SECONDS = 12 * 3600.0  # a training that takes longer is announced as long
SHORT_SECONDS = 5 * 3600.0  # of the quick variant that is offered beside it
_FEW_PICTURES, _MORE_PICTURES = 2, 8  # pictures in an update
_QUICK_SECONDS = 0.5  # seconds: an update that takes less is measured with more pictures, too
_SLOW_SECONDS = 4.0  # one that takes so long is measured once
_MIN_KIMG = 5.0  # kimg; what is shorter is not looked at


def whole_seconds(config: TrainConfig, shape: Sequence[int], device: torch.device) -> float:
    """About how many seconds all updates take on this device; writes nothing.

    The time of an update is taken to grow with its pictures from that of 2 (and 8, where they are quick).
    """
    few = _update_seconds(config, _FEW_PICTURES, shape, device=device)
    each = few / _FEW_PICTURES
    if few < _QUICK_SECONDS:
        each = max(
            (_update_seconds(config, _MORE_PICTURES, shape, device=device) - few)
            / (_MORE_PICTURES - _FEW_PICTURES),
            0.0,
        )
    update = few + each * max(config.batch - _FEW_PICTURES, 0)
    updates = math.ceil(round(config.kimg * 1000) / (config.batch * config.d_updates))
    return updates * config.d_updates * update


def unloaded_seconds(config: TrainConfig, shape: Sequence[int], device: torch.device) -> tuple[float, bool]:
    """Return :func:`whole_seconds`, and whether other programs keep the CPU's cores busy.

    Threads that wait for each other spin, and under load most of their processor time is that. What seems to
    be long then is measured again with one thread, which waits for none; several take no longer in the end.
    """
    with OtherWork() as others:
        whole = whole_seconds(config, shape, device)
    threads = torch.get_num_threads()
    busy = device.type == "cpu" and others.slows(threads)
    if busy and threads > 1 and whole >= LONG_SECONDS:
        torch.set_num_threads(1)
        try:
            whole = min(whole, whole_seconds(config, shape, device))
        finally:
            torch.set_num_threads(threads)
    return whole, busy


def _update_seconds(
    config: TrainConfig, pictures: int, shape: Sequence[int], *, device: torch.device
) -> float:
    """Mean seconds of an update with so many pictures, each kind as often as it comes."""
    share = config.g_batch / config.batch if config.g_batch else 0
    small: dict[str, Any] = {
        "batch": pictures,
        "g_batch": round(pictures * share),
        "accumulate": 1,
        "d_updates": 1,
    }
    small |= {"condition": (), "balance": False, "init": "", "freeze_d": 0}  # nothing is read
    state, sampler = finished_run(with_precision(override(config, small), device), shape, device)
    kinds = sorted(update_kinds(config), key=lambda kind: len(kind.extras))
    seconds = 0.0
    for turn, kind in enumerate([kinds[0], *kinds]):  # the first one warms up
        state.updates = kind.update
        found = _seconds(lambda: train_step(state, sampler), device)
        if not turn and found > _SLOW_SECONDS:  # others would take as long again
            return found
        seconds += kind.share * found if turn else 0.0
    return seconds


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of ``work``; on a CPU the processor's, so that other programs count little."""
    begin, own = time.perf_counter(), time.process_time()
    work()
    if device.type == "cpu":
        return (time.process_time() - own) / min(torch.get_num_threads(), cores())
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def long_run(data: Dataset, config: TrainConfig, device: str = "auto") -> str:
    """Return a note on a training of more than half a day, with quick variants; "" for a shorter one."""
    if config.kimg < _MIN_KIMG:
        return ""
    config, place = check(config), pick_device(device)
    shape = image_shape(config, data)
    try:
        whole, busy = unloaded_seconds(config, shape, place)
    except (RuntimeError, MemoryError):  # training reports what does not fit
        return ""
    if whole < LONG_SECONDS:
        return ""
    kimg = float(f"{config.kimg * SHORT_SECONDS / whole:.1g}")
    where = f"{torch.get_num_threads()} threads of the CPU" if place.type == "cpu" else str(place)
    ways = [f"--kimg {kimg:g} takes about {rough(whole * kimg / config.kimg)}"] if kimg else []
    if other := _quicker(data, config, shape, place=place, whole=whole):
        ways.append(other)
    ways.append("--dry-run measures it")
    where += ", less without the other programs that keep them busy" if busy else ""
    return (
        f"{config.recipe or 'this training'} at {config.kimg:g} kimg will take about {rough(whole)} on "
        f"{where}; {', '.join(ways)}. It begins now, and can be stopped and continued at any time."
    )


def _quicker(
    data: Dataset, config: TrainConfig, shape: Sequence[int], *, place: torch.device, whole: float
) -> str:
    """Return a note on the recipe that suits dataset and device if it takes less than half as long."""
    try:
        name = pick_recipe(surroundings(data, place.type), bool(config.condition))[0]
    except ConfigError:
        return ""
    if name == config.recipe or get_family(config.family).translates:
        return ""
    try:
        takes = unloaded_seconds(RECIPES[name].config, shape, place)[0]
    except (RuntimeError, MemoryError):
        return ""
    return f"--recipe {name} about {rough(takes)}" if takes < whole / 2 else ""


def rough(seconds: float) -> str:
    """Return ``28 days``, ``5 hours`` or ``40 minutes``: as exact as a guess may be."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.95 * size:
            return f"{seconds / size:.0f} {unit}"
    return duration(seconds)
