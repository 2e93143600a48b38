"""A dry run: layers, memory, time and disk of a run, by a few real updates. It writes nothing."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from facegan.attributes.networks import fit
from facegan.data.dataset import Dataset, conditions
from facegan.data.label_counts import alarms, counts_lines, kinds
from facegan.devices import free_memory, pick_device, slow_bfloat16, working_threads
from facegan.errors import ConfigError
from facegan.layers.network import DiscriminatorNetwork
from facegan.layers.summary import LayerInfo, statistics, summarize
from facegan.machine import OtherWork
from facegan.recipes.config import TrainConfig, UpdateKind, check, update_kinds
from facegan.training.initialization import create_state, with_precision
from facegan.training.objective import check_sources, train_step
from facegan.training.out_of_memory import fits, is_out_of_memory
from facegan.training.sampler import ImageSampler
from facegan.training.snapshot import BN_BATCH, BN_BATCHES
from facegan.training.state import Sources, TrainState, as_if_finished

TIMED_SECONDS, TIMED_UPDATES = 2.0, 3  # time updates for so long, and at least so many
SLOW_UPDATE = 10.0  # seconds; of updates that take longer, one of each kind is enough
_PEEK = 256  # pictures to train on where the dataset has no memory map yet


class PeakMemory:
    """Most memory held within a ``with`` block: ``peak`` bytes above the ``level`` at its beginning.

    On CUDA it is what tensors hold on the device. Elsewhere it is the process's resident memory,
    read every ``interval`` seconds in a thread; on Linux without the pages of files, which the system
    can take back. ``peak`` is None where the system does not tell.
    """

    def __init__(self, device: torch.device, interval: float = 0.002) -> None:
        self.device, self.interval = device, interval
        self.level, self.peak = 0, None  # type: tuple[int, int | None]

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self.level = torch.cuda.memory_allocated(self.device)
            return self
        self.level = _resident() or 0
        self._most, self._stop = self.level, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._stop.wait(self.interval):
            self._most = max(self._most, _resident() or 0)

    def __exit__(self, *error: object) -> None:
        if self.device.type == "cuda":
            self.peak = torch.cuda.max_memory_allocated(self.device) - self.level
            return
        self._stop.set()
        self._thread.join()
        now = _resident()
        if now is not None:
            self.peak = max(self._most, now) - self.level


def _resident() -> int | None:
    """Bytes of memory that this process alone holds."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()
        import os

        return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
    with suppress(ImportError):
        import psutil

        return int(psutil.Process().memory_info().rss)
    with suppress(ImportError):
        import resource  # only ever grows: enough for a first peak

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # type: ignore[attr-defined,unused-ignore]
        return int(most * (1 if sys.platform == "darwin" else 1024))
    return None


@dataclass(frozen=True)
class Timing:
    """Seconds of updates of one kind: mean, shortest, longest, and how many were timed."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class DryRun:
    """Everything found out. Sizes are bytes, times seconds; ``timings`` has each kind of update."""

    config: TrainConfig
    dataset: str
    pictures: int
    image_shape: tuple[int, ...]
    device: str
    threads: int
    generator: list[LayerInfo]
    discriminator: list[LayerInfo]
    each: int
    """Networks of either kind."""
    weights: int
    optimizer: int
    average: int
    memory_before: int
    memory_peak: int | None
    memory_free: int | None
    timings: dict[UpdateKind, Timing]
    others: OtherWork
    """What else the processor did meanwhile."""
    drawing: float
    """Seconds to draw one picture in sampling mode."""
    updates: int
    grids: int
    pictures_a_grid: int
    """Pictures drawn for each grid, with those for its measures."""
    models: int
    model_bytes: int
    copies: int
    """Of the generator, one for a grid, a model or both at once."""
    pictures_a_copy: int
    """For batch norm's statistics."""
    checkpoint_bytes: int
    map_bytes: int
    """Of the dataset's memory map, if the first run has yet to make it; else 0."""
    content_hash: str = ""
    """Of the dataset."""
    labels: tuple[str, ...] = ()
    """Lines on how many training pictures have which label, with --condition."""
    room: str = ""
    """Why there are fewer threads than the processor could take."""
    slow: str = ""
    """A warning if the precision is slow here."""

    @property
    def update_seconds(self) -> float:
        """Seconds of the average update: each kind counts in its proportion."""
        return sum(kind.share * timing.mean for kind, timing in self.timings.items())

    @property
    def disturbed(self) -> str:
        """A note that other programs slowed the updates down, or ""."""
        if self.room:
            return self.room
        if self.device != "cpu" or not self.others.slows(self.threads):
            return ""
        busy = f"{self.others.cores:.1f} of {self.others.available} cores"
        return f"other programs keep {busy} busy: without them it is faster, maybe by much"

    @property
    def images_per_update(self) -> int:
        return self.config.batch * self.config.d_updates

    @property
    def training_seconds(self) -> float:
        return self.updates * self.update_seconds

    @property
    def drawing_seconds(self) -> float:
        """For all grids and models."""
        count = self.grids * self.pictures_a_grid + self.copies * self.pictures_a_copy
        return count * self.drawing


