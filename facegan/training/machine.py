"""What of the machine is ours: memory that is free, and cores that no other program keeps busy."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import torch

from facegan import memory

NOTABLE = 0.25  # of a core; what a desktop does beside is less


def free_memory(device: torch.device) -> int | None:
    """Bytes that are still free on the device, or to this process, if a container or a batch system limits
    it; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return memory.free_memory()


class OtherWork:
    """Within a ``with`` block: ``cores``, the mean number of this process's cores that others kept busy.

    None where the system does not tell (all but Linux), or where the block was too short to see.
    """

    def __init__(self) -> None:
        self.cores: float | None = None
        self.available = len(_mine())

    def __enter__(self) -> OtherWork:
        self._begin = (time.perf_counter(), time.process_time(), _busy())
        return self

    def __exit__(self, *error: object) -> None:
        seconds, own, busy = (time.perf_counter(), time.process_time(), _busy())
        seconds -= self._begin[0]
        if busy is None or self._begin[2] is None or seconds < 0.5:  # the system counts in hundredths
            return
        others = (busy - self._begin[2]) - (own - self._begin[1])
        self.cores = min(max(others / seconds, 0.0), float(self.available))

    def slows(self, threads: int) -> bool:
        """Whether so many threads did not get a core each."""
        return self.cores is not None and self.cores + threads > self.available + NOTABLE


def _mine() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _busy() -> float | None:
    """Seconds for which this process's cores have worked since the system started."""
    with suppress(OSError, ValueError, IndexError):
        rows = (line.split() for line in Path("/proc/stat").read_text().splitlines())
        names = {f"cpu{k}" for k in _mine()}
        found = [[int(x) for x in row[1:9]] for row in rows if row and row[0] in names]
        if found:  # all but idle and iowait
            ticks = sum(sum(row) - row[3] - row[4] for row in found)
            return ticks / os.sysconf("SC_CLK_TCK")
    return None
