"""What of the machine is ours: memory that is free, and cores that no other program keeps busy."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import torch

NOTABLE = 0.25  # of a core; what a desktop does beside is less


def free_memory(device: torch.device) -> int | None:
    """Bytes that are still free on the device, or to this process, if a container or a batch system limits
    it; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [_available(), left_by_limits()]
    return min((x for x in found if x is not None), default=None)


def _available() -> int | None:
    with suppress(OSError, IndexError, ValueError):
        text = Path("/proc/meminfo").read_text()
        return int(text.split("MemAvailable:")[1].split()[0]) * 1024
    return None


def left_by_limits(own: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> int | None:
    """Bytes until the nearest limit of this process's control groups (Linux, of either version); None
    without one. Pages of files, which the system takes back, do not count."""
    found: list[int] = []
    with suppress(OSError):
        for line in Path(own).read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "":
                places = [Path(root), Path(root) / "unified"]
                names = ("memory.max", "memory.current", "inactive_file")
            elif "memory" in kinds.split(","):
                places = [Path(root) / "memory"]
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            # A container may see its own group as the root, and limits of those above bind as well.
            parts = [p for p in path.split("/") if p and p != ".."]
            for place in places:
                for depth in range(len(parts) + 1):
                    found += _left(place.joinpath(*parts[:depth]), *names)
    return min(found, default=None)


def _left(group: Path, limit: str, usage: str, pages: str) -> list[int]:
    with suppress(OSError, ValueError):  # no such group, or "max"
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        if most < 1 << 60:  # version 1 has a number for none
            stat = dict(line.split()[:2] for line in (group / "memory.stat").read_text().splitlines())
            return [max(most - used + int(stat.get(pages, 0)), 0)]
    return []


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