def dry_run(
    dataset: str | Path | Dataset,
    config: TrainConfig,
    device: str = "auto",
    *,
    to: str | Path | Dataset | None = None,
) -> DryRun:
    """Build the networks, make a few real updates on real pictures, and measure; writes no file.

    ``to`` is the second domain, if the recipe takes one. ConfigError if the configuration cannot work, or
    does not fit into memory.
    """
    config = check(config)
    data = dataset if isinstance(dataset, Dataset) else Dataset(dataset)
    place = pick_device(device)
    second = Dataset(to) if isinstance(to, (str, Path)) else to
    shape = check_sources(config, Sources(data, second))
    pictures = data.peek(max(_PEEK, config.batch))
    try:
        with working_threads(place) as room:
            slow = slow_bfloat16(place) if config.precision == "bfloat16" else ""
            return replace(_measured(config, data, pictures, place=place, shape=shape), room=room, slow=slow)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ConfigError(fits(config, shape, place, error=error)) from None


def _measured(
    config: TrainConfig,
    data: Dataset,
    pictures: np.ndarray,
    *,
    place: torch.device,
    shape: tuple[int, int, int],
) -> DryRun:
    names, table = conditions(data, config.condition) if config.condition else ((), None)
    few = None if table is None else table[: len(pictures)]
    with PeakMemory(place) as memory:
        state = as_if_finished(
            create_state(with_precision(config, place), shape, place, label_dim=len(names))
        )
        # The second pictures of a run cost as much, whatever they show.
        feed = state.objective.sampler(pictures, config, place, table=few, beside=pictures)
        kinds = sorted(update_kinds(config), key=lambda kind: len(kind.extras))  # the dearest last
        # Two at least to warm up, because the optimiser's moments come with the first.
        warm = [_timed(state, feed, kind) for kind in (kinds * 2)[: max(2, len(kinds))]]
    with OtherWork() as others:
        least = TIMED_UPDATES if warm[-1] < SLOW_UPDATE else len(kinds)
        timings = _time_updates(state, feed, kinds, least=least)
    return DryRun(
        **{**_sizes(state, shape), **occasions(config)},
        config=state.config,
        dataset=str(data.path),
        pictures=data.counts["train"],
        image_shape=shape,
        device=_device_name(place),
        threads=torch.get_num_threads(),
        memory_before=memory.level,
        memory_peak=memory.peak,
        memory_free=free_memory(place),
        timings=timings,
        others=others,
        drawing=_time_drawing(state, shape),
        content_hash=data.content_hash,
        labels=_label_lines(names, table, config),
        map_bytes=0 if isinstance(pictures, np.memmap) else data.counts["train"] * math.prod(shape),
    )


def _label_lines(names: Sequence[str], table: np.ndarray | None, config: TrainConfig) -> tuple[str, ...]:
    """Return how many pictures have which label, and a warning where almost none have one."""
    if table is None:
        return ()
    found = kinds(names, table)
    return (*counts_lines(found), *(f"Warning: {text}." for text in alarms(found, config.balance)))


def _timed(state: TrainState, feed: ImageSampler, kind: UpdateKind) -> float:
    """Seconds of one real update of that kind."""
    state.updates = kind.update
    return _seconds(lambda: train_step(state, feed), state.device)


