"""The memory and the cores that this process may take, and how its threads wait for each other."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

NOTABLE = 0.25  # of a core; what a desktop does beside is less
MAX_THREADS = 1024  # with many more the system may refuse to start them, which ends the process
_GROUPS = ("/proc/self/cgroup", "/sys/fs/cgroup")

# --- memory --------------------------------------------------------------------------------------


def free_memory() -> int | None:
    """Return the bytes that are free to this process; None where the system does not tell."""
    found = [_available(), left_by_limits()]
    return min((x for x in found if x is not None), default=None)


def amount(count: int) -> str:
    """Return a number of bytes as text: 850 MB, 1.2 GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.{count < 1e6:d}f} MB"


def _available() -> int | None:
    with suppress(OSError, IndexError, ValueError):
        text = Path("/proc/meminfo").read_text()
        return int(text.split("MemAvailable:")[1].split()[0]) * 1024
    return None


def left_by_limits(own: str = _GROUPS[0], root: str = _GROUPS[1]) -> int | None:
    """Return the bytes up to the nearest limit of the process's control groups (Linux); None without one.

    Pages of files, which the system takes back, do not count.
    """
    found: list[int] = []
    for group, version in _groups("memory", own, root):
        if version == 2:
            found += _left(group, "memory.max", "memory.current", pages="inactive_file")
        else:
            found += _left(
                group, "memory.limit_in_bytes", "memory.usage_in_bytes", pages="total_inactive_file"
            )
    return min(found, default=None)


def _left(group: Path, limit: str, usage: str, *, pages: str) -> list[int]:
    with suppress(OSError, ValueError):  # no such group, or "max"
        most, used = int((group / limit).read_text()), int((group / usage).read_text())
        if most < 1 << 60:  # version 1 has a number for none
            stat = dict(line.split()[:2] for line in (group / "memory.stat").read_text().splitlines())
            return [max(most - used + int(stat.get(pages, 0)), 0)]
    return []


def _groups(controller: str, own: str, root: str) -> Iterator[tuple[Path, int]]:
    """Yield the folders that may hold limits for this process, and the version of their files.

    A container may see its own group as the root, and limits of the groups above bind as well.
    """
    with suppress(OSError, ValueError):
        for line in Path(own).read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds == "":
                places, version = [Path(root), Path(root) / "unified"], 2
            elif controller in kinds.split(","):
                places, version = [Path(root) / controller, Path(root) / kinds], 1
            else:
                continue
            parts = [p for p in path.split("/") if p and p != ".."]
            for place in dict.fromkeys(places):
                for depth in range(len(parts) + 1):
                    yield place.joinpath(*parts[:depth]), version


# --- cores ---------------------------------------------------------------------------------------


def cores() -> int:
    """Return how many cores this process may use: its affinity's, within its control groups' quota."""
    # From Python 3.13 on, a user may set it (PYTHON_CPU_COUNT).
    own = getattr(os, "process_cpu_count", lambda: None)() or len(_mine())
    granted = granted_cores()
    return max(1, own if granted is None else min(own, round(granted)))


def granted_cores(own: str = _GROUPS[0], root: str = _GROUPS[1]) -> float | None:
    """Return the time, in cores, that the process's control groups grant (Linux); None without a limit."""
    found: list[float] = []
    for group, version in _groups("cpu", own, root):
        with suppress(OSError, ValueError):  # no such group, or "max"
            if version == 2:
                quota, period = (int(x) for x in (group / "cpu.max").read_text().split())
            else:
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                quota, period = (int((group / name).read_text()) for name in names)
            if quota > 0 and period > 0:  # version 1 has -1 for no limit
                found.append(quota / period)
    return min(found, default=None)


class OtherWork:
    """Measures ``cores``, the mean number of this process's cores that others keep busy in a ``with`` block.

    None where the system does not tell (all but Linux), or if the block was too short to see.
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
        """Return whether so many threads did not get a core each."""
        return self.cores is not None and self.cores + threads > self.available + NOTABLE

    def left(self) -> int:
        """Return how many cores the others left, rounded; at least 1."""
        return max(1, round(self.available - (self.cores or 0.0)))


def _mine() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _busy() -> float | None:
    """Return the seconds for which this process's cores have worked since the system started."""
    with suppress(OSError, ValueError, IndexError):
        rows = (line.split() for line in Path("/proc/stat").read_text().splitlines())
        names = {f"cpu{k}" for k in _mine()}
        found = [[int(x) for x in row[1:9]] for row in rows if row and row[0] in names]
        if found:  # all but idle and iowait
            ticks = sum(sum(row) - row[3] - row[4] for row in found)
            return ticks / os.sysconf("SC_CLK_TCK")
    return None


# --- threads -------------------------------------------------------------------------------------

# How long waiting threads keep their core: long enough for the gaps between the steps of an update, and far
# less than a turn of another program, which the defaults, 5 ms (GNU) and 200 ms (LLVM, Intel), would cost.
WAITING = {"GOMP_SPINCOUNT": "30000", "KMP_BLOCKTIME": "1"}  # turns of a loop; ms
_counted = ""  # what OMP_NUM_THREADS was set to here


def settle_threads() -> None:
    """Set how OpenMP's threads wait, and how many there are, unless the user's environment does.

    The library reads it once, when torch is loaded. Processes that this one starts inherit it.
    """
    global _counted
    if "torch" in sys.modules:
        return
    if not {"OMP_WAIT_POLICY", *WAITING} & set(os.environ):
        os.environ.update(WAITING)
    if "OMP_NUM_THREADS" not in os.environ and cores() < len(_mine()):  # it sees affinity, but no quota
        os.environ["OMP_NUM_THREADS"] = _counted = str(cores())


def threads_given() -> bool:
    """Return whether the user's environment says how many threads there are."""
    given = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ}
    return given not in ({}, {"OMP_NUM_THREADS": _counted})