def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    _wait(device)
    begin = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - begin


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _time_updates(
    state: TrainState, feed: ImageSampler, kinds: list[UpdateKind], *, least: int
) -> dict[UpdateKind, Timing]:
    """Timings by kind, which take turns, so that a change of the machine's load meets all of them."""
    times: dict[UpdateKind, list[float]] = {kind: [] for kind in kinds}
    end, turn = time.perf_counter() + TIMED_SECONDS, 0
    while turn < least or time.perf_counter() < end:
        kind = kinds[turn % len(kinds)]
        times[kind].append(_timed(state, feed, kind))
        turn += 1
    return {kind: Timing(sum(t) / len(t), min(t), max(t), len(t)) for kind, t in times.items()}


def _time_drawing(state: TrainState, shape: Sequence[int], count: int = 16) -> float:
    """Seconds to draw one picture in sampling mode."""
    network, given = state.objective.examples(state, shape, count)["generator"]
    network.eval()
    with torch.inference_mode():
        network(*given)
        return _seconds(lambda: network(*given), state.device) / count


def occasions(c: TrainConfig) -> dict[str, int]:
    """Return how many updates, grids, models and copies a run has, by the names of :class:`DryRun`."""
    step = c.batch * c.d_updates
    updates = -(-round(c.kimg * 1000) // step)
    grid_every = max(1, round((c.grid_kimg or c.kimg / 40) * 1000))
    save_every = max(1, round((c.checkpoint_kimg or c.kimg / 10) * 1000))
    return {
        "updates": updates,
        "grids": count_due(updates, step, grid_every) + 1,  # the first before any update
        "models": count_due(updates, step, save_every),
        "copies": count_due(updates, step, grid_every, save_every) + 1,
    }


def count_due(updates: int, step: int, *every: int) -> int:
    """Return how many updates of ``step`` images pass a multiple of one ``every`` or are the last."""
    if updates == 0:
        return 0
    seen = np.arange(updates + 1, dtype=np.int64) * step
    due = np.logical_or.reduce([np.diff(seen // n) > 0 for n in every])
    due[-1] = True
    return int(due.sum())


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def _stored(module: nn.Module | None) -> list[torch.Tensor]:
    return [] if module is None else list(module.state_dict().values())


def _sizes(state: TrainState, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Return the layers of both networks and what they take of memory and disk, by the names of DryRun."""
    examples = state.objective.examples(state, shape, 1)
    moments = [t for o in state.optimizers.values() for s in o.state.values() for t in s.values()]
    weights = _bytes(t for name in state.optimizers for t in _stored(state.networks[name]))
    average = [t for name in state.networks.keys() - state.optimizers for t in _stored(state.networks[name])]
    makers = [state.networks[name] for name in state.optimizers if name.startswith("generator")]
    floats = sum(sum(p.numel() for p in maker.parameters()) + statistics(maker) for maker in makers)
    counters = _bytes(b for maker in makers for b in maker.buffers() if not b.is_floating_point())
    # Averaged weights need statistics of their own each time that pictures are drawn with them.
    renewed = BN_BATCHES * BN_BATCH if state.objective.renews_statistics(state) else 0
    return {
        "generator": summarize(*examples["generator"]),
        "discriminator": _judging(*examples["discriminator"]),
        "each": len(makers),
        "weights": weights,
        "optimizer": _bytes(moments),
        "average": _bytes(average),
        "pictures_a_grid": state.config.grid_count + state.config.quality_count,
        "pictures_a_copy": renewed,
        "model_bytes": 2 * floats + counters,  # half precision
        "checkpoint_bytes": weights + _bytes(average) + _bytes(moments),
    }


def _judging(discriminator: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[LayerInfo]:
    """Return the discriminator's layers, then those of a frozen network and of the heads on it."""
    rows = summarize(discriminator, inputs)
    assert isinstance(discriminator, DiscriminatorNetwork)
    heads = discriminator.projected
    if heads is None:
        return rows
    picture = inputs[0][:, -heads.shape[0] :]  # a translator's discriminator sees the input before it
    frozen = summarize(heads.frozen, fit(picture, heads.shape))
    rows += [replace(r, name=f"frozen.{r.name}", parameters=0, statistics=0) for r in frozen]
    return rows + [replace(r, name=f"projected.{r.name}") for r in summarize(heads, (picture, *inputs[1:]))]


def _device_name(device: torch.device) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)
